// Each row of each table against its scalar meaning, written out once more in double: activations
// and costs by their textbook formulas and differences of them, optimizers by their update.
#include <functional>
#include <limits>

#include "activations.hpp"
#include "check.hpp"
#include "costs.hpp"
#include "optimizers.hpp"
#include "rng.hpp"

namespace deltarule {
namespace {

template <class T> constexpr double precision = sizeof(T) == 4 ? 1e-5 : 1e-13;

// ------------------------------------------------------------------------------- activations

double logistic(double z) { return 1 / (1 + std::exp(-z)); }
double normal_cdf(double z) { return 0.5 * std::erfc(-z * std::sqrt(0.5)); }
double normal_density(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::acos(-1.0)); }
double soft(double z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }

struct ScalarActivation {
  ActivationName name;
  double number;
  std::function<double(double)> g, slope;
};

const double leak = 0.1, alpha = 1.5, selu_scale = 1.0507009873554805, selu_alpha = 1.6732632423543772;

const std::vector<ScalarActivation>& scalar_activations() {
  using A = ActivationName;
  static const std::vector<ScalarActivation> rows = {
      {A::identity, 0, [](double z) { return z; }, [](double) { return 1.0; }},
      {A::sigmoid, 0, logistic, [](double z) { return logistic(z) * logistic(-z); }},
      {A::tanh, 0, [](double z) { return std::tanh(z); },
       [](double z) { return 1 / (std::cosh(z) * std::cosh(z)); }},
      {A::relu, 0, [](double z) { return z > 0 ? z : 0; }, [](double z) { return z > 0 ? 1.0 : 0.0; }},
      {A::leaky_relu, leak, [](double z) { return z > 0 ? z : leak * z; },
       [](double z) { return z > 0 ? 1 : z < 0 ? leak : 0; }},
      {A::elu, alpha, [](double z) { return z > 0 ? z : alpha * std::expm1(z); },
       [](double z) { return z > 0 ? 1 : alpha * std::exp(z); }},
      {A::selu, 0,
       [](double z) { return selu_scale * (z > 0 ? z : selu_alpha * std::expm1(z)); },
       [](double z) { return selu_scale * (z > 0 ? 1 : selu_alpha * std::exp(z)); }},
      {A::gelu, 0, [](double z) { return z * normal_cdf(z); },
       [](double z) { return normal_cdf(z) + z * normal_density(z); }},
      {A::softplus, 0, soft, logistic},
      {A::silu, 0, [](double z) { return z * logistic(z); },
       [](double z) { return logistic(z) * (1 + z * logistic(-z)); }},
      {A::mish, 0, [](double z) { return z * std::tanh(soft(z)); },
       [](double z) {
         const double t = std::tanh(soft(z));
         return t + z * (1 - t * t) * logistic(z);
       }},
      {A::exp, 0, [](double z) { return std::exp(z); }, [](double z) { return std::exp(z); }},
      {A::cos, 0, [](double z) { return std::cos(z); }, [](double z) { return -std::sin(z); }},
  };
  return rows;
}

template <class T> void test_activations() {
  expect(scalar_activations().size() == static_cast<std::size_t>(ActivationName::cos),
         "every activation but softmax, which mixes units, has its scalar meaning here");
  std::vector<T> z;
  for (int i = -640; i <= 640; ++i) z.push_back(T(i / 32.0));
  for (const double far : {-80.0, -40.0, 40.0, 80.0, 1e-30, -1e-30}) z.push_back(T(far));
  z.resize((z.size() / P<T> + 1) * P<T>);
  for (const ScalarActivation& row : scalar_activations()) {
    const Activation<T> activation = activation_row<T>(row.name);
    const std::string what = "activation " + std::to_string(static_cast<int>(row.name));
    std::vector<T> A = z, slope(z.size());
    activation.apply(A.data(), slope.data(), A.size(), T(row.number));
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double at = double(z[i]);
      // an argument of size |z| is known to |z| ulps
      const double tolerance = precision<T> * (1 + std::abs(at));
      expect_close(double(A[i]), row.g(at), tolerance, what);
      expect_close(double(slope[i]), row.slope(at), tolerance, what + ", slope");
    }
    if (activation.zero_at_zero) expect(row.g(0) == 0, what + " keeps padding zero");
  }
}

