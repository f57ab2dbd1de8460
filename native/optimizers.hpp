// Optimizers: the rows of optimizers/ in its order, each the update of a vector of parameters.
//
// A row takes dW as it leaves the product (with 1/m, penalty and clipping applied) and changes W
// and up to two slots in place. What depends on the step alone is computed once, in Coefficients.
#pragma once

#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>

#include "program.hpp"
#include "vector_math.hpp"

namespace deltarule {

enum class OptimizerName : int {
  gradient_descent, sgd, adagrad, adadelta, rmsprop, adam, adamw, adamax, nadam, lion, lbfgs,
};

inline constexpr std::size_t most_slots = 8;

// An optimizer that is not compiled in. What depends on the step alone, of t and alpha, in double
// once a step; then of W, dW, the slots and these numbers the new W and slots.
struct OptimizerPrograms {
  ProgramPlan step, update;
};

// An optimizer's settings, as its class in optimizers/ has them; unused ones are 0.
struct OptimizerSettings {
  OptimizerName name = OptimizerName::gradient_descent;
  double momentum = 0, rho = 0, beta_1 = 0, beta_2 = 0, epsilon = 0;
  bool nesterov = false, epsilon_inside = false;
  std::optional<OptimizerPrograms> programs{};  // in place of `name`

  std::size_t slots() const {
    if (programs) return programs->update.outputs.size() - 1;
    switch (name) {
      case OptimizerName::gradient_descent:
      case OptimizerName::lbfgs: return 0;
      case OptimizerName::sgd:
      case OptimizerName::adagrad:
      case OptimizerName::rmsprop:
      case OptimizerName::lion: return 1;
      default: return 2;
    }
  }
};

// What one step does to one parameter array.
template <class T> struct Coefficients {
  T scale;        // 1/m, times the clipping by norm in the second of two passes
  T l1, l2;       // penalties, divided by m already where the plan says so
  T clip;         // limit of a derivative; infinite for none
  T keep;         // 1 − α·decay
  T rate;         // α, times the layer's multiplier
  bool plain;     // neither penalty nor clipping nor decay
  T mu, beta_1, beta_2, epsilon;
  T rest_1, rest_2;  // 1 − β, rounded once
  T step_size;    // Adam and kin: α over the bias correction of M
  T root_scale;   // … and what multiplies √V before ε is added
  T ahead, now;    // NAdam: what multiplies M and dW in its M̂
  const T* of_step;  // a program's numbers of the step
};

// 1 − β^t, to full precision where β^t is close to 1
inline double bias_correction(double beta, double t) {
  return beta == 0.0 ? 1.0 : -std::expm1(t * std::log(beta));
}

// What depends on the step (from 1) alone: computed once a step, for it takes logarithms.
struct StepFactors {
  double first = 1, next = 1;  // 1 − β₁^t, 1 − β₁^(t+1)
  double root = 1;             // √(1 − β₂^t)
  double t;

  StepFactors(const OptimizerSettings& o, double step) : t(step) {
    using Name = OptimizerName;
    if (o.programs) return;
    const bool adam = o.name == Name::adam || o.name == Name::adamw || o.name == Name::nadam;
    if (!adam && o.name != Name::adamax) return;
    first = bias_correction(o.beta_1, t);
    if (o.name == Name::nadam) next = bias_correction(o.beta_1, t + 1);
    if (adam) root = std::sqrt(bias_correction(o.beta_2, t));
  }
};

// The part of Coefficients that depends on optimizer, step and rate.
template <class T>
inline void set_step(Coefficients<T>& c, const OptimizerSettings& o, const StepFactors& step,
                     T rate) {
  using Name = OptimizerName;
  c.rate = rate;
  c.mu = T(o.momentum);
  const double beta_2 = o.name == Name::rmsprop || o.name == Name::adadelta ? o.rho : o.beta_2;
  c.beta_1 = T(o.beta_1), c.rest_1 = T(1.0 - o.beta_1);
  c.beta_2 = T(beta_2), c.rest_2 = T(1.0 - beta_2);
  c.epsilon = T(o.epsilon);
  c.step_size = T(double(rate) / step.first * (o.epsilon_inside ? step.root : 1.0));
  c.root_scale = T(o.epsilon_inside ? 1.0 : 1.0 / step.root);
  c.ahead = T(o.beta_1 * step.first / step.next);
  c.now = T(1.0 - o.beta_1);
}

namespace rows {

// A divisor that is 0 only where its numerator is, too: there the step is 0, not NaN.
template <class T> DELTARULE_INLINE Vec<T> above_zero(Vec<T> x) {
  return max(Vec<T>(std::numeric_limits<T>::min()), x);
}

// W − α dW
template <class T> struct GradientDescent {
  static constexpr int slots = 0;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>&, Vec<T>&, const Coefficients<T>& c) {
    return fma(-Vec<T>(c.rate), d, W);
  }
};

// V = μV − α dW; W + V, or with Nesterov W + μV − α dW
template <class T, bool nesterov> struct Sgd {
  static constexpr int slots = 1;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& V, Vec<T>&,
                                    const Coefficients<T>& c) {
    const Vec<T> mu(c.mu), step = Vec<T>(c.rate) * d;
    V = fma(mu, V, -step);
    if constexpr (nesterov) return W + (fma(mu, V, -step));
    return W + V;
  }
};

