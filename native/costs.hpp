// Costs: the rows of costs/ in its order, each loss with its dA, and the fused pairs.
//
// A row sees vectors of an example's units: z, which a softmax leaves as log a, then a, and the
// target y. It returns each unit's share of the loss and of dA (of δ, for a pair). No 1/m here.
#pragma once

#include <algorithm>
#include <cstddef>

#include "activations.hpp"

namespace deltarule {

enum class CostName : int {
  mse, mae, binary_cross_entropy, categorical_cross_entropy, half_squared_error,
  huber, quantile, poisson, focal, binary_focal, softmax_cross_entropy,
};

template <class T> struct Output {
  Vec<T> z, a, y;
};
template <class T> struct Loss {
  Vec<T> loss, d;
};

// What a row's `d` still needs to become δ.
enum class Then {
  activation,   // it is dA: apply the output activation's g'
  nothing,      // it is δ
  less_a_sum,   // it is A ⊙ dA of softmax: δ = d − A Σ d
};

namespace rows {

// y log a, and y / a, where 0 log 0 = 0 and 0 / 0 = 0
template <class T> DELTARULE_INLINE Vec<T> weighted_log(Vec<T> y, Vec<T> a) {
  const Vec<T> zero(T(0));
  return select<T>(y == zero, zero, y * log(a));
}
template <class T> DELTARULE_INLINE Vec<T> ratio(Vec<T> y, Vec<T> a) {
  const Vec<T> zero(T(0));
  return select<T>(y == zero, zero, y / a);
}
// x^γ for x ≥ 0, where 0^0 = 1
template <class T> DELTARULE_INLINE Vec<T> power(Vec<T> x, T gamma) {
  if (gamma == T(0)) return Vec<T>(T(1));
  if (gamma == T(1)) return x;
  if (gamma == T(2)) return x * x;
  return exp(Vec<T>(gamma) * log(x));
}

// (y − a)²
template <class T> struct Mse {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    const Vec<T> e = o.a - o.y;
    return {e * e, e + e};
  }
};

// |y − a|
template <class T> struct Mae {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    const Vec<T> e = o.a - o.y;
    return {abs(e), sign(e)};
  }
};

// −(y log a + (1 − y) log(1 − a))
template <class T> struct BinaryCrossEntropy {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    const Vec<T> one(T(1)), not_y = one - o.y, not_a = one - o.a;
    return {-(weighted_log(o.y, o.a) + weighted_log(not_y, not_a)),
            ratio(not_y, not_a) - ratio(o.y, o.a)};
  }
};
// the same from z, with sigmoid: δ = a − y
template <class T> struct BinaryCrossEntropyPair {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    const Vec<T> one(T(1));
    const Vec<T> hit = log_sigmoid(o.z), miss = log_sigmoid(-o.z);
    return {-(o.y * hit + (one - o.y) * miss), o.a - o.y};
  }
};

// −y log a
template <class T> struct CategoricalCrossEntropy {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    return {-weighted_log(o.y, o.a), -ratio(o.y, o.a)};
  }
};
// the same from log a: δ = a − y
template <class T> struct CategoricalCrossEntropyPair {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    return {-(o.y * o.z), o.a - o.y};
  }
};

// ½ (y − a)²
template <class T> struct HalfSquaredError {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    const Vec<T> e = o.a - o.y;
    return {Vec<T>(T(0.5)) * e * e, e};
  }
};

// ½ e² to |e| = delta, then linear
template <class T> struct Huber {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T delta) {
    const Vec<T> e = o.a - o.y, size = abs(e), near = min(Vec<T>(delta), size);
    return {near * (size - Vec<T>(T(0.5)) * near), max(Vec<T>(-delta), min(Vec<T>(delta), e))};
  }
};

// max(τ (y − a), (τ − 1)(y − a))
template <class T> struct Quantile {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T tau) {
    const Vec<T> zero(T(0)), high(tau), low(tau - T(1)), e = o.y - o.a;
    return {max(high * e, low * e),
            select<T>(e < zero, -low, select<T>(e > zero, -high, zero))};
  }
};

// a − y log a
template <class T> struct Poisson {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    return {o.a - weighted_log(o.y, o.a), Vec<T>(T(1)) - ratio(o.y, o.a)};
  }
};
// the same from z, with exp: δ = a − y
template <class T> struct PoissonPair {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T) {
    return {o.a - o.y * o.z, o.a - o.y};
  }
};

