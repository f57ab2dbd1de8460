// The product summed over examples: out[row][lane] = Σ_ex rows[ex][row] lanes[ex][lane].
//
// dW of a layer, without the 1/m: a strip of up to `strip_rows` rows × one panel of lanes. Its
// weights and the optimizer's slots are contiguous in memory, so the update follows at once, while
// the strip is still in the first-level cache. A tile of 6 rows × 1 panel stays in registers.
#pragma once

#include <algorithm>

#include "panels.hpp"

namespace deltarule {

inline constexpr std::size_t strip_rows = 96, block_examples = 256;

template <class T> struct OuterTask {
  Panels<const T> rows, lanes;  // both by example
  std::size_t examples;
  bool begin;  // start at 0, else go on from what `out` holds
};

template <int R, class T>
void outer_tile(const OuterTask<T>& task, std::size_t row, std::size_t panel, T* out) {
  using V = Vec<T>;
  constexpr std::size_t W = V::width;
  V sums[R][2];
  const T* inputs[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    inputs[r] = &task.rows.at(0, row + r);
    sums[r][0] = task.begin ? V(T(0)) : V::load(out + r * P<T>);
    sums[r][1] = task.begin ? V(T(0)) : V::load(out + r * P<T> + W);
  }
  const T* lanes = task.lanes.row(panel, 0);
#pragma GCC unroll 2
  for (std::size_t i = 0; i < task.examples * P<T>; i += P<T>) {
    const V low = V::load(lanes + i), high = V::load(lanes + i + W);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const V input(inputs[r][i]);
      sums[r][0] = fma(input, low, sums[r][0]);
      sums[r][1] = fma(input, high, sums[r][1]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    sums[r][0].store(out + r * P<T>);
    sums[r][1].store(out + r * P<T> + W);
  }
}

// Rows [first, first + count) × panel, count ≤ strip_rows, into `out`, count × P numbers.
template <class T>
inline void outer_strip(Panels<const T> rows, Panels<const T> lanes, std::size_t examples,
                        std::size_t first, std::size_t count, std::size_t panel, T* out) {
  for (std::size_t from = 0; from < examples; from += block_examples) {
    const OuterTask<T> task{rows.from_row(from), lanes.from_row(from),
                            std::min(block_examples, examples - from), from == 0};
    for (std::size_t row = 0; row < count; row += 6) {
      T* at = out + row * P<T>;
      switch (std::min<std::size_t>(6, count - row)) {
        case 1: outer_tile<1>(task, first + row, panel, at); break;
        case 2: outer_tile<2>(task, first + row, panel, at); break;
        case 3: outer_tile<3>(task, first + row, panel, at); break;
        case 4: outer_tile<4>(task, first + row, panel, at); break;
        case 5: outer_tile<5>(task, first + row, panel, at); break;
        default: outer_tile<6>(task, first + row, panel, at);
      }
    }
  }
}

// out[lane] = Σ_ex term(ex, lane) for the P lanes of a panel; `term` gives a vector of lanes.
template <class T, class Term>
DELTARULE_INLINE void sum_examples(std::size_t examples, T* out, const Term& term) {
  using V = Vec<T>;
  constexpr std::size_t W = V::width;
  V sums[4][2];
  for (auto& sum : sums) sum[0] = sum[1] = V(T(0));
  for (std::size_t ex = 0; ex < examples; ++ex) {
    sums[ex % 4][0] += term(ex, 0);
    sums[ex % 4][1] += term(ex, W);
  }
  ((sums[0][0] + sums[1][0]) + (sums[2][0] + sums[3][0])).store(out);
  ((sums[0][1] + sums[1][1]) + (sums[2][1] + sums[3][1])).store(out + W);
}

// out[lane] = Σ_ex lanes[ex][lane] of one panel: db, without the 1/m.
template <class T>
inline void column_sums(Panels<const T> lanes, std::size_t examples, std::size_t panel, T* out) {
  const T* at = lanes.row(panel, 0);
  sum_examples<T>(examples, out, [&](std::size_t ex, std::size_t lane) {
    return Vec<T>::load(at + ex * P<T> + lane);
  });
}

// out[lane] = Σ_ex a[ex][lane] b[ex][lane] of one panel: the derivative by what multiplies a unit.
template <class T>
inline void column_dots(Panels<const T> a, Panels<const T> b, std::size_t examples,
                        std::size_t panel, T* out) {
  const T *left = a.row(panel, 0), *right = b.row(panel, 0);
  sum_examples<T>(examples, out, [&](std::size_t ex, std::size_t lane) {
    return Vec<T>::load(left + ex * P<T> + lane) * Vec<T>::load(right + ex * P<T> + lane);
  });
}

}  // namespace deltarule