// G = G + dW²; W − α dW / (√G + ε)
template <class T> struct AdaGrad {
  static constexpr int slots = 1;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& G, Vec<T>&,
                                    const Coefficients<T>& c) {
    G = fma(d, d, G);
    return W - Vec<T>(c.rate) * d / above_zero(sqrt(G) + Vec<T>(c.epsilon));
  }
};

// G, D: running means of dW² and of the squared step; W − α dW √(D + ε) / √(G + ε)
template <class T> struct AdaDelta {
  static constexpr int slots = 2;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& G, Vec<T>& D,
                                    const Coefficients<T>& c) {
    const Vec<T> rho(c.beta_2), rest(c.rest_2), epsilon(c.epsilon);
    G = fma(rho, G, rest * d * d);
    const Vec<T> step = d * sqrt(D + epsilon) / above_zero(sqrt(G + epsilon));
    D = fma(rho, D, rest * step * step);
    return fma(-Vec<T>(c.rate), step, W);
  }
};

// G = ρG + (1 − ρ) dW²; W − α dW / (√G + ε)
template <class T> struct RmsProp {
  static constexpr int slots = 1;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& G, Vec<T>&,
                                    const Coefficients<T>& c) {
    G = fma(Vec<T>(c.beta_2), G, Vec<T>(c.rest_2) * d * d);
    return W - Vec<T>(c.rate) * d / above_zero(sqrt(G) + Vec<T>(c.epsilon));
  }
};

// M = β₁M + (1−β₁) dW; V = β₂V + (1−β₂) dW²; W − α M̂ / (√V̂ + ε)
template <class T, bool nesterov> struct Adam {
  static constexpr int slots = 2;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& M, Vec<T>& V,
                                    const Coefficients<T>& c) {
    M = fma(Vec<T>(c.beta_1), M, Vec<T>(c.rest_1) * d);
    V = fma(Vec<T>(c.beta_2), V, Vec<T>(c.rest_2) * d * d);
    Vec<T> M_hat = M;
    if constexpr (nesterov) M_hat = fma(Vec<T>(c.ahead), M, Vec<T>(c.now) * d);
    const Vec<T> root = above_zero(fma(sqrt(V), Vec<T>(c.root_scale), Vec<T>(c.epsilon)));
    return W - Vec<T>(c.step_size) * M_hat / root;
  }
};

// U = max(β₂U, |dW|); W − α M̂ / (U + ε)
template <class T> struct Adamax {
  static constexpr int slots = 2;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& M, Vec<T>& U,
                                    const Coefficients<T>& c) {
    M = fma(Vec<T>(c.beta_1), M, Vec<T>(c.rest_1) * d);
    U = max(Vec<T>(c.beta_2) * U, abs(d));
    return W - Vec<T>(c.step_size) * M / above_zero(U + Vec<T>(c.epsilon));
  }
};

// W − α sign(β₁M + (1−β₁) dW); M = β₂M + (1−β₂) dW
template <class T> struct Lion {
  static constexpr int slots = 1;
  static DELTARULE_INLINE Vec<T> of(Vec<T> W, Vec<T> d, Vec<T>& M, Vec<T>&,
                                    const Coefficients<T>& c) {
    const Vec<T> direction = sign(fma(Vec<T>(c.beta_1), M, Vec<T>(c.rest_1) * d));
    M = fma(Vec<T>(c.beta_2), M, Vec<T>(c.rest_2) * d);
    return fma(-Vec<T>(c.rate), direction, W);
  }
};

}  // namespace rows

// dW ready for the optimizer: 1/m, penalties (sign(0) = 0), clipping by value.
template <class T>
DELTARULE_INLINE Vec<T> penalised(Vec<T> d, Vec<T> W, const Coefficients<T>& c) {
  d = d * Vec<T>(c.scale);
  return fma(Vec<T>(c.l2), W, fma(Vec<T>(c.l1), sign(W), d));
}
template <class T> DELTARULE_INLINE Vec<T> clipped(Vec<T> d, T limit) {
  return max(Vec<T>(-limit), min(Vec<T>(limit), d));
}

// `count` numbers of W and its slots, at `places`, from dW; a multiple of the vectors' width.
template <class T>
using Update = void (*)(T* const* places, const T* dW, std::size_t count,
                        const Coefficients<T>& c);

