// Embeddings of numeric columns: the equations of layers/numeric.py, forward above backward.
#pragma once

#include "../kernels/outer.hpp"
#include "../lanes.hpp"
#include "base.hpp"

namespace deltarule {

// Each column once a unit: A_prev of a vector of units, whose columns are column[0], column[1] …
template <class T>
DELTARULE_INLINE Vec<T> repeated(Panels<const T> A_prev, std::size_t row,
                                 const std::size_t* column) {
  constexpr std::size_t W = Vec<T>::width;
  if (column[0] == column[W - 1]) return Vec<T>(A_prev.at(row, column[0]));  // they ascend
  T x[W];
  for (std::size_t i = 0; i < W; ++i) x[i] = A_prev.at(row, column[i]);
  return Vec<T>::load(x);
}

// Call use(unit, row, place) for all vectors of units of rows [first, last).
template <class T, class Use>
DELTARULE_INLINE void each_vector_of_units(std::size_t n, std::size_t first, std::size_t last,
                                           const Use& use) {
  for (std::size_t unit = 0; unit < panel_count<T>(n) * P<T>; unit += Vec<T>::width)
    for (std::size_t row = first; row < last; ++row) use(unit, row);
}

// out[row][column] = Σ term(unit, row) over the column's units; `term` gives a vector of units, 0 in
// padding.
template <class T, class Term>
DELTARULE_INLINE void sum_by_column(const Layer<T>& layer, std::size_t first, std::size_t last,
                                    Panels<T> out, const Term& term) {
  constexpr std::size_t W = Vec<T>::width;
  clear_rows(out, layer.n_prev, first, last);
  each_vector_of_units<T>(layer.n, first, last, [&](std::size_t unit, std::size_t row) {
    T terms[W];
    term(unit, row).store(terms);
    for (std::size_t i = 0; i < W; ++i) out.at(row, layer.column[unit + i]) += terms[i];
  });
}

// ------------------------------------------------------------------------- Periodic: P1 to P3

inline constexpr double two_pi = 6.28318530717958647692;

// Eq. P1: Z = 2π frequency ⊙ x + phase, of `rows` examples.
template <class T>
void angle(Layer<T>& layer, Panels<const T> A_prev, std::size_t rows, Panels<T> Z) {
  using V = Vec<T>;
  const T *frequency = layer.by_unit(), *phase = layer.b.data();
  each_vector_of_units<T>(layer.n, 0, rows, [&](std::size_t unit, std::size_t row) {
    const V x = repeated(A_prev, row, &layer.column[unit]);
    const V f = V(T(two_pi)) * V::load(frequency + unit);
    fma(f, x, V::load(phase + unit)).store(&Z.at(row, unit));
  });
}

// Eq. P2 of a panel, without the 1/m: 2π Σ δ ⊙ x over m examples; dphase sums columns.
template <class T>
void d_frequency(const Layer<T>& layer, Panels<const T> delta, Panels<const T> A_prev,
                 std::size_t m, std::size_t panel, T* out) {
  using V = Vec<T>;
  const std::size_t* column = &layer.column[panel * P<T>];
  sum_examples<T>(m, out, [&](std::size_t row, std::size_t lane) {
    return V::load(delta.row(panel, row) + lane) * repeated(A_prev, row, column + lane);
  });
  for (std::size_t lane = 0; lane < P<T>; ++lane) out[lane] *= T(two_pi);
}

// Eq. P3: dx = 2π Σ frequency ⊙ δ over the units of a column, of rows [first, last).
template <class T>
void angle_dA_prev(Layer<T>& layer, Panels<const T> delta, std::size_t first, std::size_t last,
                   Panels<T> out) {
  using V = Vec<T>;
  const T* frequency = layer.by_unit();
  sum_by_column(layer, first, last, out, [&](std::size_t unit, std::size_t row) {
    return V(T(two_pi)) * V::load(frequency + unit) * V::load(&delta.at(row, unit));
  });
}

// ------------------------------------------------------------------ PiecewiseLinear: Q1 and Q2

// How much of a vector of bins lies below x, in widths, before it is cut to [low, high].
template <class T>
DELTARULE_INLINE Vec<T> share_of_bins(const Layer<T>& layer, Panels<const T> A_prev,
                                      std::size_t row, std::size_t unit) {
  const Vec<T> x = repeated(A_prev, row, &layer.column[unit]);
  return (x - Vec<T>::load(&layer.bins.start[unit])) / Vec<T>::load(&layer.bins.width[unit]);
}

// Eq. Q1: how full each bin is, of `rows` examples and the panels that somebody reads.
template <class T>
void filled(const Layer<T>& layer, Panels<const T> A_prev, std::size_t rows, Panels<T> Z) {
  using V = Vec<T>;
  each_vector_of_units<T>(layer.n, 0, rows, [&](std::size_t unit, std::size_t row) {
    if (!layer.formed[unit / P<T>]) return;
    const V low = V::load(&layer.bins.low[unit]), high = V::load(&layer.bins.high[unit]);
    min(high, max(low, share_of_bins(layer, A_prev, row, unit))).store(&Z.at(row, unit));
  });
}

// Eq. Q2: dx = Σ δ / width over the bin that x lies in, of rows [first, last); row r has the x of
// example `example_of(r)`.
template <class T, class ExampleOf>
void filled_dA_prev(const Layer<T>& layer, Panels<const T> delta, Panels<const T> A_prev,
                    std::size_t first, std::size_t last, const ExampleOf& example_of,
                    Panels<T> out) {
  using V = Vec<T>;
  sum_by_column(layer, first, last, out, [&](std::size_t unit, std::size_t row) {
    const V low = V::load(&layer.bins.low[unit]), high = V::load(&layer.bins.high[unit]);
    const V share = share_of_bins(layer, A_prev, example_of(row), unit);
    const V d = V::load(&delta.at(row, unit)) / V::load(&layer.bins.width[unit]);
    return select<T>((share >= low) & (share < high), d, V(T(0)));
  });
}

}  // namespace deltarule