// −(1 − a)^γ y log a
template <class T> DELTARULE_INLINE Loss<T> focal_of(Vec<T> a, Vec<T> y, T gamma) {
  const Vec<T> not_a = Vec<T>(T(1)) - a, log_part = weighted_log(y, a);
  const Vec<T> weight = power(not_a, gamma);
  Vec<T> d = -(weight * ratio(y, a));
  if (gamma != T(0)) d += Vec<T>(gamma) * power(not_a, gamma - T(1)) * log_part;
  return {-(weight * log_part), d};
}
template <class T> struct Focal {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T gamma) {
    return focal_of(o.a, o.y, gamma);
  }
};
// the same from log a; `d` is A ⊙ dA
template <class T> struct FocalPair {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T gamma) {
    const Vec<T> not_loss = Vec<T>(T(1)) - exp(o.z), not_a = Vec<T>(T(1)) - o.a;
    Vec<T> d = -power(not_a, gamma);
    if (gamma != T(0)) d += Vec<T>(gamma) * o.a * power(not_a, gamma - T(1)) * o.z;
    return {-(o.y * power(not_loss, gamma) * o.z), o.y * d};
  }
};

// focal(a, y) + focal(1 − a, 1 − y)
template <class T> struct BinaryFocal {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T gamma) {
    const Vec<T> one(T(1));
    const Loss<T> hit = focal_of(o.a, o.y, gamma), miss = focal_of(one - o.a, one - o.y, gamma);
    return {hit.loss + miss.loss, hit.d - miss.d};
  }
};
// the same from z, with sigmoid; `d` is δ
template <class T> struct BinaryFocalPair {
  static DELTARULE_INLINE Loss<T> of(const Output<T>& o, T gamma) {
    const Vec<T> one(T(1)), g(gamma), not_a = sigmoid(-o.z), a = o.a;
    const Vec<T> log_hit = log_sigmoid(o.z), log_miss = log_sigmoid(-o.z);
    const Vec<T> hit = o.y * power(not_a, gamma), miss = (one - o.y) * power(a, gamma);
    return {-(hit * log_hit + miss * log_miss),
            hit * (g * a * log_hit - not_a) + miss * (a - g * not_a * log_miss)};
  }
};

}  // namespace rows

// One example: its loss, and `d` in panels; units beyond n give 0. Z may be A's own memory where
// the row does not read it.
template <class T>
using CostFunction = T (*)(Panels<T> Z, Panels<T> A, Panels<T> Y, Panels<T> d, std::size_t row,
                           std::size_t n, T number);

template <class Row, class T>
T cost_of(Panels<T> Z, Panels<T> A, Panels<T> Y, Panels<T> d, std::size_t row, std::size_t n,
          T number) {
  const Vec<T> zero(T(0));
  Vec<T> total = zero;
  for (std::size_t panel = 0; panel < panel_count<T>(n); ++panel) {
    // lanes of `d` beyond the last unit's vector are never written, and stay 0
    for (std::size_t lane = 0; lane < P<T> && panel * P<T> + lane < n; lane += Vec<T>::width) {
      const auto used = lanes_below<T>(n, panel * P<T> + lane);
      Output<T> o;
      o.z = Vec<T>::load(Z.row(panel, row) + lane);
      o.a = Vec<T>::load(A.row(panel, row) + lane);
      o.y = Vec<T>::load(Y.row(panel, row) + lane);
      const Loss<T> found = Row::of(o, number);
      total += select<T>(used, found.loss, zero);
      select<T>(used, found.d, zero).store(d.row(panel, row) + lane);
    }
  }
  return sum(total);
}

// Of each group of `classes` units, z = a: −Σ y log softmax(z), and softmax(z) Σ y − y.
template <class T>
T softmax_cross_entropy(Panels<T>, Panels<T> A, Panels<T> Y, Panels<T> d, std::size_t row,
                        std::size_t n, T classes) {
  const auto size = static_cast<std::size_t>(classes);
  T loss = 0;
  for (std::size_t first = 0; first < n; first += size) {
    T top = A.at(row, first);
    for (std::size_t i = first + 1; i < first + size; ++i) top = std::max(top, A.at(row, i));
    for (std::size_t i = first; i < first + size; ++i) {
      const T below = A.at(row, i) - top;  // so that no e^z overflows
      d.at(row, i) = below;
      loss -= Y.at(row, i) * below;
    }
  }
  for (std::size_t unit = 0; unit < n; unit += Vec<T>::width) {
    T* lanes = d.row(unit / P<T>, row) + unit % P<T>;
    select<T>(lanes_below<T>(n, unit), exp(Vec<T>::load(lanes)), Vec<T>(T(0))).store(lanes);
  }
  for (std::size_t first = 0; first < n; first += size) {
    T total = 0, targets = 0;
    for (std::size_t i = first; i < first + size; ++i)
      total += d.at(row, i), targets += Y.at(row, i);
    loss += targets * largest(log(Vec<T>(total)));
    for (std::size_t i = first; i < first + size; ++i)
      d.at(row, i) = d.at(row, i) * (targets / total) - Y.at(row, i);
  }
  return loss;
}

