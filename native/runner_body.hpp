// Runner's methods, for the two files that instantiate them.
#pragma once

#include <algorithm>
#include <chrono>

#include "jacobian.hpp"
#include "pace.hpp"
#include "runner.hpp"
#include "step.hpp"

namespace deltarule {

// Rows that a prediction takes through all layers at once.
inline constexpr std::size_t chunk_rows = 48;
// Fmas of a step that are worth a thread of their own: some four microseconds, several times a
// barrier; and how many there must be for each number that threads exchange between their caches,
// which takes as long as a dozen. So many threads a team has; whether it pays is measured.
inline constexpr double step_work_per_thread = 200e3, work_per_exchange = 32;
// Fmas for which starting a thread pays.
inline constexpr double call_work_per_thread = 4e6;
// How many between two looks at the clock: some tens of microseconds.
inline constexpr double work_per_look = 1e6;

using Clock = std::chrono::steady_clock;

// Asks about every 50 ms of work whether to end a call. To a tiny step a look at the clock is
// something, so the work since is counted first.
class Watch {
 public:
  explicit Watch(const Interrupted& interrupted) : interrupted_(interrupted) {}

  bool operator()(double fmas) {
    if ((since_ += fmas) < work_per_look) return false;
    since_ = 0;
    const auto now = Clock::now();
    if (asked_ == Clock::time_point()) asked_ = now;
    if (now - asked_ < std::chrono::milliseconds(50)) return false;
    asked_ = now;
    const KeepTiny keep;  // signals run Python's code
    return interrupted_();
  }

