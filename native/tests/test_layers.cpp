// The kinds of layers beyond Dense: one step of training against differences of its cost,
// predictions against their scalar meaning, and the same bits on any number of threads.
#include "check.hpp"
#include "runner.hpp"
#include "step.hpp"

long allocations();  // allocations.cpp: how many there have been

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

LayerPlan numeric(Kind kind, std::vector<std::size_t> counts) {
  LayerPlan layer = layer_of(kind, 0, ActivationName::identity);
  if (kind == Kind::periodic) layer.activation = ActivationName::cos;
  for (const std::size_t count : counts) {
    for (std::size_t bin = 0; bin < count; ++bin)
      layer.starts.push_back(0.3 * double(bin) - 0.4), layer.widths.push_back(0.3);
  }
  layer.units = layer.starts.size(), layer.counts = std::move(counts);
  return layer;
}

LayerPlan embedding(std::vector<std::size_t> levels, std::size_t width) {
  LayerPlan layer = layer_of(Kind::embedding, levels.size() * width, ActivationName::identity);
  layer.counts = std::move(levels);
  return layer;
}

LayerPlan grouped(std::size_t groups, std::size_t size, std::size_t of_each) {
  LayerPlan layer = layer_of(Kind::grouped, groups * of_each, ActivationName::tanh);
  layer.size = size;
  return layer;
}

// `grouped` with one block of W for all.
LayerPlan shared(std::size_t members, std::size_t size, std::size_t of_each) {
  LayerPlan layer = grouped(members, size, of_each);
  layer.kind = Kind::shared;
  return layer;
}

LayerPlan reading(LayerPlan layer, std::vector<std::size_t> sources, std::size_t owner) {
  layer.sources = std::move(sources), layer.owner = owner;
  return layer;
}

LayerPlan columns(std::size_t first, std::size_t last, std::size_t source, std::size_t owner) {
  LayerPlan layer = layer_of(Kind::columns, last - first, ActivationName::identity);
  layer.first = first;
  return reading(layer, {source}, owner);
}

// Networks of the other kinds on the input and within, where they have to send back; groups and
// members of whole panels and of others, W by its units and by its inputs.
std::vector<LayerPlan> chain_of(Kind kind) {
  using A = ActivationName;
  const auto dense = [](std::size_t n) { return layer_of(Kind::dense, n, A::tanh); };
  switch (kind) {
    case Kind::periodic:
    case Kind::piecewise_linear:
      return {numeric(kind, {3, 3, 3, 3, 3}), dense(4), numeric(kind, {17, 17, 17, 17})};
    case Kind::embedding:
      return {embedding({3, 4, 2, 6, 120}, 18), dense(4), embedding({2, 2, 3, 2}, 2)};
    case Kind::grouped:
      return {numeric(Kind::periodic, {16, 16, 16, 16, 16}), grouped(5, 16, 3), grouped(3, 5, 21),
              grouped(7, 9, 16), grouped(7, 16, 16)};
    case Kind::shared:
      return {numeric(Kind::periodic, {16, 16, 16, 16, 16}), shared(5, 16, 3), shared(3, 5, 21),
              shared(7, 9, 16), shared(7, 16, 16)};
    default: break;
  }
  return {columns(0, 5, 0, 0), reading(numeric(Kind::periodic, {4, 4, 4, 4, 4}), {1}, 0),
          reading(grouped(5, 4, 3), {2}, 0), columns(1, 3, 0, 0),
          reading(layer_of(Kind::parallel, 17, A::identity), {3, 4}, 0),
          reading(dense(7), {5}, 1),
          columns(0, 5, 6, 2), reading(dense(18), {7}, 2),
          reading(layer_of(Kind::batch_norm, 18, A::sigmoid), {8}, 2), columns(2, 7, 6, 2),
          reading(layer_of(Kind::parallel, 23, A::identity), {9, 10}, 2)};
}

