// Activations: the rows of activations.py in its order, each g with its g'; then the cosine of
// layers/numeric.py.
//
// A row turns a vector of Z into A and g'(Z) at once, for they share their exponential; the
// backward pass then multiplies by what the forward pass stored. Softmax mixes the units of an
// example and stands below the table.
#pragma once

#include <cstddef>
#include <memory>

#include "panels.hpp"
#include "program.hpp"
#include "vector_math.hpp"

namespace deltarule {

enum class ActivationName : int {
  identity, sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, softplus, silu, mish, softmax, exp,
  cos,
};

// What the backward pass multiplies dA by.
enum class Slope {
  one,      // nothing
  by_sign,  // 1 where A > 0, else 0: read off A itself
  stored,   // g'(Z) as the forward pass left it
  mixed,    // softmax: δ = A ⊙ (dA − Σ A ⊙ dA)
};

template <class T> struct Activated {
  Vec<T> A, slope;
};

namespace rows {

// z
template <class T> struct Identity {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) { return {z, Vec<T>(T(1))}; }
};

// 1 / (1 + e^−z)
template <class T> struct Sigmoid {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const auto [value, slope] = sigmoid_parts(z);
    return {value, slope};
  }
};

// tanh z
template <class T> struct Tanh {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const auto [value, slope] = tanh_parts(z);
    return {value, slope};
  }
};

// max(z, 0); 0 at the kink
template <class T> struct Relu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const Vec<T> zero(T(0));
    return {max(zero, z), select<T>(z > zero, Vec<T>(T(1)), zero)};
  }
};

// z above zero, slope · z below
template <class T> struct LeakyRelu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T slope) {
    const Vec<T> zero(T(0)), one(T(1)), low(slope);
    return {select<T>(z > zero, z, low * z),
            select<T>(z > zero, one, select<T>(z < zero, low, zero))};
  }
};

// scale · (z above zero, α (e^z − 1) below)
template <class T> DELTARULE_INLINE Activated<T> scaled_elu(Vec<T> z, T scale, T alpha) {
  const Vec<T> zero(T(0)), s(scale), a(scale * alpha);
  const Vec<T> below = expm1_below(min(zero, z));
  return {select<T>(z > zero, s * z, a * below), select<T>(z > zero, s, fma(a, below, a))};
}
template <class T> struct Elu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T alpha) { return scaled_elu(z, T(1), alpha); }
};
template <class T> struct Selu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    return scaled_elu(z, T(1.0507009873554805), T(1.6732632423543772));
  }
};

// z Φ(z)
template <class T> struct Gelu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const Vec<T> half(T(0.5)), one(T(1));
    const Vec<T> cdf = half * (one + erf(z * Vec<T>(T(0.70710678118654752))));
    const Vec<T> density = exp(-half * z * z) * Vec<T>(T(0.39894228040143268));
    return {z * cdf, fma(z, density, cdf)};
  }
};

// log(1 + e^z); its derivative is σ
template <class T> struct Softplus {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) { return {-log_sigmoid(-z), sigmoid(z)}; }
};

// z σ(z)
template <class T> struct Silu {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const auto [value, slope] = sigmoid_parts(z);
    return {z * value, fma(z, slope, value)};
  }
};

// z tanh(log(1 + e^z))
template <class T> struct Mish {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const auto [value, slope] = tanh_parts(-log_sigmoid(-z));
    return {z * value, fma(z, slope * sigmoid(z), value)};
  }
};

// e^z
template <class T> struct Exp {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const Vec<T> e = exp(z);
    return {e, e};
  }
};

// cos z
template <class T> struct Cos {
  static DELTARULE_INLINE Activated<T> of(Vec<T> z, T) {
    const auto [sine, cosine] = sin_cos(z);
    return {cosine, -sine};
  }
};

}  // namespace rows

// Z becomes A in place, `count` numbers, a multiple of P; g'(Z) goes to `slope` unless that is null.
template <class T> using Activate = void (*)(T* Z, T* slope, std::size_t count, T number);

template <class Row, class T> void activate(T* Z, T* slope, std::size_t count, T number) {
  const auto each = [&](auto stores) __attribute__((always_inline)) {
    for (std::size_t i = 0; i < count; i += Vec<T>::width) {
      const Activated<T> found = Row::of(Vec<T>::load(Z + i), number);
      found.A.store(Z + i);
      if constexpr (stores) found.slope.store(slope + i);
    }
  };
  if (slope != nullptr) each(std::true_type());
  else each(std::false_type());
}

