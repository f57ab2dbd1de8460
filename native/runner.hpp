// A plan with parameters: what the Python binding talks to, and hot_loop.hpp for programs in C++.
//
//     deltarule::Plan plan;                      // 8-64-4, ReLU, squared error, Adam
//     plan.inputs = 8;
//     plan.layers = {{64, ActivationName::relu}, {4, ActivationName::identity}};
//     plan.optimizer = {OptimizerName::adam, 0, 0, 0.9, 0.999, 1e-8};
//     deltarule::Runner<float> runner(plan);
//     runner.set(...);                           // parameters start at zero
//     runner.train(job, 0, [] { return false; });
//
// A runner serves one call at a time; two runners may work side by side. No method checks its
// arguments' values: the binding does.
#pragma once

#include <functional>
#include <memory>

#include "plan.hpp"
#include "rows.hpp"

namespace deltarule {

template <class T> struct Job;

// Asked about every 50 ms on the caller's thread: whether to end the call.
using Interrupted = std::function<bool()>;
inline bool never() { return false; }

// Which array of a layer: its parameter (slot −1), or a slot of the optimizer; or its derivative.
enum class Array : int { derivative = -2, parameter = -1, first_slot = 0, second_slot = 1 };

template <class T> class Runner {
 public:
  explicit Runner(Plan plan);
  ~Runner();

  // Steps; `threads` 0 chooses by the work. Interrupted, it ends after a whole step; the calls below
  // end anywhere, and what they found is no result.
  void train(Job<T>& job, std::size_t threads, const Interrupted& interrupted = never);
  // The derivatives of the penalised cost; read them with get(Array::derivative, …).
  void gradients(Job<T>& job, std::size_t threads, const Interrupted& interrupted = never);
  // The weighted mean loss; with `penalised` also smoothing and penalties.
  double cost(const Rows<T>& X, const Rows<T>& Y, const Rows<T>& weights, bool penalised,
              std::size_t threads, const Interrupted& interrupted = never);
  void predict(const Rows<T>& X, const WritableRows<T>& out, std::size_t threads,
               const Interrupted& interrupted = never);
  // out: one row an example, outputs × inputs numbers, contiguous.
  void jacobian(const Rows<T>& X, T* out, const Interrupted& interrupted = never);

  // Array number `place` of layer l, from 0, as C-ordered numbers: W (units × inputs) is 0, b
  // (units × 1) is 1; other kinds' are units × 1, in the order of their `shapes` in layers/.
  void get(Array which, std::size_t l, std::size_t place, T* out);
  void set(Array which, std::size_t l, std::size_t place, const Rows<T>& values);

  const Plan& plan() const;
  std::uint64_t step() const;
  void set_step(std::uint64_t step);
  // About how many fmas a prediction or a step of so many rows takes.
  double work(std::size_t rows, bool step) const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace deltarule
