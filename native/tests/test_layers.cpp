// The kinds of layers that act unit by unit: one step of training against differences of its cost,
// predictions against their scalar meaning, and the same bits on any number of threads.
#include "check.hpp"
#include "runner.hpp"
#include "step.hpp"

namespace deltarule {
namespace {

constexpr std::size_t inputs = 5, units = 19, outputs = 3, m = 23;

LayerPlan layer_of(Kind kind, std::size_t n, ActivationName activation) {
  LayerPlan layer;
  layer.kind = kind, layer.units = n, layer.activation = activation;
  layer.epsilon = 1e-3, layer.momentum = 0.3;
  layer.bend = ActivationName::softplus;  // which is not 0 at 0: padding must not care
  return layer;
}

// A layer of that kind on the input, and one on hidden units.
Plan plan_of(Kind kind) {
  using A = ActivationName;
  Plan plan;
  plan.inputs = inputs;
  plan.layers = {layer_of(kind, inputs, A::identity), layer_of(Kind::dense, units, A::identity),
                 layer_of(kind, units, A::sigmoid), layer_of(Kind::dense, outputs, A::identity)};
  plan.cost = CostName::half_squared_error;
  return plan;
}

template <class T> using Arrays = std::vector<std::vector<T>>;

std::size_t width_of(const Plan& plan, std::size_t l, std::size_t place) {
  const std::size_t before = l == 0 ? plan.inputs : plan.layers[l - 1].units;
  return place > 0 ? 1 : plan.layers[l].inputs_of_W(before);
}

// Call use(layer, place, number of the array) for every parameter.
template <class Use> void each_array(const Plan& plan, const Use& use) {
  std::size_t number = 0;
  for (std::size_t l = 0; l < plan.layers.size(); ++l)
    for (std::size_t place = 0; place < plan.layers[l].arrays(); ++place) use(l, place, number++);
}

template <class T> Arrays<T> drawn(const Plan& plan) {
  Numbers numbers;
  Arrays<T> all;
  each_array(plan, [&](std::size_t l, std::size_t place, std::size_t) {
    all.push_back(numbers.vector<T>(plan.layers[l].units * width_of(plan, l, place)));
    if (place == 3)
      for (T& variance : all.back()) variance = T(1) + variance;
  });
  return all;
}

template <class T> void put(Runner<T>& runner, const Arrays<T>& all) {
  each_array(runner.plan(), [&](std::size_t l, std::size_t place, std::size_t number) {
    runner.set(Array::parameter, l, place, rows_of(all[number], width_of(runner.plan(), l, place)));
  });
}

template <class T> Arrays<T> taken(Runner<T>& runner) {
  Arrays<T> all = drawn<T>(runner.plan());
  each_array(runner.plan(), [&](std::size_t l, std::size_t place, std::size_t number) {
    runner.get(Array::parameter, l, place, all[number].data());
  });
  return all;
}

template <class T> struct Data {
  std::vector<T> X, Y, s;
  std::vector<double> rates, costs;
  Data() : rates(m, 0.5), costs(m) {
    Numbers numbers;
    X = numbers.vector<T>(m * inputs), Y = numbers.vector<T>(m * outputs), s = numbers.vector<T>(m);
    for (T& weight : s) weight += T(1);
    s[4] = 0;
  }
  Job<T> job(std::size_t batch_size) {
    Job<T> job;
    job.X = rows_of(X, inputs), job.Y = rows_of(Y, outputs), job.weights = rows_of(s, 1);
    job.entries = m, job.batch_size = batch_size;
    job.rates = rates.data(), job.costs = costs.data();
    return job;
  }
};

const auto never = [] { return false; };

// What a step of gradient descent takes away is rate · ∂C/∂parameter, C being the cost of training.
void test_step_of(Kind kind) {
  Runner<double> runner(plan_of(kind));
  Data<double> data;
  const Arrays<double> before = drawn<double>(runner.plan());
  const auto cost_of = [&](const Arrays<double>& parameters) {
    put(runner, parameters);
    Job<double> job = data.job(m);
    runner.train(job, 2, never);
    return data.costs[0];
  };
  cost_of(before);
  const Arrays<double> after = taken(runner);
  each_array(runner.plan(), [&](std::size_t l, std::size_t place, std::size_t number) {
    if (place > 1) return;
    for (std::size_t i = 0; i < before[number].size(); i += 5) {
      Arrays<double> changed = before;
      const auto cost_at = [&](double change) {
        changed[number][i] = before[number][i] + change;
        return cost_of(changed);
      };
      const double slope = (cost_at(1e-5) - cost_at(-1e-5)) / 2e-5;
      expect_close((before[number][i] - after[number][i]) / data.rates[0], slope, 1e-8,
                   "kind " + std::to_string(static_cast<int>(kind)) + ", layer " +
                       std::to_string(l) + ", array " + std::to_string(place));
    }
  });
}

// Z of one example by the textbook, of a network that is one layer of that kind.
std::vector<double> scalar(Kind kind, const Arrays<double>& own, const double* x) {
  std::vector<double> Z(inputs);
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < inputs; ++i) mean += x[i] / inputs;
  for (std::size_t i = 0; i < inputs; ++i) variance += (x[i] - mean) * (x[i] - mean) / inputs;
  for (std::size_t i = 0; i < inputs; ++i) {
    const double first = own[0][i];
    switch (kind) {
      case Kind::layer_norm:
        Z[i] = first * (x[i] - mean) / std::sqrt(variance + 1e-3) + own[1][i];
        break;
      case Kind::batch_norm:
        Z[i] = first * (x[i] - own[2][i]) / std::sqrt(own[3][i] + 1e-3) + own[1][i];
        break;
      case Kind::scale: Z[i] = first * x[i]; break;
      case Kind::parametric: Z[i] = x[i] + first * (std::log1p(std::exp(x[i])) - x[i]); break;
      case Kind::dense: break;
    }
  }
  return Z;
}

template <class T> void test_prediction_of(Kind kind) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  Plan plan = plan_of(kind);
  plan.layers.resize(1);
  Runner<T> runner(plan);
  put(runner, drawn<T>(plan));
  const Arrays<T> own = taken(runner);
  Arrays<double> wide;
  for (const std::vector<T>& array : own) wide.emplace_back(array.begin(), array.end());
  Data<T> data;
  std::vector<T> out(m * inputs), jacobian(m * inputs * inputs);
  const Rows<T> X = rows_of(data.X, inputs);
  runner.predict(X, {reinterpret_cast<char*>(out.data()), inputs * sizeof(T), sizeof(T), m, inputs}, 2);
  runner.jacobian(X, jacobian.data());
  const std::vector<double> x(data.X.begin(), data.X.end());
  for (std::size_t i = 0; i < m; ++i) {
    const std::vector<double> Z = scalar(kind, wide, &x[i * inputs]);
    for (std::size_t j = 0; j < inputs; ++j) {
      expect_close(double(out[i * inputs + j]), Z[j], tolerance, "prediction");
      std::vector<double> up(&x[i * inputs], &x[i * inputs] + inputs), down = up;
      up[j] += 1e-5, down[j] -= 1e-5;
      const auto above = scalar(kind, wide, up.data()), below = scalar(kind, wide, down.data());
      for (std::size_t o = 0; o < inputs; ++o)
        expect_close(double(jacobian[(i * inputs + o) * inputs + j]), (above[o] - below[o]) / 2e-5,
                     100 * tolerance + 1e-9, "Jacobian");
    }
  }
}

