// The core's own tests, small enough to run under sanitizers: products against their definition,
// gradients against differences, and every row of every table through training on several threads.
#include <cstdio>

#include "check.hpp"
#include "kernels/outer.hpp"
#include "network.hpp"
#include "runner.hpp"
#include "step.hpp"

namespace {

using namespace deltarule;

// Each product, and its transposed form, against the sum that defines it.
template <class T> void test_products() {
  Numbers numbers;
  const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;
  const std::size_t sizes[] = {1, 2, 3, 5, 7, 16, 17, 33, 100, 300};
  for (const std::size_t rows : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (const std::size_t k : sizes) {
      for (const std::size_t n : {1, 3, 4, 16, 18, 65}) {
        Matrix<T> a = numbers.matrix<T>(rows, k), w = numbers.matrix<T>(k, n);
        Matrix<T> wt(n, k), out(rows, n), dots(rows, n), many(rows, n);
        for (std::size_t i = 0; i < k; ++i)
          for (std::size_t j = 0; j < n; ++j) wt.view().at(j, i) = w.view().at(i, j);
        const Buffer<T> zeros(panel_count<T>(n) * P<T>);
        columns_product(readable(a.view()), k, w.view().data, w.view().stride, panel_count<T>(n),
                        zeros.data(), out.view(), rows);
        dots_product(readable(a.view()), readable(wt.view()), panel_count<T>(k), dots.view(), rows,
                     n);
        transposed_product(readable(a.view()), k, readable(wt.view()), n, zeros.data(),
                           many.view(), rows);
        for (std::size_t r = 0; r < rows; ++r) {
          for (std::size_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::size_t i = 0; i < k; ++i)
              sum += double(a.view().at(r, i)) * double(w.view().at(i, j));
            for (Matrix<T>* found : {&out, &dots, &many})
              expect(std::abs(double(found->view().at(r, j)) - sum) < tolerance, "product");
          }
        }
      }
    }
  }
  for (const std::size_t m : {1, 5, 300}) {  // examples
    Matrix<T> a = numbers.matrix<T>(m, 23), d = numbers.matrix<T>(m, 19);
    for (std::size_t panel = 0; panel < panel_count<T>(19); ++panel) {
      Buffer<T> strip(23 * P<T>);
      outer_strip(readable(a.view()), readable(d.view()), m, 0, 23, panel, strip.data());
      for (std::size_t row = 0; row < 23; ++row) {
        for (std::size_t lane = 0; lane < P<T> && panel * P<T> + lane < 19; ++lane) {
          double sum = 0;
          for (std::size_t ex = 0; ex < m; ++ex)
            sum += double(a.view().at(ex, row)) * double(d.view().at(ex, panel * P<T> + lane));
          expect(std::abs(double(strip[row * P<T> + lane]) - sum) < 10 * tolerance, "outer");
        }
      }
    }
  }
}

Plan plan_of(ActivationName activation, CostName cost, ActivationName output) {
  Plan plan;
  plan.inputs = 11;
  LayerPlan hidden, last;
  hidden.units = 35, hidden.activation = activation, hidden.number = 0.1;
  LayerPlan narrow = hidden;
  narrow.units = 2;
  last.units = 3, last.activation = output;
  plan.layers = {hidden, narrow, last};
  plan.cost = cost, plan.cost_number = cost == CostName::softmax_cross_entropy ? 3 : 2;
  return plan;
}

template <class T> void randomise(Runner<T>& runner, Numbers& numbers) {
  std::size_t inputs = runner.plan().inputs;
  for (std::size_t l = 0; l < runner.plan().layers.size(); ++l) {
    const std::size_t n = runner.plan().layers[l].units;
    runner.set(Array::parameter, l, false, rows_of(numbers.vector<T>(n * inputs), inputs));
    runner.set(Array::parameter, l, true, rows_of(numbers.vector<T>(n), 1));
    inputs = n;
  }
}