template <class T> struct Activation {
  Activate<T> row = nullptr;  // none of softmax, which mixes units, and of a program
  Slope slope = Slope::one;
  bool zero_at_zero = true;     // whether padding stays zero by itself
  bool finite_at_zero = true;   // whether g(0) and g'(0) are, so that a factor of 0 makes them 0
  std::shared_ptr<const Program<T>> program{};  // a row that is not compiled in: outputs g and g'

  void apply(T* Z, T* slopes, std::size_t count, T number) const {
    if (row != nullptr) return row(Z, slopes, count, number);
    const T* in[] = {Z};
    T* out[] = {Z, slopes};
    program->run(in, out, slopes != nullptr ? 2 : 1, count);
  }
};

template <class T>
inline Activation<T> activation_row(ActivationName name, const ProgramPlan* program = nullptr) {
  using namespace rows;
  if (program != nullptr) {
    auto own = std::make_shared<const Program<T>>(*program);
    const auto [A, slope] = own->at_zero();
    return {nullptr, Slope::stored, A == T(0), std::isfinite(A) && std::isfinite(slope),
            std::move(own)};
  }
  switch (name) {
    case ActivationName::identity: return {activate<Identity<T>, T>, Slope::one, true};
    case ActivationName::sigmoid: return {activate<Sigmoid<T>, T>, Slope::stored, false};
    case ActivationName::tanh: return {activate<Tanh<T>, T>, Slope::stored, true};
    case ActivationName::relu: return {activate<Relu<T>, T>, Slope::by_sign, true};
    case ActivationName::leaky_relu: return {activate<LeakyRelu<T>, T>, Slope::stored, true};
    case ActivationName::elu: return {activate<Elu<T>, T>, Slope::stored, true};
    case ActivationName::selu: return {activate<Selu<T>, T>, Slope::stored, true};
    case ActivationName::gelu: return {activate<Gelu<T>, T>, Slope::stored, true};
    case ActivationName::softplus: return {activate<Softplus<T>, T>, Slope::stored, false};
    case ActivationName::silu: return {activate<Silu<T>, T>, Slope::stored, true};
    case ActivationName::mish: return {activate<Mish<T>, T>, Slope::stored, true};
    case ActivationName::softmax: return {nullptr, Slope::mixed, false};
    case ActivationName::exp: return {activate<Exp<T>, T>, Slope::stored, false};
    case ActivationName::cos: break;
  }
  return {activate<Cos<T>, T>, Slope::stored, false};
}

// ------------------------------------------------------------------------------- softmax

// A = softmax Z of one example of `n` units; padding becomes 0. Z may be A's own memory. Where it is
// not, it becomes log A, which a cost needs: log softmax z = z − largest − log Σ e^(z − largest).
template <class T>
inline void softmax(Panels<T> Z, Panels<T> A, std::size_t row, std::size_t n) {
  const Vec<T> nothing(-std::numeric_limits<T>::infinity()), zero(T(0));
  const bool keeps_log = Z.data != A.data;
  const auto each = [&](auto&& use) {
    for (std::size_t first = 0; first < n; first += Vec<T>::width) {
      const std::size_t panel = first / P<T>, lane = first % P<T>;
      use(Z.row(panel, row) + lane, A.row(panel, row) + lane, lanes_below<T>(n, first));
    }
  };
  Vec<T> top = nothing, total = zero;
  bool broken = false;
  each([&](const T* z, T*, auto used) {
    const Vec<T> here = Vec<T>::load(z);
    broken |= any<T>(used & ~(here == here));
    top = max(top, select<T>(used, here, nothing));
  });
  const Vec<T> high(broken ? std::numeric_limits<T>::quiet_NaN() : largest(top));
  each([&](T* z, T* a, auto used) {
    const Vec<T> below = Vec<T>::load(z) - high, e = select<T>(used, exp(below), zero);
    total += e;
    if (keeps_log) below.store(z);
    e.store(a);
  });
  const Vec<T> all(sum(total)), log_all = keeps_log ? log(all) : zero;
  each([&](T* z, T* a, auto) {
    if (keeps_log) (Vec<T>::load(z) - log_all).store(z);
    (Vec<T>::load(a) / all).store(a);
  });
}

// δ = A ⊙ (dA − Σ A ⊙ dA) of one example, in place.
template <class T>
inline void softmax_delta(Panels<T> dA, std::size_t row, Panels<T> A, std::size_t A_row,
                          std::size_t n) {
  Vec<T> total(T(0));
  for (std::size_t first = 0; first < n; first += Vec<T>::width)
    total = fma(Vec<T>::load(dA.row(first / P<T>, row) + first % P<T>),
                Vec<T>::load(A.row(first / P<T>, A_row) + first % P<T>), total);
  const Vec<T> mean(sum(total));
  for (std::size_t first = 0; first < n; first += Vec<T>::width) {
    T* d = dA.row(first / P<T>, row) + first % P<T>;
    const Vec<T> a = Vec<T>::load(A.row(first / P<T>, A_row) + first % P<T>);
    (a * (Vec<T>::load(d) - mean)).store(d);
  }
}

}  // namespace deltarule