template <class T> void test_softmax() {
  Numbers numbers;
  for (const std::size_t n : {1, 2, 3, 7, 16, 19}) {
    Matrix<T> Z = numbers.matrix<T>(3, n), A = numbers.matrix<T>(3, n);
    Matrix<T> d = numbers.matrix<T>(3, n);
    const std::size_t row = 1;
    std::vector<double> dA(n), exact(n);
    double total = 0, mean = 0;
    for (std::size_t i = 0; i < n; ++i) {
      A.view().at(row, i) = Z.view().at(row, i) *= T(20);
      dA[i] = double(d.view().at(row, i));
      total += exact[i] = std::exp(double(A.view().at(row, i)));
    }
    softmax(A.view(), A.view(), row, n);
    for (std::size_t i = 0; i < n; ++i) {
      exact[i] /= total;
      mean += exact[i] * dA[i];
      expect_close(double(A.view().at(row, i)), exact[i], precision<T>, "softmax");
    }
    Matrix<T> apart(3, n);
    softmax(Z.view(), apart.view(), row, n);
    for (std::size_t i = 0; i < n; ++i) {
      expect(apart.view().at(row, i) == A.view().at(row, i), "softmax beside Z, to the bit");
      expect_close(double(Z.view().at(row, i)), std::log(exact[i]), precision<T>, "log softmax");
    }
    softmax_delta(d.view(), row, A.view(), row, n);
    for (std::size_t i = 0; i < n; ++i)
      expect_close(double(d.view().at(row, i)), exact[i] * (dA[i] - mean), precision<T>,
                   "softmax's delta");
  }
}

// ------------------------------------------------------------------------------------- costs

using Vector = std::vector<double>;

// One unit's loss; γ, δ and τ are `number`.
double loss_of(CostName cost, double a, double y, double number) {
  const double e = a - y;
  switch (cost) {
    case CostName::mse: return e * e;
    case CostName::mae: return std::abs(e);
    case CostName::binary_cross_entropy: return -y * std::log(a) - (1 - y) * std::log(1 - a);
    case CostName::categorical_cross_entropy: return -y * std::log(a);
    case CostName::half_squared_error: return e * e / 2;
    case CostName::huber:
      return std::abs(e) <= number ? e * e / 2 : number * (std::abs(e) - number / 2);
    case CostName::quantile: return e < 0 ? -number * e : (1 - number) * e;
    case CostName::poisson: return a - y * std::log(a);
    case CostName::focal: return -std::pow(1 - a, number) * y * std::log(a);
    case CostName::binary_focal:
      return loss_of(CostName::focal, a, y, number) +
             loss_of(CostName::focal, 1 - a, 1 - y, number);
    case CostName::softmax_cross_entropy: break;  // no unit's own
  }
  return std::numeric_limits<double>::quiet_NaN();
}

Vector activated(ActivationName output, const Vector& z) {
  Vector a = z;
  double total = 0;
  for (double& unit : a) {
    if (output == ActivationName::sigmoid) unit = logistic(unit);
    else if (output != ActivationName::identity) unit = std::exp(unit);
    total += unit;
  }
  if (output == ActivationName::softmax)
    for (double& unit : a) unit /= total;
  return a;
}

double total_loss(CostName cost, ActivationName output, const Vector& z, const Vector& y,
                  double number) {
  const Vector a = activated(output, z);
  double total = 0;
  if (cost == CostName::softmax_cross_entropy) {
    for (std::size_t first = 0; first < a.size(); first += std::size_t(number)) {
      double sum = 0;
      for (std::size_t i = first; i < first + std::size_t(number); ++i) sum += std::exp(a[i]);
      for (std::size_t i = first; i < first + std::size_t(number); ++i)
        total -= y[i] * (a[i] - std::log(sum));
    }
    return total;
  }
  for (std::size_t i = 0; i < a.size(); ++i) total += loss_of(cost, a[i], y[i], number);
  return total;
}

