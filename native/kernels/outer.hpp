// The product summed over examples: out[row][lane] = Σ_ex rows[ex][row] lanes[ex][lane].
//
// dW of a layer, without the 1/m: a strip of up to `strip_rows` rows × one panel of lanes. Its
// weights and the optimizer's slots are contiguous in memory, so the update follows at once, while
// the strip is still in the first-level cache. A tile of some rows of one panel × 1 panel stays in
// registers.
#pragma once

#include <algorithm>

#include "bfloat16.hpp"
#include "panels.hpp"

namespace deltarule {

inline constexpr std::size_t strip_rows = 96, block_examples = 256;
inline constexpr int outer_rows = panel_vectors == 1 ? 16 : 6;

template <class T> struct OuterTask {
  Panels<const T> rows, lanes;  // both by example
  std::size_t examples;
  bool begin;  // start at 0, else go on from what `out` holds
};

// R rows of one panel, the first at `row`.
template <int R, class T>
void outer_tile(const OuterTask<T>& task, std::size_t row, std::size_t panel, T* out) {
  using V = Vec<T>;
  constexpr std::size_t W = V::width;
  constexpr int D = panel_vectors;
  V sums[R][D];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < D; ++v)
      sums[r][v] = task.begin ? V(T(0)) : V::load(out + r * P<T> + v * W);
  const T *inputs = &task.rows.at(0, row), *lanes = task.lanes.row(panel, 0);
#pragma GCC unroll 2
  for (std::size_t i = 0; i < task.examples * P<T>; i += P<T>) {
    V deltas[D];
#pragma GCC unroll 2
    for (int v = 0; v < D; ++v) deltas[v] = V::load(lanes + i + v * W);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V input(inputs[i + r]);
#pragma GCC unroll 2
      for (int v = 0; v < D; ++v) sums[r][v] = fma(input, deltas[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < D; ++v) sums[r][v].store(out + r * P<T> + v * W);
}

// Rows [first, first + count) × panel, count ≤ strip_rows, into `out`, count × P numbers; added to
// what it holds unless `begin`.
template <class T>
inline void outer_strip(Panels<const T> rows, Panels<const T> lanes, std::size_t examples,
                        std::size_t first, std::size_t count, std::size_t panel, T* out,
                        bool begin = true) {
  for (std::size_t from = 0; from < examples; from += block_examples) {
    const OuterTask<T> task{rows.from_row(from), lanes.from_row(from),
                            std::min(block_examples, examples - from), begin && from == 0};
    for (std::size_t here, row = 0; row < count; row += here) {
      here = std::min(P<T> - (first + row) % P<T>, count - row);  // those of one panel
      in_tiles(here, outer_rows, [&](std::size_t at, std::size_t height) {
        with_height<outer_rows>(height, [&](auto R) {
          outer_tile<R.value>(task, first + row + at, panel, out + (row + at) * P<T>);
        });
      });
    }
  }
}

// out[lane] = Σ_ex term(ex, lane) for the P lanes of a panel; `term` gives a vector of lanes. Four
// sums a vector, by turns, stay in registers.
template <class T, class Term>
DELTARULE_INLINE void sum_examples(std::size_t examples, T* out, const Term& term) {
  using V = Vec<T>;
  V sums[4][panel_vectors];
  for (auto& turn : sums)
    for (V& sum : turn) sum = V(T(0));
  const auto add = [&](std::size_t ex, V(&turn)[panel_vectors]) __attribute__((always_inline)) {
    for (int v = 0; v < panel_vectors; ++v) turn[v] += term(ex, v * V::width);
  };
  std::size_t ex = 0;
  for (; ex + 4 <= examples; ex += 4)
    for (std::size_t turn = 0; turn < 4; ++turn) add(ex + turn, sums[turn]);
  if (ex < examples) add(ex, sums[0]);
  if (ex + 1 < examples) add(ex + 1, sums[1]);
  if (ex + 2 < examples) add(ex + 2, sums[2]);
  for (int v = 0; v < panel_vectors; ++v)
    ((sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v])).store(out + v * V::width);
}

// out[lane] = Σ_ex lanes[ex][lane] of one panel: db, without the 1/m.
template <class T>
inline void column_sums(Panels<const T> lanes, std::size_t examples, std::size_t panel, T* out) {
  const T* at = lanes.row(panel, 0);
  sum_examples<T>(examples, out, [&](std::size_t ex, std::size_t lane) {
    return Vec<T>::load(at + ex * P<T> + lane);
  });
}

// The same of numbers rounded to bfloat16.
inline void rounded_sums(Panels<const float> lanes, std::size_t examples, std::size_t panel,
                         float* out) {
  const float* at = lanes.row(panel, 0);
  sum_examples<float>(examples, out, [&](std::size_t ex, std::size_t lane) {
    return bfloat16(Vec<float>::load(at + ex * P<float> + lane));
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
