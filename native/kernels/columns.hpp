// The product whose lanes run along the result: out[row][lane] = start + Σ_k a[row][k] w[k][lane].
//
// Forward pass of a layer whose weights have units as lanes (start: the bias), and the backward
// pass of one whose weights have inputs as lanes (start: 0).
//
// A tile of R rows × N panels stays in registers: twelve sums, in AVX2 those of 6 rows × 1 panel
// beside two weights and one broadcast. Few rows take several panels instead, so that there
// are still enough independent sums to hide the latency of an fma. An element is the same chain
// of fmas in any tile, so results do not depend on tiling, blocking or threads.
#pragma once

#include <algorithm>

#include "panels.hpp"

namespace deltarule {

// Blocks: a panel of weights of `block_k` inputs (16 KiB) stays in the first-level cache while
// all rows of a block pass by; the rows' activations stay in the second-level cache.
inline constexpr std::size_t block_k = 256, block_rows = 96;
inline constexpr int tile_rows = 12 / panel_vectors;

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
  constexpr int D = panel_vectors, vectors = D * N;
  V sums[R][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      const T* from = task.start != nullptr ? task.start + v * W
                                            : task.out.row(v / D, r) + (v % D) * W;
      sums[r][v] = V::load(from);
    }
  }
  const auto add = [&](const T* a, const T* w) __attribute__((always_inline)) {
    V weights[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v)
      weights[v] = V::load(w + (v / D) * task.w_stride * P<T> + (v % D) * W);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V input(a[r * P<T>]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[r][v] = fma(input, weights[v], sums[r][v]);
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
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[r][v].store(task.out.row(v / D, r) + (v % D) * W);
}

// One row takes up to four panels, two or three rows two: R and the panels they take together.
template <class T>
inline void columns_tiles(ColumnsTask<T> task, std::size_t rows, std::size_t panels) {
  const auto next = [&](std::size_t done) {
    task.w += done * task.w_stride * P<T>;
    if (task.start != nullptr) task.start += done * P<T>;
    task.out.data += done * task.out.stride * P<T>;
    panels -= done;
  };
  while (rows == 1 && panels >= 4) {
    columns_tile<1, 4>(task);
    next(4);
  }
  while (rows <= 3 && panels >= 2) {
    if (rows == 1) columns_tile<1, 2>(task);
    else if (rows == 2) columns_tile<2, 2>(task);
    else columns_tile<3, 2>(task);
    next(2);
  }
  while (panels > 0) {
    with_height<tile_rows>(rows, [&](auto R) { columns_tile<R.value, 1>(task); });
    next(1);
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
      columns_tiles(task_at(0, 0), rows, panels);
      continue;
    }
    for (std::size_t panel = 0; panel < panels; ++panel)
      in_tiles(rows, tile_rows, [&](std::size_t row, std::size_t height) {
        columns_tiles(task_at(panel, row), height, 1);
      });
  }
}

}  // namespace deltarule