// The coefficients are a copy: W, which is written, cannot be part of it, so they stay in registers.
template <class Row, bool plain, class T>
DELTARULE_INLINE void update_all(T* const* places, const T* dW, std::size_t count,
                                 const Coefficients<T> c) {
  T* const W = places[0];
  T* const slot_1 = Row::slots > 0 ? places[1] : nullptr;
  T* const slot_2 = Row::slots > 1 ? places[2] : nullptr;
  for (std::size_t i = 0; i < count; i += Vec<T>::width) {
    Vec<T> w = Vec<T>::load(W + i), d = Vec<T>::load(dW + i), first, second;
    if constexpr (Row::slots > 0) first = Vec<T>::load(slot_1 + i);
    if constexpr (Row::slots > 1) second = Vec<T>::load(slot_2 + i);
    if constexpr (plain) {
      d = d * Vec<T>(c.scale);
    } else {
      d = clipped(penalised(d, w, c), c.clip);
      w = w * Vec<T>(c.keep);
    }
    Row::of(w, d, first, second, c).store(W + i);
    if constexpr (Row::slots > 0) first.store(slot_1 + i);
    if constexpr (Row::slots > 1) second.store(slot_2 + i);
  }
}

template <class Row, class T>
void update(T* const* places, const T* dW, std::size_t count, const Coefficients<T>& c) {
  if (c.plain) update_all<Row, true, T>(places, dW, count, c);
  else update_all<Row, false, T>(places, dW, count, c);
}

// A program's numbers of one step, which most parameters share: those of one rate.
template <class T> struct OfStep {
  double rate = std::numeric_limits<double>::quiet_NaN();
  T values[most_steps];
};

// The same of a row that is not compiled in.
template <class T> class OptimizerProgram {
 public:
  explicit OptimizerProgram(const OptimizerPrograms& plans)
      : step_(plans.step), update_(plans.update) {}

  // The numbers of the step, unless they are there.
  void set_step(OfStep<T>& of_step, double t, double rate) const {
    if (of_step.rate == rate || step_.outputs() == 0) return;
    of_step.rate = rate;
    alignas(64) double found[most_steps][Vec<double>::width], in[2][Vec<double>::width];
    Vec<double>(t).store(in[0]), Vec<double>(rate).store(in[1]);
    const double* inputs[] = {in[0], in[1]};
    double* outputs[most_steps];
    for (std::size_t i = 0; i < step_.outputs(); ++i) outputs[i] = found[i];
    step_.run(inputs, outputs, step_.outputs(), Vec<double>::width);
    for (std::size_t i = 0; i < step_.outputs(); ++i) of_step.values[i] = T(found[i][0]);
  }

  void apply(T* const* places, const T* dW, std::size_t count, const Coefficients<T>& c) const {
    constexpr std::size_t block = Program<T>::block;
    alignas(64) T d[block];
    for (std::size_t first = 0; first < count; first += block) {
      const std::size_t numbers = std::min(block, count - first);
      const T* in[2 + most_slots];
      T* out[1 + most_slots];
      for (std::size_t i = 0; i < update_.outputs(); ++i)
        in[i == 0 ? 0 : i + 1] = out[i] = places[i] + first;
      in[1] = d;
      prepare(out[0], dW + first, d, numbers, c);
      update_.run(in, out, update_.outputs(), numbers, c.of_step);
    }
  }

 private:
  // W after its decay, in place, and dW with 1/m, penalties and clipping.
  static void prepare(T* W, const T* dW, T* d, std::size_t numbers, const Coefficients<T>& c) {
    for (std::size_t i = 0; i < numbers; i += Vec<T>::width) {
      const Vec<T> w = Vec<T>::load(W + i), own = Vec<T>::load(dW + i);
      if (c.plain) {
        (own * Vec<T>(c.scale)).store(d + i);
      } else {
        clipped(penalised(own, w, c), c.clip).store(d + i);
        (w * Vec<T>(c.keep)).store(W + i);
      }
    }
  }

  Program<double> step_;
  Program<T> update_;
};

template <class T> struct Optimizer {
  Update<T> row = nullptr;  // null for one that drives cost and gradients and never steps
  std::shared_ptr<const OptimizerProgram<T>> program{};

  // `count` numbers of W and its slots, at `places`, from dW; a multiple of the vectors' width.
  void apply(T* const* places, const T* dW, std::size_t count, const Coefficients<T>& c) const {
    if (row != nullptr) return row(places, dW, count, c);
    program->apply(places, dW, count, c);
  }
};

template <class T> inline Optimizer<T> optimizer_row(const OptimizerSettings& o) {
  using namespace rows;
  if (o.programs) return {nullptr, std::make_shared<const OptimizerProgram<T>>(*o.programs)};
  const auto update_of = [&]() -> Update<T> {
    switch (o.name) {
      case OptimizerName::gradient_descent: return update<GradientDescent<T>, T>;
      case OptimizerName::sgd:
        return o.nesterov ? update<Sgd<T, true>, T> : update<Sgd<T, false>, T>;
      case OptimizerName::adagrad: return update<AdaGrad<T>, T>;
      case OptimizerName::adadelta: return update<AdaDelta<T>, T>;
      case OptimizerName::rmsprop: return update<RmsProp<T>, T>;
      case OptimizerName::adam:
      case OptimizerName::adamw: return update<Adam<T, false>, T>;
      case OptimizerName::adamax: return update<Adamax<T>, T>;
      case OptimizerName::nadam: return update<Adam<T, true>, T>;
      case OptimizerName::lion: return update<Lion<T>, T>;
      case OptimizerName::lbfgs: break;
    }
    return nullptr;
  };
  return {update_of(), nullptr};
}

}  // namespace deltarule