// A row's loss, and what it says of dA or δ, against differences: of the loss by a where the row
// gives dA (the output is then taken for the identity), by z where it gives δ.
template <class T> void test_cost(CostName name, ActivationName output, double number) {
  const Cost<T> cost = cost_row<T>(name, output);
  const std::string what = "cost " + std::to_string(static_cast<int>(name)) + " on activation " +
                           std::to_string(static_cast<int>(output));
  Numbers numbers;
  for (const std::size_t n : {1, 3, 18}) {
    if (n == 1 && output == ActivationName::softmax) continue;  // always 1
    if (name == CostName::softmax_cross_entropy && n % std::size_t(number) != 0) continue;
    Matrix<T> Z(2, n), A(2, n), Y(2, n), d(2, n);
    Vector z(n), y(n);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      z[i] = double(T(4 * numbers.next()));
      sum += y[i] = i % 3 == 2 ? 0 : 0.5 + 0.9 * numbers.next();
    }
    // targets of softmax are a distribution: its pair with the cross entropy takes Σ y for 1
    for (double& target : y) target = double(T(output == ActivationName::softmax ? target / sum : target));
    Vector a = activated(output, z);
    for (std::size_t i = 0; i < n; ++i) {
      Z.view().at(1, i) = T(z[i]), A.view().at(1, i) = T(a[i]), Y.view().at(1, i) = T(y[i]);
      a[i] = double(T(a[i]));
    }
    if (output == ActivationName::softmax) softmax(Z.view(), A.view(), 1, n);  // Z becomes log A
    double losses[2] = {};
    cost.apply(Z.view(), A.view(), Y.view(), d.view(), 1, 2, n, T(number), losses);
    const double loss = losses[1];
    expect_close(loss, total_loss(name, output, z, y, number), 20 * precision<T>, what + ", loss");
    const bool by_a = cost.then == Then::activation;
    double rest = 0;
    for (std::size_t i = 0; i < n; ++i) rest += double(d.view().at(1, i));
    for (std::size_t i = 0; i < n; ++i) {
      const auto loss_at = [&](double change) {
        Vector moved = by_a ? a : z;
        moved[i] += change;
        return total_loss(name, by_a ? ActivationName::identity : output, moved, y, number);
      };
      const double slope = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6;
      double found = double(d.view().at(1, i));
      if (cost.then == Then::less_a_sum) found -= a[i] * rest;
      expect_close(found, slope, sizeof(T) == 4 ? 1e-4 : 1e-7, what + ", derivative");
    }
    for (std::size_t lane = n; lane < panel_count<T>(n) * P<T>; ++lane)
      expect(d.view().at(1, lane) == T(0), what + ", padding");
  }
}

template <class T> void test_costs() {
  using A = ActivationName;
  for (int i = 0; i <= static_cast<int>(CostName::softmax_cross_entropy); ++i) {
    const auto name = static_cast<CostName>(i);
    const bool focal = name == CostName::focal || name == CostName::binary_focal;
    const bool grouped = name == CostName::softmax_cross_entropy;
    const Vector own = focal ? Vector{0, 1, 2, 2.5} : grouped ? Vector{3, 9, 18} : Vector{0.3};
    for (const double number : own)
      for (const A output : {A::sigmoid, A::softmax}) test_cost<T>(name, output, number);
  }
  for (const CostName name : {CostName::mse, CostName::mae, CostName::half_squared_error,
                              CostName::huber, CostName::quantile})
    test_cost<T>(name, A::identity, 0.3);
  test_cost<T>(CostName::poisson, A::exp, 0);
  for (const double classes : {3, 6})
    test_cost<T>(CostName::softmax_cross_entropy, A::identity, classes);
}

// -------------------------------------------------------------------------------- optimizers

// One parameter and its slots.
struct Parameter {
  double W, first = 0, second = 0;
};

// The update of optimizers/, as its docstrings write it.
void update_one(const OptimizerSettings& o, Parameter& p, double d, double rate, double t) {
  using Name = OptimizerName;
  const double correction_1 = 1 - std::pow(o.beta_1, t), correction_2 = 1 - std::pow(o.beta_2, t);
  const double before = p.first;
  const auto moments = [&] {
    p.first = o.beta_1 * p.first + (1 - o.beta_1) * d;
    p.second = o.beta_2 * p.second + (1 - o.beta_2) * d * d;
  };
  const auto divisor = [&] {
    return o.epsilon_inside ? (std::sqrt(p.second) + o.epsilon) / std::sqrt(correction_2)
                            : std::sqrt(p.second / correction_2) + o.epsilon;
  };
  switch (o.name) {
    case Name::gradient_descent: p.W -= rate * d; return;
    case Name::sgd:
      p.first = o.momentum * p.first - rate * d;
      p.W += o.nesterov ? o.momentum * p.first - rate * d : p.first;
      return;
    case Name::adagrad:
      p.first += d * d;
      p.W -= rate * d / (std::sqrt(p.first) + o.epsilon);
      return;
    case Name::adadelta: {
      p.first = o.rho * p.first + (1 - o.rho) * d * d;
      const double step = d * std::sqrt(p.second + o.epsilon) / std::sqrt(p.first + o.epsilon);
      p.second = o.rho * p.second + (1 - o.rho) * step * step;
      p.W -= rate * step;
      return;
    }
    case Name::rmsprop:
      p.first = o.rho * p.first + (1 - o.rho) * d * d;
      p.W -= rate * d / (std::sqrt(p.first) + o.epsilon);
      return;
    case Name::adam:
    case Name::adamw:
      moments();
      p.W -= rate * (p.first / correction_1) / divisor();
      return;
    case Name::adamax:
      p.first = o.beta_1 * p.first + (1 - o.beta_1) * d;
      p.second = std::max(o.beta_2 * p.second, std::abs(d));
      p.W -= rate * (p.first / correction_1) / (p.second + o.epsilon);
      return;
    case Name::nadam: {
      moments();
      const double ahead = o.beta_1 * p.first / (1 - std::pow(o.beta_1, t + 1));
      p.W -= rate * (ahead + (1 - o.beta_1) * d / correction_1) / divisor();
      return;
    }
    case Name::lion: {
      const double direction = o.beta_1 * before + (1 - o.beta_1) * d;
      p.W -= rate * (direction > 0 ? 1 : direction < 0 ? -1 : 0);
      p.first = o.beta_2 * before + (1 - o.beta_2) * d;
      return;
    }
    case Name::lbfgs: return;
  }
}