// Dense on columns in bins: through a Scale; in parts, of which one has its bins as they are, and
// which begin within a panel; with strips that end within a layer and panels that do.
std::vector<Plan> plans_with_hats() {
  using A = ActivationName;
  const auto dense = [](std::size_t n) { return layer_of(Kind::dense, n, A::tanh); };
  const LayerPlan bins = numeric(Kind::piecewise_linear, {47, 1, 50, 30, 2});
  Plan scaled, parts;
  scaled.layers = {bins, layer_of(Kind::scale, 130, A::identity), dense(83), dense(outputs)};
  parts.layers = {bins, columns(0, 48, 1, 1), reading(dense(18), {2}, 1), columns(48, 98, 1, 1),
                  reading(dense(16), {4}, 1), columns(98, 130, 1, 1),
                  reading(layer_of(Kind::parallel, 66, A::identity), {3, 5, 6}, 1),
                  reading(dense(outputs), {7}, 2)};
  parts.layers[0].owner = 0;
  for (Plan* plan : {&scaled, &parts}) {
    plan->inputs = inputs;
    plan->cost = CostName::half_squared_error;
    plan->layers.back().activation = A::identity;
  }
  return {scaled, parts};
}

// A layer of that kind on the input, and one on hidden units.
Plan plan_of(Kind kind) {
  using A = ActivationName;
  Plan plan;
  plan.inputs = inputs;
  plan.cost = CostName::half_squared_error;
  if (kind > Kind::parametric) {
    plan.layers = chain_of(kind);
    plan.layers.push_back(layer_of(Kind::dense, outputs, A::identity));
    if (kind == Kind::parallel) plan.layers.back().owner = 3;
    return plan;
  }
  plan.layers = {layer_of(kind, inputs, A::identity), layer_of(Kind::dense, units, A::identity),
                 layer_of(kind, units, A::sigmoid), layer_of(Kind::dense, outputs, A::identity)};
  return plan;
}

template <class T> using Arrays = std::vector<std::vector<T>>;

std::size_t width_of(const Plan& plan, std::size_t l, std::size_t place) {
  return place > 0 ? 1 : plan.layers[l].columns_of_W(plan.units_before(l));
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
    const LayerPlan& layer = plan.layers[l];
    const std::size_t height = place > 0 ? layer.units : layer.rows_of_W(plan.units_before(l));
    all.push_back(numbers.vector<T>(height * width_of(plan, l, place)));
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
  // As codes of categories, some of them beyond their levels, or no codes.
  void encode() {
    for (std::size_t i = 0; i < X.size(); ++i) X[i] = T((i * 7) % 9) - T(i % 11 == 0 ? 1.5 : 0);
  }
  Job<T> job(std::size_t batch_size) {
    Job<T> job;
    job.X = rows_of(X, inputs), job.Y = rows_of(Y, outputs), job.weights = rows_of(s, 1);
    job.entries = m, job.batch_size = batch_size;
    job.rates = rates.data(), job.costs = costs.data();
    return job;
  }
};

// What a step of gradient descent takes away is rate · ∂C/∂parameter, C being the cost of training.
void test_step_of(const Plan& plan, Kind kind) {
  Runner<double> runner(plan);
  Data<double> data;
  if (kind == Kind::embedding) data.encode();
  const Arrays<double> before = drawn<double>(runner.plan());
  const auto cost_of = [&](const Arrays<double>& parameters) {
    put(runner, parameters);
    Job<double> job = data.job(m);
    runner.train(job, 2);
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
      default: break;
    }
  }
  return Z;
}