// A cost that is not compiled in: outputs a unit's share of the loss, and dA; or of z, a and y for a
// fused pair, and δ.
struct CostProgram {
  ProgramPlan plan;
  bool is_delta = false;
};

template <class T> struct Cost {
  CostFunction<T> row = nullptr;
  Then then = Then::activation;
  bool from_Z = false;  // whether it reads Z, which then must outlive the activation
  std::shared_ptr<const Program<T>> program{};

  // Examples [first, last): the loss of each, and `d`.
  void apply(Panels<T> Z, Panels<T> A, Panels<T> Y, Panels<T> d, std::size_t first,
             std::size_t last, std::size_t n, T number, double* losses) const {
    if (row == nullptr) return run(Z, A, Y, d, first, last, n, losses);
    for (std::size_t at = first; at < last; ++at)
      losses[at] = double(row(Z, A, Y, d, at, n, number));
  }

 private:
  // The same by the program, over blocks of examples of one panel.
  void run(Panels<T> Z, Panels<T> A, Panels<T> Y, Panels<T> d, std::size_t first, std::size_t last,
           std::size_t n, double* losses) const {
    constexpr std::size_t height = Program<T>::block / P<T>;
    alignas(64) T shares[Program<T>::block];
    std::fill(losses + first, losses + last, 0.0);
    for (std::size_t panel = 0; panel < panel_count<T>(n); ++panel) {
      for (std::size_t at = first; at < last; at += height) {
        const std::size_t rows = std::min(height, last - at);
        const T* in[] = {Z.row(panel, at), A.row(panel, at), Y.row(panel, at)};
        T* out[] = {shares, d.row(panel, at)};
        program->run(from_Z ? in : in + 1, out, 2, rows * P<T>);
        for (std::size_t i = 0; i < rows; ++i) {
          for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width) {
            const auto used = lanes_below<T>(n, panel * P<T> + lane);
            const Vec<T> zero(T(0)), share = Vec<T>::load(shares + i * P<T> + lane);
            T* const own = d.row(panel, at + i) + lane;
            losses[at + i] += double(sum(select<T>(used, share, zero)));
            select<T>(used, Vec<T>::load(own), zero).store(own);
          }
        }
      }
    }
  }
};

template <class T>
inline Cost<T> cost_row(CostName cost, ActivationName output, const CostProgram* program = nullptr) {
  using namespace rows;
  if (program != nullptr)
    return {nullptr, program->is_delta ? Then::nothing : Then::activation, program->is_delta,
            std::make_shared<const Program<T>>(program->plan)};
  const bool softmax = output == ActivationName::softmax;
  const bool sigmoid = output == ActivationName::sigmoid;
  switch (cost) {
    case CostName::mse: return {cost_of<Mse<T>, T>, Then::activation, false};
    case CostName::mae: return {cost_of<Mae<T>, T>, Then::activation, false};
    case CostName::binary_cross_entropy:
      if (sigmoid) return {cost_of<BinaryCrossEntropyPair<T>, T>, Then::nothing, true};
      return {cost_of<BinaryCrossEntropy<T>, T>, Then::activation, false};
    case CostName::categorical_cross_entropy:
      if (softmax) return {cost_of<CategoricalCrossEntropyPair<T>, T>, Then::nothing, true};
      return {cost_of<CategoricalCrossEntropy<T>, T>, Then::activation, false};
    case CostName::half_squared_error:
      return {cost_of<HalfSquaredError<T>, T>, Then::activation, false};
    case CostName::huber: return {cost_of<Huber<T>, T>, Then::activation, false};
    case CostName::quantile: return {cost_of<Quantile<T>, T>, Then::activation, false};
    case CostName::poisson:
      if (output == ActivationName::exp)
        return {cost_of<PoissonPair<T>, T>, Then::nothing, true};
      return {cost_of<Poisson<T>, T>, Then::activation, false};
    case CostName::focal:
      if (softmax) return {cost_of<FocalPair<T>, T>, Then::less_a_sum, true};
      return {cost_of<Focal<T>, T>, Then::activation, false};
    case CostName::binary_focal:
      if (sigmoid) return {cost_of<BinaryFocalPair<T>, T>, Then::nothing, true};
      return {cost_of<BinaryFocal<T>, T>, Then::activation, false};
    case CostName::softmax_cross_entropy: break;
  }
  return {softmax_cross_entropy<T>, Then::activation, false};
}

}  // namespace deltarule