 private:
  const Interrupted& interrupted_;
  double since_ = 0;
  Clock::time_point asked_{};
};

template <class T> struct Runner<T>::Inside {
  explicit Inside(Plan plan) : stepper(std::move(plan)) {}

  Stepper<T> stepper;
  Batch<T> chunk;        // for predictions on one thread
  Jacobian<T> jacobian;

  Pace pace;  // of steps whose number of threads is ours to choose

  // Asking the system takes longer than a small network's step, so it is asked once.
  const double cores = double(usable_cores());

  Batch<T> new_chunk() { return Batch<T>(stepper.layers(), stepper.cost_reads_Z(), chunk_rows, false); }

  // As many threads as were asked for, else as the work pays for; no more than there are shares.
  std::size_t threads(std::size_t wanted, double paid, std::size_t shares) const {
    const double count = wanted > 0 ? double(wanted) : std::clamp(paid, 1.0, cores);
    return std::clamp<std::size_t>(shares, 1, static_cast<std::size_t>(count));
  }

  void run(Job<T>& job, std::size_t wanted, const Interrupted& interrupted) {
    stepper.reserve(job);
    const std::size_t rows = std::min(job.batch_size, job.entries);
    const double step_work = stepper.work_of_step(rows);
    const double for_work = step_work / step_work_per_thread;
    const double for_exchange = step_work / stepper.exchanged_in_step(rows) / work_per_exchange;
    const double for_call = step_work * double(job.batches()) / call_work_per_thread;
    const bool pays = for_work >= 2 && for_call >= 2 && cores >= 2;
    const double paid = pays ? std::max(2.0, std::min({for_work, for_exchange, for_call})) : 1;
    const std::size_t count = threads(wanted, paid, rows);
    const bool measured = wanted == 0 && count > 1 && job.update;
    Watch watch(interrupted);
    stepper.begin(job);
    if (measured) {
      pace.begin(rows, for_exchange >= 2);
      while (turn(job, count, watch)) stepper.go_on();
    } else {
      steps(job, count, std::ref(watch));
    }
    stepper.end();
  }

  // The job's next steps, until `poll` stops them.
  template <class Poll> void steps(Job<T>& job, std::size_t count, Poll poll) {
    Barrier barrier(count, double(count) > cores);
    const std::size_t first = job.done;
    run_team(count, [&](std::size_t thread) {
      stepper.work(job, first, job.batches(), thread, count, barrier, poll);
    });
  }

  // The steps of one turn, by one thread or by a team of `count`; whether there is another turn.
  bool turn(Job<T>& job, std::size_t count, Watch& watch) {
    const auto began = Clock::now();
    const std::size_t first = job.done;
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    bool over = false;
    double unseen = 0;
    steps(job, pace.team() ? count : 1, [&](double fmas) {
      const bool interrupted = watch(fmas);
      if ((unseen += fmas) >= work_per_look) over = !interrupted && pace.over(seconds()), unseen = 0;
      return interrupted || over;
    });
    pace.made(seconds(), job.done - first);
    return over && job.done < job.batches();
  }

  // Call use(batch, first, rows) for chunks of `total` rows, on a team where that pays.
  template <class Use>
  void each_chunk(std::size_t total, std::size_t wanted, const Interrupted& interrupted,
                  const Use& use) {
    const std::size_t chunks = (total + chunk_rows - 1) / chunk_rows;
    const double work = stepper.work_of_step(total) / 3;
    const std::size_t count = threads(wanted, work / call_work_per_thread, chunks);
    const double chunk_work = work / double(chunks);
    Watch watch(interrupted);
    std::atomic<bool> stop{false};
    const auto some = [&](Batch<T>& batch, Share share) {
      for (std::size_t i = share.first; i < share.last; ++i) {
        use(batch, i * chunk_rows, std::min(chunk_rows, total - i * chunk_rows));
        if (share.first == 0 && watch(chunk_work)) stop.store(true, std::memory_order_relaxed);
        if (stop.load(std::memory_order_relaxed)) return;
      }
    };
    if (chunk.capacity == 0) chunk = new_chunk();
    if (count == 1) return some(chunk, {0, chunks});
    std::vector<Batch<T>> batches;
    for (std::size_t thread = 1; thread < count; ++thread) batches.push_back(new_chunk());
    run_team(count, [&](std::size_t thread) {
      some(thread == 0 ? chunk : batches[thread - 1], share_of(chunks, thread, count));
    });
  }

  void forward(Batch<T>& batch, const Rows<T>& X, std::size_t first, std::size_t rows) {
    const FlushTiny flush;
    for (std::size_t i = 0; i < rows; ++i) {
      X.copy(first + i, batch.A[0].view(), i);
      if (first + rows + i < X.count) X.fetch(first + rows + i);  // the next chunk's
    }
    feed_forward(stepper.layers(), batch, stepper.plan().input_dropout, Dropping{}, 0, rows);
  }
};

template <class T> Runner<T>::Runner(Plan plan) : inside_(new Inside(std::move(plan))) {}
template <class T> Runner<T>::~Runner() = default;
template <class T> const Plan& Runner<T>::plan() const { return inside_->stepper.plan(); }
template <class T> std::uint64_t Runner<T>::step() const { return inside_->stepper.step; }
template <class T> void Runner<T>::set_step(std::uint64_t step) { inside_->stepper.step = step; }
template <class T> double Runner<T>::work(std::size_t rows, bool step) const {
  return inside_->stepper.work_of_step(rows) / (step ? 1 : 3);
}

template <class T>
void Runner<T>::train(Job<T>& job, std::size_t threads, const Interrupted& interrupted) {
  inside_->run(job, threads, interrupted);
}

template <class T>
void Runner<T>::gradients(Job<T>& job, std::size_t threads, const Interrupted& interrupted) {
  job.update = false;
  inside_->run(job, threads, interrupted);
}

template <class T>
double Runner<T>::cost(const Rows<T>& X, const Rows<T>& Y, const Rows<T>& weights, bool penalised,
                       std::size_t threads, const Interrupted& interrupted) {
  Stepper<T>& stepper = inside_->stepper;
  stepper.refresh_tables();
  Buffer<double> parts((X.count + chunk_rows - 1) / chunk_rows);
  const auto sum = [&](Batch<T>& batch, std::size_t first, std::size_t rows) {
    for (std::size_t i = 0; i < rows; ++i) stepper.copy_target(Y, first + i, batch, i, penalised);
    inside_->forward(batch, X, first, rows);
    parts[first / chunk_rows] = stepper.losses(batch, weights, first, rows);
  };
  inside_->each_chunk(X.count, threads, interrupted, sum);
  double weight = double(X.count);
  if (weights) {
    weight = 0;
    for (std::size_t i = 0; i < X.count; ++i) weight += double(weights.at(i, 0));
  }
  return stepper.mean_cost(parts, weight, penalised);
}

template <class T>
void Runner<T>::predict(const Rows<T>& X, const WritableRows<T>& out, std::size_t threads,
                        const Interrupted& interrupted) {
  const auto write = [&](Batch<T>& batch, std::size_t first, std::size_t rows) {
    inside_->forward(batch, X, first, rows);
    const Panels<T> A = batch.A.back().view();
    for (std::size_t i = 0; i < rows; ++i) out.copy(A, i, first + i);
  };
  inside_->stepper.refresh_tables();
  inside_->each_chunk(X.count, threads, interrupted, write);
}

template <class T>
void Runner<T>::jacobian(const Rows<T>& X, T* out, const Interrupted& interrupted) {
  inside_->stepper.refresh_tables();
  std::vector<Layer<T>>& layers = inside_->stepper.layers();
  Jacobian<T>& jacobian = inside_->jacobian;
  if (jacobian.empty()) jacobian = Jacobian<T>(layers);
  const std::size_t outputs = layers.back().n, size = outputs * layers.front().n_prev;
  const double fmas = work(1, false) * double(outputs + 1);
  Watch watch(interrupted);
  const FlushTiny flush;
  for (std::size_t i = 0; i < X.count && !watch(fmas); ++i)
    jacobian.of(layers, X, i, out + i * size);
}

// Where an array stands in panels: call use(unit, input, number) for each of its numbers.
template <class T, class Use>
void each_number(Stepper<T>& stepper, Array which, std::size_t l, std::size_t place, Use use) {
  Layer<T>& layer = stepper.layers()[l];
  const bool derivative = which == Array::derivative;
  const auto slot = static_cast<std::size_t>(std::max(0, static_cast<int>(which)));
  if (place > 0) {
    Buffer<T>& b = place == 2                  ? layer.mean
                   : place == 3                ? layer.variance
                   : derivative                ? stepper.gradients()[l].b
                   : which == Array::parameter ? layer.b
                                               : layer.b_slots[slot];
    for (std::size_t unit = 0; unit < layer.n; ++unit) use(unit, 0, layer.at(b, unit));
    return;
  }
  Matrix<T>& W = derivative                  ? stepper.gradients()[l].W
                 : which == Array::parameter ? layer.W
                                             : layer.W_slots[slot];
  for (std::size_t unit = 0; unit < layer.outputs; ++unit) {
    T* const first = &layer.at(W, unit, 0);  // the place of a unit takes divisions
    for (std::size_t input = 0; input < layer.inputs; ++input)
      use(unit, input, layer.by_units ? first[input * P<T>] : layer.at(W, unit, input));
  }
}

template <class T> void Runner<T>::get(Array which, std::size_t l, std::size_t place, T* out) {
  each_number(inside_->stepper, which, l, place,
              [&](std::size_t, std::size_t, T& number) { *out++ = number; });
}

template <class T>
void Runner<T>::set(Array which, std::size_t l, std::size_t place, const Rows<T>& values) {
  inside_->stepper.parameters_changed();
  each_number(inside_->stepper, which, l, place,
              [&](std::size_t unit, std::size_t input, T& number) { number = values.at(unit, input); });
  inside_->stepper.layers()[l].round();
}

}  // namespace deltarule
