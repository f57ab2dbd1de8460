// The product whose lanes run along the result: out[row][lane] = start + Σ_k a[row][k] w[k][lane].
//
// Forward pass of a layer whose weights have units as lanes (start: the bias), and the backward
// pass of one whose weights have inputs as lanes (start: 0).
//
// A tile of R rows × N panels stays in registers: 6 × 1 panel fills the sixteen of AVX2 with
// twelve sums, two weights and one broadcast. Few rows take several panels instead, so that there
// are still enough independent sums to hide the latency of an fma. An element is the same chain
// of fmas in any tile, so results do not depend on tiling, blocking or threads.
#pragma once

#include <algorithm>

#include "panels.hpp"

namespace deltarule {

// Blocks: a panel of weights of `block_k` inputs (16 KiB) stays in the first-level cache while
// all rows of a block pass by; the rows' activations stay in the second-level cache.
inline constexpr std::size_t block_k = 256, block_rows = 96, tile_rows = 6;

template <class T> struct ColumnsTask {
  Panels<const T> a;  // rows of the tile begin at 0
  const T* w;         // lane panel, row k: w + (panel · w_stride + k) · P
  std::size_t w_stride, k;
  const T* start;     // one number a lane, or null: go on from what `out` holds
  Panels<T> out;
};

template <int R, int N, class T> void columns_tile(const ColumnsTask<T>& task) {
  using V = Vec<T>;
  constexpr std::size_t W = V::width;
  V sums[R][2 * N];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < 2 * N; ++v) {
      const T* from = task.start != nullptr ? task.start + v * W
                                            : task.out.row(v / 2, r) + (v % 2) * W;
      sums[r][v] = V::load(from);
    }
  }
  const auto add = [&](const T* a, const T* w) __attribute__((always_inline)) {
    V weights[2 * N];
#pragma GCC unroll 8
    for (int v = 0; v < 2 * N; ++v)
      weights[v] = V::load(w + (v / 2) * task.w_stride * P<T> + (v % 2) * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const V input(a[r * P<T>]);
#pragma GCC unroll 8
      for (int v = 0; v < 2 * N; ++v) sums[r][v] = fma(input, weights[v], sums[r][v]);
    }
  };
  const T* a = task.a.data;
  const T* w = task.w;
  std::size_t left = task.k;
  for (; left >= P<T>; left -= P<T>, a += task.a.stride * P<T>) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < P<T>; ++k, w += P<T>) add(a + k, w);
  }
  for (std::size_t k = 0; k < left; ++k, w += P<T>) add(a + k, w);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * N; ++v) sums[r][v].store(task.out.row(v / 2, r) + (v % 2) * W);
}

// One row takes up to four panels, two or three rows two: R and the panels they take together.
template <class T> inline void columns_tiles(ColumnsTask<T> task, int rows, std::size_t panels) {
  const auto next = [&](std::size_t done) {
    task.w += done * task.w_stride * P<T>;
    if (task.start != nullptr) task.start += done * P<T>;
    task.out.data += done * task.out.stride * P<T>;
    panels -= done;
  };
  if (rows == 1)
    for (; panels >= 4; next(4)) columns_tile<1, 4>(task);
  if (rows <= 3) {
    for (; panels >= 2; next(2)) {
      if (rows == 1) columns_tile<1, 2>(task);
      else if (rows == 2) columns_tile<2, 2>(task);
      else columns_tile<3, 2>(task);
    }
  }
  for (; panels > 0; next(1)) {
    switch (rows) {
      case 1: columns_tile<1, 1>(task); break;
      case 2: columns_tile<2, 1>(task); break;
      case 3: columns_tile<3, 1>(task); break;
      case 4: columns_tile<4, 1>(task); break;
      case 5: columns_tile<5, 1>(task); break;
      default: columns_tile<6, 1>(task);
    }
  }
}

// Rows [0, rows) of the views; `start` has a number a lane, or is null for 0.
template <class T>
inline void columns_product(Panels<const T> a, std::size_t k, const T* w, std::size_t w_stride,
                            std::size_t panels, const T* start, Panels<T> out, std::size_t rows) {
  for (std::size_t first_k = 0; first_k < k; first_k += block_k) {
    const std::size_t block = std::min(block_k, k - first_k);
    const auto task_at = [&](std::size_t panel, std::size_t row) {
      return ColumnsTask<T>{{a.row(first_k / P<T>, row), a.stride},
                            w + (panel * w_stride + first_k) * P<T>,
                            w_stride, block,
                            first_k > 0 ? nullptr : start + panel * P<T>,
                            {out.row(panel, row), out.stride}};
    };
    if (rows <= 3) {
      columns_tiles(task_at(0, 0), static_cast<int>(rows), panels);
      continue;
    }
    for (std::size_t panel = 0; panel < panels; ++panel) {
      // rows in as many tiles as need be, of nearly equal height
      const std::size_t tiles = (rows + tile_rows - 1) / tile_rows;
      for (std::size_t tile = 0, row = 0; tile < tiles; ++tile) {
        const std::size_t height = (rows - row) / (tiles - tile);
        columns_tiles(task_at(panel, row), static_cast<int>(height), 1);
        row += height;
      }
    }
  }
}

}  // namespace deltarule