// Of the other kinds that are one layer on the input: Z of unit u by the textbook.
double scalar_unit(const LayerPlan& layer, const Arrays<double>& own, const double* x,
                   std::size_t u) {
  std::size_t column = 0, before = 0, levels = 0;
  const auto width = [&](std::size_t k) {
    return layer.kind == Kind::embedding ? layer.units / layer.counts.size() : layer.counts[k];
  };
  if (layer.kind == Kind::grouped || layer.kind == Kind::shared) {
    const std::size_t of_each = layer.units / (inputs / layer.size);
    const std::size_t row = layer.kind == Kind::shared ? u % of_each : u;
    double z = own[1][u];
    for (std::size_t i = 0; i < layer.size; ++i)
      z += own[0][row * layer.size + i] * x[u / of_each * layer.size + i];
    return std::tanh(z);
  }
  for (; before + width(column) <= u; ++column)
    before += width(column), levels += layer.counts[column];
  switch (layer.kind) {
    case Kind::periodic:
      return std::cos(2 * 3.14159265358979323846 * own[0][u] * x[column] + own[1][u]);
    case Kind::piecewise_linear: {
      double share = (x[column] - layer.starts[u]) / layer.widths[u];
      if (u > before) share = std::max(share, 0.0);
      if (u + 1 < before + layer.counts[column]) share = std::min(share, 1.0);
      return share;
    }
    default: {
      const double code = x[column];
      const bool known = code >= 0 && code < double(layer.counts[column]) && std::floor(code) == code;
      std::size_t total = 0;
      for (const std::size_t count : layer.counts) total += count;
      return own[0][(u - before) * total + levels + (known ? std::size_t(code) : 0)];
    }
  }
}

template <class T> void test_units_of(const LayerPlan& layer) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  Plan plan = plan_of(layer.kind);
  plan.layers = {layer};
  Runner<T> runner(plan);
  put(runner, drawn<T>(plan));
  Arrays<double> wide;
  for (const std::vector<T>& array : taken(runner)) wide.emplace_back(array.begin(), array.end());
  Data<T> data;
  if (layer.kind == Kind::embedding) data.encode();
  const std::size_t n = layer.units;
  std::vector<T> out(m * n), jacobian(m * n * inputs);
  const Rows<T> X = rows_of(data.X, inputs);
  const auto stride = static_cast<std::ptrdiff_t>(n * sizeof(T));
  runner.predict(X, {reinterpret_cast<char*>(out.data()), stride, sizeof(T), m, n}, 2);
  runner.jacobian(X, jacobian.data());
  const std::vector<double> x(data.X.begin(), data.X.end());
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t u = 0; u < n; ++u) {
      const std::string what = "unit " + std::to_string(u);
      expect_close(double(out[i * n + u]), scalar_unit(layer, wide, &x[i * inputs], u), tolerance,
                   what);
      for (std::size_t j = 0; j < inputs; ++j) {
        std::vector<double> up(&x[i * inputs], &x[i * inputs] + inputs), down = up;
        up[j] += 1e-6, down[j] -= 1e-6;
        const double above = scalar_unit(layer, wide, up.data(), u);
        const double below = scalar_unit(layer, wide, down.data(), u);
        const double slope = layer.kind == Kind::embedding ? 0 : (above - below) / 2e-6;
        expect_close(double(jacobian[(i * n + u) * inputs + j]), slope, 100 * tolerance + 1e-6,
                     what + ", Jacobian");
      }
    }
  }
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
                     100 * tolerance + 1e-7, "Jacobian");
    }
  }
}

// Batches of 7 leave one of 2 examples for three threads: one of them has none, and its barriers.
template <class T> void test_threads_of(Plan plan, Kind kind, bool two_passes) {
  plan.optimizer = {OptimizerName::adam, 0, 0, 0.9, 0.99, 1e-8, false, false};
  const auto owned = [&](std::size_t l) { return plan.owner(l) != plan.owner(l + 1); };
  for (std::size_t l = 0; l + 1 < plan.layers.size(); ++l) {  // masks are of the network's layers
    const bool in_hats = kind == Kind::dense && l < 2;
    if (owned(l) && !in_hats) plan.layers[l].dropout = {true, 3u << 30, 4. / 3};
  }
  plan.l2 = plan.decay = 1e-2;
  if (two_passes) plan.clip_norm = plan.max_norm = 0.5;
  const auto trained = [&](std::size_t threads) {
    Runner<T> runner(plan);
    put(runner, drawn<T>(plan));
    Data<T> data;
    if (kind == Kind::embedding) data.encode();
    Job<T> job = data.job(7);
    runner.train(job, threads);
    expect(job.done == 4, "all batches done");
    const Arrays<T> found = taken(runner);
    const long before = allocations();
    if (threads == 1) runner.train(job, 1);
    const bool none = allocations() == before;
    expect(none, "an epoch allocates nothing");
    return found;
  };
  const Arrays<T> one = trained(1);
  for (const std::vector<T>& array : one)
    for (const T number : array) expect(std::isfinite(number), "finite");
  for (const std::size_t threads : {2, 3}) expect(trained(threads) == one, "the same bits");
}