template <class T> std::vector<T> weights_of(Runner<T>& runner, Array which, std::size_t l) {
  const std::size_t inputs = l == 0 ? runner.plan().inputs : runner.plan().layers[l - 1].units;
  std::vector<T> W(runner.plan().layers[l].units * inputs);
  runner.get(which, l, false, W.data());
  return W;
}

// dW of a cost against central differences.
void test_gradient() {
  Numbers numbers;
  Runner<double> runner(plan_of(ActivationName::tanh, CostName::half_squared_error,
                                ActivationName::identity));
  randomise(runner, numbers);
  const auto X = numbers.vector<double>(9 * 11), Y = numbers.vector<double>(9 * 3);
  Job<double> job;
  job.X = rows_of(X, 11), job.Y = rows_of(Y, 3);
  job.entries = job.batch_size = 9;
  runner.gradients(job, 1);
  for (std::size_t l = 0; l < 3; ++l) {
    const auto dW = weights_of(runner, Array::derivative, l);
    const auto W = weights_of(runner, Array::parameter, l);
    const std::size_t inputs = l == 0 ? 11 : runner.plan().layers[l - 1].units;
    for (std::size_t i = 0; i < W.size(); i += 7) {
      const auto cost_at = [&](double change) {
        auto changed = W;
        changed[i] += change;
        runner.set(Array::parameter, l, false, rows_of(changed, inputs));
        return runner.cost(job.X, job.Y, {}, true, 1);
      };
      const double slope = (cost_at(1e-5) - cost_at(-1e-5)) / 2e-5;
      cost_at(0);
      expect(std::abs(slope - dW[i]) < 1e-8, "gradient");
    }
  }
}

// Trains with that many threads, predicts, and returns all weights.
template <class T> std::vector<T> trained(const Plan& plan, std::size_t threads, bool statistics) {
  Numbers numbers;
  Runner<T> runner(plan);
  randomise(runner, numbers);
  const std::size_t m = 50, n = 3;
  const auto X = numbers.vector<T>(m * 11), s = std::vector<T>(m, T(0.5));
  std::vector<T> Y(m * n);
  for (std::size_t i = 0; i < m; ++i) Y[i * n + i % n] = 1;
  std::vector<std::int64_t> order(m);
  for (std::size_t i = 0; i < m; ++i) order[i] = static_cast<std::int64_t>((i * 17) % m);
  std::vector<double> rates(m, 1e-3), costs(m), figures(3 * m * 3);
  Job<T> job;
  job.X = rows_of(X, 11), job.Y = rows_of(Y, n), job.weights = rows_of(s, 1);
  job.order = order.data(), job.entries = m, job.batch_size = 13;
  job.rates = rates.data(), job.costs = costs.data();
  if (statistics)
    for (std::size_t i = 0; i < 3; ++i) job.statistics[i] = figures.data() + i * m * 3;
  runner.train(job, threads);
  expect(job.done == 4, "all batches done");
  std::vector<T> out(m * n), jacobian(m * n * 11);
  runner.predict(job.X, {reinterpret_cast<char*>(out.data()), n * sizeof(T), sizeof(T), m, n},
                 threads);
  runner.jacobian(job.X, jacobian.data());
  for (std::size_t l = 0; l < 3; ++l)
    for (const T w : weights_of(runner, Array::parameter, l)) out.push_back(w);
  return out;
}

template <class T> void same_for_any_threads(const Plan& plan, bool statistics = false) {
  const auto one = trained<T>(plan, 1, statistics);
  for (const std::size_t threads : {2, 3})
    expect(trained<T>(plan, threads, statistics) == one, "the same bits on several threads");
}