// Batches of 7 leave one of 2 examples for three threads: one of them has none, and its barriers.
template <class T> void test_threads_of(Kind kind, bool two_passes) {
  Plan plan = plan_of(kind);
  plan.optimizer = {OptimizerName::adam, 0, 0, 0.9, 0.99, 1e-8, false, false};
  plan.layers[2].dropout = {true, 1u << 31, 2.0};
  plan.layers[0].dropout = plan.layers[2].dropout;
  plan.l2 = plan.decay = 1e-2;
  if (two_passes) plan.clip_norm = plan.max_norm = 0.5;
  const auto trained = [&](std::size_t threads) {
    Runner<T> runner(plan);
    put(runner, drawn<T>(plan));
    Data<T> data;
    Job<T> job = data.job(7);
    runner.train(job, threads, never);
    expect(job.done == 4, "all batches done");
    return taken(runner);
  };
  const Arrays<T> one = trained(1);
  for (const std::vector<T>& array : one)
    for (const T number : array) expect(std::isfinite(number), "finite");
  for (const std::size_t threads : {2, 3}) expect(trained(threads) == one, "the same bits");
}

}  // namespace

void test_layers() {
  for (const Kind kind : {Kind::layer_norm, Kind::batch_norm, Kind::scale, Kind::parametric}) {
    test_step_of(kind);
    test_prediction_of<float>(kind), test_prediction_of<double>(kind);
    for (const bool two_passes : {false, true})
      test_threads_of<float>(kind, two_passes), test_threads_of<double>(kind, two_passes);
  }
}

}  // namespace deltarule
