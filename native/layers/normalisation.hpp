// Normalisation over units or over the batch: the equations of layers/normalization.py, forward
// above backward.
#pragma once

#include <cmath>

#include "../kernels/outer.hpp"

namespace deltarule {

// ------------------------------------------------------------------------ over units: N1 to N4

// Call use(lane, mask of those that are units) for all vectors of an example's panels.
template <class T, class Use> DELTARULE_INLINE void each_vector(std::size_t n, const Use& use) {
  for (std::size_t lane = 0; lane < panel_count<T>(n) * P<T>; lane += Vec<T>::width)
    use(lane, lanes_below<T>(n, lane));
}
template <class T> DELTARULE_INLINE T* vector_of(Panels<T> p, std::size_t row, std::size_t lane) {
  return p.row(lane / P<T>, row) + lane % P<T>;
}

// Eq. N1 and N2 of one example: Z = gain ⊙ X̂ + shift. X̂ goes to `kept` where that has memory.
// Returns 1/√(variance + ε).
template <class T>
T normalise_units(Panels<const T> A_prev, std::size_t row, std::size_t n, T epsilon, const T* gain,
                  const T* shift, Panels<T> kept, Panels<T> Z) {
  using V = Vec<T>;
  const V zero(T(0));
  V total = zero, squares = zero;
  each_vector<T>(n, [&](std::size_t lane, auto) { total += V::load(vector_of(A_prev, row, lane)); });
  const V mean(sum(total) / T(n));
  const auto centred = [&](std::size_t lane, auto used) {
    return select<T>(used, V::load(vector_of(A_prev, row, lane)) - mean, zero);
  };
  each_vector<T>(n, [&](std::size_t lane, auto used) {
    const V c = centred(lane, used);
    squares = fma(c, c, squares);
  });
  const T scale = T(1) / std::sqrt(sum(squares) / T(n) + epsilon);
  each_vector<T>(n, [&](std::size_t lane, auto used) {
    const V X_hat = centred(lane, used) * V(scale);
    if (kept.data != nullptr) X_hat.store(vector_of(kept, row, lane));
    const V z = fma(V::load(gain + lane), X_hat, V::load(shift + lane));
    select<T>(used, z, zero).store(vector_of(Z, row, lane));
  });
  return scale;
}

// Eq. N4 of one example: (dX̂ − mean(dX̂) − X̂ mean(dX̂ ⊙ X̂)) scale, where dX̂ = gain ⊙ δ. Row `from`
// of X̂ is the example's.
template <class T>
void normalised_units_dA_prev(Panels<const T> delta, std::size_t row, Panels<const T> X_hat,
                              std::size_t from, std::size_t n, T scale, const T* gain,
                              Panels<T> out) {
  using V = Vec<T>;
  V total(T(0)), product(T(0));
  const auto dX_hat = [&](std::size_t lane) {
    return V::load(gain + lane) * V::load(vector_of(delta, row, lane));
  };
  each_vector<T>(n, [&](std::size_t lane, auto) {
    const V d = dX_hat(lane);
    total += d;
    product = fma(d, V::load(vector_of(X_hat, from, lane)), product);
  });
  const V mean(sum(total) / T(n)), along(sum(product) / T(n));
  each_vector<T>(n, [&](std::size_t lane, auto used) {
    const V d = dX_hat(lane) - mean - V::load(vector_of(X_hat, from, lane)) * along;
    select<T>(used, d * V(scale), V(T(0))).store(vector_of(out, row, lane));
  });
}

// -------------------------------------------------------------------- over the batch: B1 to B4

// Eq. B1: mean and variance of a panel's units over m examples, of shares p(i) that sum to 1.
template <class T, class Shares>
void batch_statistics(Panels<const T> A_prev, std::size_t panel, std::size_t m, const Shares& p,
                      T* mean, T* variance) {
  using V = Vec<T>;
  const T* A = A_prev.row(panel, 0);
  T *means = mean + panel * P<T>, *variances = variance + panel * P<T>;
  sum_examples<T>(m, means, [&](std::size_t i, std::size_t lane) {
    return V(p(i)) * V::load(A + i * P<T> + lane);
  });
  sum_examples<T>(m, variances, [&](std::size_t i, std::size_t lane) {
    const V centred = V::load(A + i * P<T> + lane) - V::load(means + lane);
    return V(p(i)) * centred * centred;
  });
}

// 1/√(variance + ε) of a vector of units; 0 in padding, where ε may be 0.
template <class T>
DELTARULE_INLINE Vec<T> scale_of(const T* variance, std::size_t lane, std::size_t n, T epsilon) {
  const Vec<T> one(T(1)), root = sqrt(Vec<T>::load(variance + lane) + Vec<T>(epsilon));
  return select<T>(lanes_below<T>(n, lane), one / root, Vec<T>(T(0)));
}

// Eq. B1 and B2 of `rows` examples, with those statistics: Z = gain ⊙ X̂ + shift.
template <class T>
void normalise_batch(Panels<const T> A_prev, std::size_t rows, std::size_t n, T epsilon,
                     const T* mean, const T* variance, const T* gain, const T* shift,
                     Panels<T> kept, Panels<T> Z) {
  using V = Vec<T>;
  each_vector<T>(n, [&](std::size_t lane, auto) {
    const V scale = scale_of(variance, lane, n, epsilon), centre = V::load(mean + lane);
    for (std::size_t row = 0; row < rows; ++row) {
      const V X_hat = (V::load(vector_of(A_prev, row, lane)) - centre) * scale;
      if (kept.data != nullptr) X_hat.store(vector_of(kept, row, lane));
      fma(V::load(gain + lane), X_hat, V::load(shift + lane)).store(vector_of(Z, row, lane));
    }
  });
}

// Eq. B4 of rows [first, last): gain scale (δ − p (Σδ + X̂ Σ δ ⊙ X̂)), the sums over the batch.
template <class T, class Shares>
void normalised_batch_dA_prev(Panels<const T> delta, Panels<const T> X_hat, std::size_t first,
                              std::size_t last, std::size_t n, T epsilon, const T* variance,
                              const T* gain, const T* total, const T* along, const Shares& p,
                              Panels<T> out) {
  using V = Vec<T>;
  each_vector<T>(n, [&](std::size_t lane, auto) {
    const V factor = V::load(gain + lane) * scale_of(variance, lane, n, epsilon);
    const V sum = V::load(total + lane), product = V::load(along + lane);
    for (std::size_t row = first; row < last; ++row) {
      const V common = fma(V::load(vector_of(X_hat, row, lane)), product, sum);
      const V d = V::load(vector_of(delta, row, lane)) - V(p(row)) * common;
      (factor * d).store(vector_of(out, row, lane));
    }
  });
}

// The same where no statistic was taken over examples: a unit is only scaled.
template <class T>
void running_batch_dA_prev(Panels<const T> delta, std::size_t first, std::size_t last,
                           std::size_t n, T epsilon, const T* variance, const T* gain,
                           Panels<T> out) {
  using V = Vec<T>;
  each_vector<T>(n, [&](std::size_t lane, auto) {
    const V factor = V::load(gain + lane) * scale_of(variance, lane, n, epsilon);
    for (std::size_t row = first; row < last; ++row)
      (factor * V::load(vector_of(delta, row, lane))).store(vector_of(out, row, lane));
  });
}

}  // namespace deltarule
