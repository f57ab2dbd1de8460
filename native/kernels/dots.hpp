// The product whose lanes are summed over: out[row][column] = Σ_lane d[row][lane] w[column][lane].
//
// Backward pass of a layer whose weights have units as lanes, and the forward pass of one whose
// weights have inputs as lanes: so weights are kept once, and nobody transposes them.
//
// Each sum is a vector of partial sums; at the end four of them become four numbers. An element
// is formed in the same order in any tile.
#pragma once

#include <algorithm>
#include <type_traits>

#include "panels.hpp"

namespace deltarule {

template <class T> struct DotsTask {
  Panels<const T> d, w;
  std::size_t panels;
  Panels<T> out;
};

// R rows × C columns, the first at (row, column).
template <int R, int C, class T>
void dots_tile(const DotsTask<T>& task, std::size_t row, std::size_t column) {
  using V = Vec<T>;
  V sums[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[r][c] = V(T(0));
  const T* d = task.d.row(0, row);
  const T* w = task.w.row(0, column);
  for (std::size_t panel = 0; panel < task.panels; ++panel) {
#pragma GCC unroll 2
    for (std::size_t lane = 0; lane < P<T>; lane += V::width) {
      V weights[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) weights[c] = V::load(w + c * P<T> + lane);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const V delta = V::load(d + r * P<T> + lane);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) sums[r][c] = fma(delta, weights[c], sums[r][c]);
      }
    }
    d += task.d.stride * P<T>;
    w += task.w.stride * P<T>;
  }
  const V zero(T(0));
  if constexpr (C == 4) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      sum_four(sums[r][0], sums[r][1], sums[r][2], sums[r][3], &task.out.at(row + r, column));
  } else {
    for (int r = 0; r < R; ++r) {
      T found[4];
      sum_four(sums[r][0], C > 1 ? sums[r][C > 1 ? 1 : 0] : zero,
               C > 2 ? sums[r][C > 2 ? 2 : 0] : zero, zero, found);
      for (int c = 0; c < C; ++c) task.out.at(row + r, column + c) = found[c];
    }
  }
}

// Rows [0, rows) and columns [0, columns) of the views.
template <class T>
inline void dots_product(Panels<const T> d, Panels<const T> w, std::size_t panels, Panels<T> out,
                         std::size_t rows, std::size_t columns) {
  const DotsTask<T> task{d, w, panels, out};
  // so many columns of weights stay in the first-level cache while all rows pass by
  const std::size_t fit = std::size_t(1 << 14) / (panels * P<T> * sizeof(T));
  const std::size_t block = std::max<std::size_t>(4, fit / 4 * 4);
  for (std::size_t first = 0; first < columns; first += block) {
    const std::size_t last = std::min(first + block, columns);
    const std::size_t tiles = (rows + 2) / 3;  // of nearly equal height
    for (std::size_t tile_index = 0, row = 0; tile_index < tiles; ++tile_index) {
      const std::size_t height = (rows - row) / (tiles - tile_index);
      for (std::size_t column = first; column < last; column += 4) {
        const std::size_t width = std::min<std::size_t>(4, last - column);
        const auto tile = [&](auto C) {
          if (height == 3) dots_tile<3, C.value>(task, row, column);
          else if (height == 2) dots_tile<2, C.value>(task, row, column);
          else dots_tile<1, C.value>(task, row, column);
        };
        if (width == 4) tile(std::integral_constant<int, 4>{});
        else if (width == 3) tile(std::integral_constant<int, 3>{});
        else if (width == 2) tile(std::integral_constant<int, 2>{});
        else tile(std::integral_constant<int, 1>{});
      }
      row += height;
    }
  }
}

}  // namespace deltarule
