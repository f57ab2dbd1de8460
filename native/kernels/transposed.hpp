// The product of dots.hpp for many rows: a block of weights is transposed into the first-level
// cache once, and all rows pass by it as in columns.hpp, without sums across lanes.
#pragma once

#include "kernels/columns.hpp"

namespace deltarule {

// out[lane][row] = in[row][lane] of a block of P × P numbers.
template <class T> inline void transpose_block(const T* in, T* out) {
#if defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    constexpr std::size_t W = 8;
    for (std::size_t row = 0; row < P<T>; row += W) {
      for (std::size_t lane = 0; lane < P<T>; lane += W) {
        __m256 r[8], s[8];
        for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + (row + i) * P<T> + lane);
        for (int i = 0; i < 4; ++i) {
          s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
          s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        for (int half = 0; half < 2; ++half) {
          for (int i = 0; i < 2; ++i) {
            r[4 * half + 2 * i] = _mm256_shuffle_ps(s[4 * half + i], s[4 * half + 2 + i], 0x44);
            r[4 * half + 2 * i + 1] = _mm256_shuffle_ps(s[4 * half + i], s[4 * half + 2 + i], 0xEE);
          }
        }
        for (int i = 0; i < 4; ++i) {
          T* to = out + (lane + i) * P<T> + row;
          _mm256_storeu_ps(to, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
          _mm256_storeu_ps(to + 4 * P<T>, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
        }
      }
    }
    return;
  }
#endif
  for (std::size_t row = 0; row < P<T>; ++row)
    for (std::size_t lane = 0; lane < P<T>; ++lane) out[lane * P<T> + row] = in[row * P<T> + lane];
}

// out[row][column] = Σ_lane d[row][lane] w[column][lane], so many lanes and columns.
template <class T>
inline void transposed_product(Panels<const T> d, std::size_t lanes, Panels<const T> w,
                               std::size_t columns, const T* zeros, Panels<T> out,
                               std::size_t rows) {
  alignas(64) T block[block_k * P<T>];
  for (std::size_t first = 0; first < lanes; first += block_k) {
    const std::size_t k = std::min(block_k, lanes - first);
    for (std::size_t panel = 0; panel * P<T> < columns; ++panel) {
      const std::size_t height = std::min(P<T>, columns - panel * P<T>);
      for (std::size_t lane = 0; lane < k; lane += P<T>) {
        const T* from = w.row((first + lane) / P<T>, panel * P<T>);
        T* to = block + lane * P<T>;
        if (height == P<T>) {
          transpose_block(from, to);
        } else {
          for (std::size_t i = 0; i < P<T>; ++i)
            for (std::size_t row = 0; row < P<T>; ++row)
              to[i * P<T> + row] = row < height ? from[row * P<T> + i] : T(0);
        }
      }
      in_tiles(rows, tile_rows, [&](std::size_t row, std::size_t here) {
        const ColumnsTask<T> task{{d.row(first / P<T>, row), d.stride}, block, k, k,
                                  first > 0 ? nullptr : zeros, {out.row(panel, row), out.stride}};
        columns_tiles(task, here, 1);
      });
    }
  }
}

}  // namespace deltarule
