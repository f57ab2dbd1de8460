// Unit by unit: the equations of layers/scaling.py, forward above backward.
#pragma once

#include "../activations.hpp"

namespace deltarule {

// Call use(panel, lane, row) for all vectors of rows [first, last) of `n` lanes.
template <class T, class Use>
DELTARULE_INLINE void each_vector_of_rows(std::size_t n, std::size_t first, std::size_t last,
                                          const Use& use) {
  for (std::size_t panel = 0; panel < panel_count<T>(n); ++panel)
    for (std::size_t row = first; row < last; ++row)
      for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width) use(panel, lane, row);
}

// Eq. S1, S3: Z = scale ⊙ A_prev, and dA_prev = scale ⊙ δ.
template <class T>
void scaled(const T* scale, Panels<const T> in, std::size_t n, std::size_t first, std::size_t last,
            Panels<T> out) {
  using V = Vec<T>;
  each_vector_of_rows<T>(n, first, last, [&](std::size_t panel, std::size_t lane, std::size_t row) {
    const V x = V::load(in.row(panel, row) + lane);
    (V::load(scale + panel * P<T> + lane) * x).store(out.row(panel, row) + lane);
  });
}

// Eq. A1: Z = A_prev + α ⊙ (h(A_prev) − A_prev). `kept` takes what α multiplies and `slope` h', where
// they have memory.
template <class T>
void bent(const Activation<T>& h, T number, const T* alpha, Panels<const T> A_prev, std::size_t n,
          std::size_t rows, Panels<T> kept, Panels<T> slope, Panels<T> Z) {
  using V = Vec<T>;
  for (std::size_t panel = 0; panel < panel_count<T>(n); ++panel) {
    std::memcpy(Z.row(panel, 0), A_prev.row(panel, 0), rows * P<T> * sizeof(T));
    h.apply(Z.row(panel, 0), slope.data != nullptr ? slope.row(panel, 0) : nullptr, rows * P<T>,
            number);
  }
  if (!h.finite_at_zero) {  // else α, which is 0 there, makes them 0
    clear_padding(Z, n, 0, rows);
    if (slope.data != nullptr) clear_padding(slope, n, 0, rows);
  }
  each_vector_of_rows<T>(n, 0, rows, [&](std::size_t panel, std::size_t lane, std::size_t row) {
    const V x = V::load(A_prev.row(panel, row) + lane);
    const V bend = V::load(Z.row(panel, row) + lane) - x;
    if (kept.data != nullptr) bend.store(kept.row(panel, row) + lane);
    fma(V::load(alpha + panel * P<T> + lane), bend, x).store(Z.row(panel, row) + lane);
  });
}

// Eq. A3: dA_prev = δ ⊙ (1 − α + α h'(A_prev)) of rows [first, last); row r has the slope of example
// `example_of(r)`.
template <class T, class ExampleOf>
void bent_dA_prev(const T* alpha, Panels<const T> delta, Panels<const T> slope, std::size_t n,
                  std::size_t first, std::size_t last, const ExampleOf& example_of, Panels<T> out) {
  using V = Vec<T>;
  each_vector_of_rows<T>(n, first, last, [&](std::size_t panel, std::size_t lane, std::size_t row) {
    const V a = V::load(alpha + panel * P<T> + lane);
    const V h_prime = V::load(slope.row(panel, example_of(row)) + lane);
    const V factor = fma(a, h_prime, V(T(1)) - a);
    (V::load(delta.row(panel, row) + lane) * factor).store(out.row(panel, row) + lane);
  });
}

}  // namespace deltarule
