// The hot loop from C++: a network that predicts and learns a few rows at a time, without Python.
//
//     deltarule::Plan plan;                      // 8-64-4, ReLU, squared error, Adam
//     plan.inputs = 8;
//     plan.layers.resize(2);
//     plan.layers[0].units = 64, plan.layers[0].activation = deltarule::ActivationName::relu;
//     plan.layers[1].units = 4;
//     plan.optimizer = {deltarule::OptimizerName::adam, 0, 0, 0.9, 0.999, 1e-8};
//     deltarule::HotLoop<float> network(plan);
//     network.set(0, W1, b1), network.set(1, W2, b2);
//     double cost = network.step(x, y, 1, 1e-3);
//     network.predict_into(x, 1, out);
//
// Arrays are the caller's: rows one after another, `m` of them, no strides. `Plan` (plan.hpp) has
// the settings, by the names of the Python side; a cost's derivative and all updates are those of
// engines/native.py, to the bit. A call allocates nothing once one of its kind with as many rows
// has been made, but for the threads that it starts where `threads` is not 1.
//
// Compile with the flags of native/flags.cmake, and link runner_float.cpp or runner_double.cpp:
//
//     c++ -std=c++17 -O3 -mavx2 -mfma -ffp-contract=fast -fno-math-errno -fno-trapping-math
//         -I native yours.cpp native/runner_float.cpp -pthread
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "runner.hpp"
#include "step.hpp"

namespace deltarule {

template <class T> class HotLoop {
 public:
  // Parameters start at zero. `threads`: of a call; 0 chooses by the work, and the results are the
  // same bits for any. Throws std::invalid_argument for a plan without layers, units or inputs, or
  // with LBFGS, which does not step by batches, or with mixed in double.
  explicit HotLoop(const Plan& plan, std::size_t threads = 1)
      : runner_(new Runner<T>(checked(plan))), threads_(threads) {}

  std::size_t inputs() const { return runner_->plan().inputs; }
  std::size_t outputs() const { return runner_->plan().layers.back().units; }
  std::size_t layers() const { return runner_->plan().layers.size(); }
  std::size_t units(std::size_t l) const { return layer(l).units; }
  // How many steps have been made.
  std::uint64_t steps() const { return runner_->step(); }

  // Parameters of layer l, from 0: W is units × its inputs, one row a unit; b one number a unit.
  void set(std::size_t l, const T* W, const T* b) {
    const std::size_t n = layer(l).units, n_prev = inputs_of(l);
    runner_->set(Array::parameter, l, false, rows(W, n, n_prev));
    runner_->set(Array::parameter, l, true, rows(b, n, 1));
  }
  void get(std::size_t l, T* W, T* b) {
    layer(l);
    runner_->get(Array::parameter, l, false, W);
    runner_->get(Array::parameter, l, true, b);
  }

  // One update from a batch; returns the cost before it.
  double step(const T* X, const T* Y, std::size_t m, double rate) {
    double cost = 0;
    Job<T> job = job_of(X, m);
    job.Y = rows(Y, m, outputs());
    job.costs = &cost;
    update(job, rate);
    return cost;
  }

  // One update from the caller's own ∂(summed loss)/∂A[L]: Eq. 10–12 begin there.
  void step_from(const T* X, const T* dA, std::size_t m, double rate) {
    Job<T> job = job_of(X, m);
    job.dA = rows(dA, m, outputs());
    update(job, rate);
  }

  // A[L], m × outputs.
  void predict_into(const T* X, std::size_t m, T* out) {
    const auto stride = static_cast<std::ptrdiff_t>(outputs() * sizeof(T));
    runner_->predict(rows(X, m, inputs()),
                    {reinterpret_cast<char*>(out), stride, sizeof(T), m, outputs()}, threads_);
  }

  // ∂A[L]/∂A[0] of each example: m × outputs × inputs.
  void jacobian_into(const T* X, std::size_t m, T* out) {
    runner_->jacobian(rows(X, m, inputs()), out);
  }

 private:
  static const Plan& checked(const Plan& plan) {
    bool holds = plan.inputs > 0 && !plan.layers.empty();
    for (const LayerPlan& layer : plan.layers) {
      holds = holds && layer.units > 0;
      if (layer.kind != Kind::dense)
        throw std::invalid_argument("plan: expected layers with weights and biases only");
    }
    if (!holds)
      throw std::invalid_argument("plan: expected inputs and at least one layer, each of at least "
                                  "one unit");
    if (plan.mixed && !std::is_same_v<T, float>)
      throw std::invalid_argument("plan: mixed keeps its parameters in float, not in double");
    if (plan.optimizer.name == OptimizerName::lbfgs)
      throw std::invalid_argument("plan: LBFGS does not step by batches; choose another optimizer");
    return plan;
  }

  const LayerPlan& layer(std::size_t l) const {
    if (l >= layers())
      throw std::invalid_argument("layer: expected 0 to " + std::to_string(layers() - 1) +
                                  ", got " + std::to_string(l));
    return runner_->plan().layers[l];
  }
  std::size_t inputs_of(std::size_t l) const { return l == 0 ? inputs() : layer(l - 1).units; }

  static Rows<T> rows(const T* values, std::size_t m, std::size_t width) {
    if (m == 0 || values == nullptr)
      throw std::invalid_argument("rows: expected at least one, and where they are");
    Rows<T> found;
    found.data = reinterpret_cast<const char*>(values);
    found.row_stride = static_cast<std::ptrdiff_t>(width * sizeof(T));
    found.count = m, found.width = width;
    return found;
  }

  Job<T> job_of(const T* X, std::size_t m) const {
    Job<T> job;
    job.X = rows(X, m, inputs());
    job.entries = job.batch_size = m;
    return job;
  }

  void update(Job<T>& job, double rate) {
    job.rates = &rate;
    runner_->train(job, threads_);
  }

  std::unique_ptr<Runner<T>> runner_;
  std::size_t threads_;
};

}  // namespace deltarule