template <class T> void test_optimizer(const OptimizerSettings& settings, bool plain) {
  Numbers numbers;
  const std::size_t count = 3 * P<T>;
  const Optimizer<T> optimizer = optimizer_row<T>(settings);
  std::vector<T> W = numbers.vector<T>(count), first(count), second(count);
  std::vector<Parameter> exact;
  for (const T w : W) exact.push_back({double(w)});
  const double rate = 0.01, scale = 0.25, l1 = 0.02, l2 = 0.03, clip = 0.1, decay = 0.5;
  for (int t = 1; t <= 6; ++t) {
    Coefficients<T> c{};
    c.scale = T(scale), c.plain = plain;
    c.l1 = T(l1), c.l2 = T(l2), c.clip = T(clip), c.keep = T(1 - rate * decay);
    set_step(c, settings, StepFactors(settings, t), T(rate));
    std::vector<T> dW = numbers.vector<T>(count);
    dW[1] = 0;  // a unit that is dead from the first step: no 0/0
    T* places[] = {W.data(), first.data(), second.data()};
    optimizer.apply(places, dW.data(), count, c);
    for (std::size_t i = 0; i < count; ++i) {
      Parameter& p = exact[i];
      double d = double(dW[i]) * scale;
      if (!plain) {
        d += l1 * (p.W > 0 ? 1 : -1) + l2 * p.W;
        d = std::min(clip, std::max(-clip, d));
        p.W *= 1 - rate * decay;
      }
      update_one(settings, p, d, rate, t);
      const std::string what = "optimizer " + std::to_string(static_cast<int>(settings.name));
      expect_close(double(W[i]), p.W, precision<T>, what);
      if (settings.slots() > 0) expect_close(double(first[i]), p.first, precision<T>, what);
      if (settings.slots() > 1) expect_close(double(second[i]), p.second, precision<T>, what);
    }
  }
}

template <class T> void test_optimizers() {
  for (int name = 0; name < static_cast<int>(OptimizerName::lbfgs); ++name) {
    OptimizerSettings o{static_cast<OptimizerName>(name), 0.9, 0.95, 0.8, 0.99, 1e-6, false, false};
    for (const bool plain : {true, false}) {
      test_optimizer<T>(o, plain);
      o.nesterov = o.epsilon_inside = true;
      test_optimizer<T>(o, plain);
      o.nesterov = o.epsilon_inside = false;
    }
  }
}

// ----------------------------------------------------------------------------------- dropout

// Known answers of Random123 (Salmon and others 2011) for Threefry-2×32 in 20 rounds.
void test_threefry() {
  const std::uint32_t answers[3][6] = {
      {0, 0, 0, 0, 0x6b200159u, 0x99ba4efeu},
      {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x1cb996fcu, 0xbb002be7u},
      {0x13198a2eu, 0x03707344u, 0x243f6a88u, 0x85a308d3u, 0xc4923a9cu, 0x483df7a0u}};
  for (const auto& [key_0, key_1, counter_0, counter_1, word_0, word_1] : answers) {
    std::uint32_t x0 = counter_0, x1 = counter_1;
    threefry(key_0, key_1, x0, x1);
    expect(x0 == word_0 && x1 == word_1, "threefry");
    Words v0 = Words{} + counter_0, v1 = Words{} + counter_1;
    threefry(key_0, key_1, v0, v1);
    for (std::size_t i = 0; i < words; ++i)
      expect(v0[i] == word_0 && v1[i] == word_1, "threefry of vectors");
  }
}

template <class T> void test_all() {
  test_activations<T>();
  test_softmax<T>();
  test_costs<T>();
  test_optimizers<T>();
}

}  // namespace

void test_rows() {
  test_all<float>();
  test_all<double>();
  test_threefry();
}

}  // namespace deltarule
