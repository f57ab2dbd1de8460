// The three products of weights, and where each runs: on matrix units, or on vectors.
#pragma once

#include <type_traits>

#include "kernels/columns.hpp"
#include "kernels/dots.hpp"
#include "kernels/outer.hpp"
#include "kernels/tiles.hpp"
#include "kernels/transposed.hpp"

namespace deltarule {

// Whether this module has products on matrix units; of operands in bfloat16.
#if defined(DELTARULE_TILES)
template <class T> inline constexpr bool has_tiles = std::is_same_v<T, float>;
#else
template <class T> inline constexpr bool has_tiles = false;
#endif

// out[row][lane] = start[lane] + Σ_k a[row][k] w[k][lane]
template <class T>
void lanes_product(bool on_units, Panels<const T> a, std::size_t k, Panels<const T> w,
                   std::size_t lanes, const T* start, Panels<T> out, std::size_t rows) {
  const std::size_t panels = panel_count<T>(lanes);
  if constexpr (has_tiles<T>)
    if (on_units) return tile_columns(a, k, w, panels, start, out, rows);
  columns_product(a, k, w.data, w.stride, panels, start, out, rows);
}

// out[row][column] = Σ_lane d[row][lane] w[column][lane]. `many`: there are enough rows to pay for
// transposing W; then `zeros` has a number a column.
template <class T>
void summed_product(bool on_units, Panels<const T> d, std::size_t lanes, Panels<const T> w,
                    std::size_t columns, const T* zeros, Panels<T> out, std::size_t rows, bool many) {
  if constexpr (has_tiles<T>)
    if (on_units) return tile_dots(d, lanes, w, columns, out, rows);
  if (many) transposed_product(d, lanes, w, columns, zeros, out, rows);
  else dots_product(d, w, panel_count<T>(lanes), out, rows, columns);
}

// out[row][lane] = Σ_ex rows[ex][row] lanes[ex][lane] of a strip of one panel, or added to it.
template <class T>
void examples_product(bool on_units, Panels<const T> rows, Panels<const T> lanes,
                      std::size_t examples, std::size_t first, std::size_t count, std::size_t panel,
                      T* out, bool begin) {
  if constexpr (has_tiles<T>)
    if (on_units) return tile_outer(rows, lanes, examples, first, count, panel, out, begin);
  outer_strip(rows, lanes, examples, first, count, panel, out, begin);
}

// Before a thread's products of another batch: what it packed of the last is of no use.
inline void forget_packed() {
#if defined(DELTARULE_TILES)
  packed_rows().of = nullptr;
#endif
}

}  // namespace deltarule
