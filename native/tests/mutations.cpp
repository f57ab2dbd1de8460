// Every array of a caller's changes while calls run on it: no byte out of bounds is read or written,
// and every call returns. Under AddressSanitizer and UndefinedBehaviorSanitizer; not under
// ThreadSanitizer, for here the races are meant.
#include <atomic>
#include <cstdio>
#include <limits>
#include <thread>

#include "check.hpp"
#include "runner.hpp"
#include "step.hpp"

namespace {

using namespace deltarule;

constexpr std::size_t rows = 96, inputs = 6, outputs = 3, entries = 3 * rows, batch = 13;

// Columns looked up and columns of numbers, side by side; statistics over the batch; softmax.
Plan plan_of(bool looks_at_batch) {
  const auto layer_of = [](Kind kind, std::size_t units, std::vector<std::size_t> sources) {
    LayerPlan layer;
    layer.kind = kind, layer.units = units, layer.sources = std::move(sources);
    layer.epsilon = 1e-3, layer.momentum = 0.1;
    return layer;
  };
  LayerPlan coded = layer_of(Kind::columns, 2, {0}), numeric = layer_of(Kind::columns, 4, {0});
  numeric.first = 2;
  LayerPlan embedding = layer_of(Kind::embedding, 6, {1});
  embedding.counts = {5, 300};
  Plan plan;
  plan.inputs = inputs;
  plan.layers = {coded, embedding, numeric, layer_of(Kind::parallel, 10, {2, 3}),
                 layer_of(looks_at_batch ? Kind::batch_norm : Kind::layer_norm, 10, {4}),
                 layer_of(Kind::dense, 35, {5}), layer_of(Kind::dense, outputs, {6})};
  plan.layers[5].activation = ActivationName::relu;
  plan.layers[6].activation = ActivationName::softmax;
  plan.cost = CostName::categorical_cross_entropy;
  plan.clip_norm = plan.max_norm = 1;
  return plan;
}

// What a caller hands over, each array as long as it has to be and no longer.
template <class T, class Index> struct Caller {
  std::vector<T> X, Y, weights, data, out, jacobian;
  std::vector<Index> indices, indptr;
  std::vector<std::int64_t> order;
  std::vector<double> rates, costs, statistics;
  std::atomic<bool> changed{false};

  Caller() {
    Numbers numbers;
    X = numbers.vector<T>(rows * inputs), Y = numbers.vector<T>(rows * outputs);
    weights = std::vector<T>(rows, T(1)), data = numbers.vector<T>(2 * rows);
    out = std::vector<T>(rows * outputs), jacobian = std::vector<T>(rows * outputs * inputs);
    for (std::size_t i = 0; i < entries; ++i) order.push_back(std::int64_t(i % rows));
    for (std::size_t i = 0; i < data.size(); ++i) indices.push_back(Index(i % inputs));
    for (std::size_t i = 0; i <= rows; ++i) indptr.push_back(Index(2 * i));
    rates = std::vector<double>((entries + batch - 1) / batch, 1e-3), costs = rates;
    statistics = std::vector<double>(3 * rates.size() * plan_of(false).owners());
  }

  // One number of each array, now sound, now not.
  void mutate(std::mt19937& random) {
    const double far[] = {0, 1, -1, 4, 299, 1e30, -1e30, std::numeric_limits<double>::quiet_NaN(),
                          std::numeric_limits<double>::infinity()};
    const std::int64_t wild[] = {0, 1, -1, 5, 95, 191, 193, 1 << 30,
                                 std::numeric_limits<std::int64_t>::max(),
                                 std::numeric_limits<std::int64_t>::min()};
    const auto put = [&](auto& array, const auto& values) {
      using Number = typename std::decay_t<decltype(array)>::value_type;
      const auto value = values[random() % std::size(values)];
      static_cast<volatile Number&>(array[random() % array.size()]) = static_cast<Number>(value);
    };
    put(order, wild), put(indices, wild), put(indptr, wild);
    for (std::vector<T>* array : {&X, &Y, &weights, &data, &out}) put(*array, far);
    for (std::vector<double>* array : {&rates, &costs, &statistics}) put(*array, far);
  }

  Rows<T> examples(bool sparse) {
    if (!sparse) return rows_of(X, inputs);
    Rows<T> found;
    found.count = rows, found.width = inputs;
    found.compressed = {data.data(), indices.data(), indptr.data(), sizeof(Index) == 8,
                        data.size(), &changed};
    return found;
  }

  void call(Runner<T>& runner, bool sparse, std::size_t threads) {
    Job<T> job;
    job.X = examples(sparse), job.Y = rows_of(Y, outputs), job.weights = rows_of(weights, 1);
    Job<T> all = job;
    all.entries = all.batch_size = rows;
    runner.gradients(all, threads);
    runner.cost(job.X, job.Y, job.weights, true, threads);
    runner.predict(job.X, {reinterpret_cast<char*>(out.data()), outputs * sizeof(T), sizeof(T),
                           rows, outputs}, threads);
    runner.jacobian(job.X, jacobian.data());
    job.order = order.data(), job.entries = entries, job.batch_size = batch;
    job.rates = rates.data(), job.costs = costs.data(), job.changed = &changed;
    const std::size_t each = statistics.size() / 3;
    for (std::size_t i = 0; i < 3; ++i) job.statistics[i] = statistics.data() + i * each;
    runner.train(job, threads);
    job.costs = nullptr;  // goes on where a cost is not finite
    runner.train(job, threads);
  }
};

template <class T, class Index> void test_changing_arrays() {
  Caller<T, Index> caller;
  std::atomic<bool> done{false};
  std::thread mutator([&] {
    std::mt19937 random(3);
    while (!done.load()) caller.mutate(random);
  });
  for (const bool looks_at_batch : {false, true}) {
    for (const bool sparse : {false, true}) {
      for (std::size_t round = 0; round < 9; ++round) {
        caller.changed = false;
        Runner<T> runner(plan_of(looks_at_batch));
        caller.call(runner, sparse, 1 + round % 3);
        expect(caller.changed, "an index that leads nowhere is noted");
      }
    }
  }
  done = true;
  mutator.join();
}

}  // namespace

int main() {
  try {
    test_changing_arrays<float, std::int32_t>(), test_changing_arrays<double, std::int32_t>();
    test_changing_arrays<float, std::int64_t>(), test_changing_arrays<double, std::int64_t>();
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  std::puts("arrays that change under a call lead nowhere");
}
