// The three products of weights, and where each runs: on matrix units, or on vectors.
#pragma once

#include <type_traits>

#include "kernels/columns.hpp"
#include "kernels/dots.hpp"
#include "kernels/outer.hpp"
#include "kernels/packed.hpp"
#include "kernels/transposed.hpp"

namespace deltarule {

// Call use(kind) where this module multiplies bfloat16 on such units, else say false.
template <class T, class Use>
bool with_units([[maybe_unused]] MatrixUnits units, [[maybe_unused]] const Use& use) {
  if constexpr (std::is_same_v<T, float>) {
#if defined(DELTARULE_TILES)
    if (units == MatrixUnits::amx) return use(UnitsOf<Tiles>{}), true;
#endif
#if defined(DELTARULE_DOTS)
    if (units == MatrixUnits::dots) return use(UnitsOf<DotProducts>{}), true;
#endif
  }
  return false;
}

// out[row][lane] = start[lane] + Σ_k a[row][k] w[k][lane]
template <class T>
void lanes_product(MatrixUnits units, Panels<const T> a, std::size_t k, Panels<const T> w,
                   std::size_t lanes, const T* start, Panels<T> out, std::size_t rows) {
  const std::size_t panels = panel_count<T>(lanes);
  if (with_units<T>(units, [&](auto kind) { packed_columns(kind, a, k, w, panels, start, out, rows); }))
    return;
  columns_product(a, k, w.data, w.stride, panels, start, out, rows);
}

// out[row][column] = Σ_lane d[row][lane] w[column][lane]. `many`: there are enough rows to pay for
// transposing W; then `zeros` has a number a column.
template <class T>
void summed_product(MatrixUnits units, Panels<const T> d, std::size_t lanes, Panels<const T> w,
                    std::size_t columns, const T* zeros, Panels<T> out, std::size_t rows, bool many) {
  if (with_units<T>(units, [&](auto kind) { packed_dots(kind, d, lanes, w, columns, out, rows); }))
    return;
  if (many) transposed_product(d, lanes, w, columns, zeros, out, rows);
  else dots_product(d, w, panel_count<T>(lanes), out, rows, columns);
}

// out[row][lane] = Σ_ex rows[ex][row] lanes[ex][lane] of a strip of one panel, or added to it.
template <class T>
void examples_product(MatrixUnits units, Panels<const T> rows, Panels<const T> lanes,
                      std::size_t examples, std::size_t first, std::size_t count, std::size_t panel,
                      T* out, bool begin) {
  if (with_units<T>(units, [&](auto kind) {
        packed_outer(kind, rows, lanes, examples, first, count, panel, out, begin);
      }))
    return;
  outer_strip(rows, lanes, examples, first, count, panel, out, begin);
}

// Before a thread's products of another batch: what it packed of the last is of no use.
inline void forget_packed() {
#if defined(DELTARULE_DOTS)
  packed_rows().of = nullptr;
#endif
}

}  // namespace deltarule