void test_threads_of(Plan plan, Kind kind) {
  for (const bool two_passes : {false, true}) {
    test_threads_of<double>(plan, kind, two_passes);
    for (const bool mixed : {false, true}) {
      plan.mixed = mixed;
      test_threads_of<float>(plan, kind, two_passes);
    }
    plan.mixed = false;
  }
}

// Which layers have hats, and that what stands between is passed over; and none where a column of
// that many bins, or something that learns, is in front.
void test_who_has_hats() {
  const auto found = [](const Plan& plan) {
    Stepper<float> stepper(plan);
    std::string all;
    for (const auto& layer : stepper.layers())
      all += layer.hats ? 'H' : layer.passed_over ? '-' : '.';
    return all;
  };
  std::vector<Plan> plans = plans_with_hats();
  expect(found(plans[0]) == ".-H.", "hats through a Scale");
  expect(found(plans[1]) == ".-H-H...", "hats in parts");
  plans[1].layers[3].first = 49;
  expect(found(plans[1]) == ".-H.....", "no hats on parts of a column");
  plans[0].layers[0] = numeric(Kind::piecewise_linear, {1, 1, 1, 1, 126});
  expect(found(plans[0]) == "....", "no hats on a column longer than a strip");
  plans[0].layers[0] = numeric(Kind::piecewise_linear, {26, 26, 26, 26, 26});
  plans[0].layers.insert(plans[0].layers.begin(), layer_of(Kind::dense, inputs, ActivationName::tanh));
  expect(found(plans[0]) == ".....", "no hats behind what learns");
  plans[0].layers[0].rate = plans[0].layers[0].bias_rate = 0;
  expect(found(plans[0]) == "..-H.", "hats behind what does not learn");
}

}  // namespace

void test_layers() {
  test_who_has_hats();
  for (const Plan& plan : plans_with_hats()) {
    test_step_of(plan, Kind::dense);
    test_threads_of(plan, Kind::dense);
  }
  for (const Kind kind : {Kind::layer_norm, Kind::batch_norm, Kind::scale, Kind::parametric}) {
    test_step_of(plan_of(kind), kind);
    test_prediction_of<float>(kind), test_prediction_of<double>(kind);
    test_threads_of(plan_of(kind), kind);
  }
  for (const Kind kind : {Kind::periodic, Kind::piecewise_linear, Kind::embedding, Kind::grouped,
                          Kind::shared, Kind::parallel}) {
    test_step_of(plan_of(kind), kind);
    test_threads_of(plan_of(kind), kind);
  }
  for (const LayerPlan& layer :
       {numeric(Kind::periodic, {3, 3, 3, 3, 3}), numeric(Kind::periodic, {16, 16, 16, 16, 16}),
        numeric(Kind::piecewise_linear, {1, 4, 2, 17, 1}), embedding({3, 4, 2, 6, 12}, 3),
        embedding({3, 4, 2, 6, 120}, 18), grouped(5, 1, 16), grouped(1, 5, 3), grouped(5, 1, 3),
        shared(5, 1, 16), shared(1, 5, 3), shared(5, 1, 3)})
    test_units_of<float>(layer), test_units_of<double>(layer);
}

}  // namespace deltarule
