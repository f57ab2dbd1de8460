// The product of packed operands on AVX512-BF16, whose instruction adds the products of two pairs of
// numbers to each lane: a tile of sums of up to 16 rows × 1 panel stays in registers.
#pragma once

#include "kernels/packing.hpp"

#if defined(DELTARULE_DOTS)
namespace deltarule {

// Unlike Tiles, nothing to set up.
struct DotProducts {};

// sums[r] += Σ a[r][pair] · b[pair] of R rows and so many pairs of numbers.
template <int R>
void add_pairs(const Word* a, const Word* b, std::size_t pairs, float* sums) {
  DotSums kept[R];
  std::memcpy(kept, sums, sizeof kept);
  const auto add = [&](std::size_t pair) __attribute__((always_inline)) {
    DotWords lanes;
    std::memcpy(&lanes, b + pair * tile_side, sizeof lanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) DELTARULE_ADD_DOT(kept[r], a[r * tile_side + pair], lanes);
  };
  for (; pairs >= tile_side; pairs -= tile_side, a += tile_words, b += tile_words) {
#pragma GCC unroll 4
    for (std::size_t pair = 0; pair < tile_side; ++pair) add(pair);
  }
  for (std::size_t pair = 0; pair < pairs; ++pair) add(pair);
  std::memcpy(sums, kept, sizeof kept);
}

// add_product of tiles.hpp, on dot products.
inline void add_product(const DotProducts&, Panels<float> out, std::size_t row, std::size_t rows,
                        std::size_t panel, std::size_t panels, const Word* a, const Word* b,
                        std::size_t pitch, std::size_t numbers) {
  for (std::size_t n = 0; n < panels; ++n)
    for (std::size_t r = 0; r < rows; r += tile_side)
      with_height<int(tile_side)>(rows - r, [&](auto R) {
        add_pairs<R.value>(a + r / tile_side * pitch, b + n * pitch, (numbers + 1) / 2,
                           out.row(panel + n, row + r));
      });
}

}  // namespace deltarule
#endif