// Compressed rows, with empty ones and entries that stand apart and twice, give the bits of the
// same numbers in dense rows: trained on in any order, and predicted.
template <class T, class Index> void test_compressed_rows() {
  const std::size_t m = 21, width = 11, outputs = 3;
  Numbers numbers;
  std::vector<T> dense(m * width), data;
  std::vector<Index> indices, indptr = {0};
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t step = 0; i % 5 != 4 && step < 7; ++step) {
      const std::size_t column = (4 * (i + step)) % (width - i % 2);
      const T value = std::ldexp(T(1 + step), -3);  // sums of these are exact in any order
      data.push_back(value), indices.push_back(static_cast<Index>(column));
      dense[i * width + column] += value;
    }
    indptr.push_back(static_cast<Index>(data.size()));
  }
  Rows<T> compressed;
  compressed.count = m, compressed.width = width;
  compressed.compressed = {data.data(), indices.data(), indptr.data(), sizeof(Index) == 8,
                           data.size()};

  const auto Y = numbers.vector<T>(m * outputs);
  std::vector<std::int64_t> order(m);
  for (std::size_t i = 0; i < m; ++i) order[i] = static_cast<std::int64_t>((8 * i) % m);
  const std::vector<double> rates(m, 1e-2);
  const auto run = [&](const Rows<T>& X, std::size_t threads) {
    Numbers own;
    Runner<T> runner(plan_of(ActivationName::tanh, CostName::mse, ActivationName::identity));
    randomise(runner, own);
    std::vector<double> costs(m);
    Job<T> job;
    job.X = X, job.Y = rows_of(Y, outputs), job.order = order.data();
    job.entries = m, job.batch_size = 5, job.rates = rates.data(), job.costs = costs.data();
    runner.train(job, threads);
    std::vector<T> out(m * outputs);
    runner.predict(X, {reinterpret_cast<char*>(out.data()), outputs * sizeof(T), sizeof(T), m,
                       outputs}, threads);
    for (const double cost : costs) out.push_back(static_cast<T>(cost));
    return out;
  };
  const auto expected = run(rows_of(dense, width), 1);
  for (const std::size_t threads : {1, 2})
    expect(run(compressed, threads) == expected, "compressed rows give the bits of dense ones");
}

template <class T> void test_tables() {
  using A = ActivationName;
  for (int name = 0; name <= static_cast<int>(A::cos); ++name) {
    Plan plan = plan_of(static_cast<A>(name), CostName::mse, A::identity);
    same_for_any_threads<T>(plan);
    plan.layers[0].dropout = plan.input_dropout = {true, 1u << 31, 2.0};
    same_for_any_threads<T>(plan);
  }
  for (int name = 0; name <= static_cast<int>(CostName::softmax_cross_entropy); ++name)
    for (const A output : {A::sigmoid, A::softmax})
      same_for_any_threads<T>(plan_of(A::tanh, static_cast<CostName>(name), output));
  same_for_any_threads<T>(plan_of(A::tanh, CostName::poisson, A::exp));
  for (int name = 0; name < static_cast<int>(OptimizerName::lbfgs); ++name) {
    Plan plan = plan_of(A::tanh, CostName::mse, A::identity);
    plan.optimizer = {static_cast<OptimizerName>(name), 0.9, 0.9, 0.9, 0.99, 1e-8, false, false};
    same_for_any_threads<T>(plan);
    plan.l1 = plan.l2 = plan.decay = 1e-2;
    plan.clip_norm = plan.clip_value = plan.max_norm = 0.5;
    same_for_any_threads<T>(plan, true);
  }
}

}  // namespace

int main() {
  try {
    test_math();
    test_rows();
    test_programs();
    test_bfloat16();
    test_layers();
    test_pace();
    test_products<float>(), test_products<double>();
    test_gradient();
    test_compressed_rows<float, std::int32_t>(), test_compressed_rows<double, std::int32_t>();
    test_compressed_rows<float, std::int64_t>(), test_compressed_rows<double, std::int64_t>();
    test_tables<float>(), test_tables<double>();
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  std::puts("the core's own tests passed");
}
