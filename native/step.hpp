// One training step as a team of threads makes it.
//
// Phase 1, by example: each thread takes a range of the batch's rows forward, through the cost,
// and back. Rows do not depend on each other, so layers need no barrier. Barrier.
// Phase 2, by parameter: each thread takes a range of the strips of all layers, sums dW over the
// examples and updates the strip while it is in the first-level cache. Barrier.
//
// Layers with hats have their tables made before phase 1, and a barrier then; a Scale in hats is
// updated behind another one at the end of phase 2, for its dW is a sum of what other strips find.
//
// Clipping by norm, max-norm and statistics need all of dW first: they keep it in memory and
// update in a second pass. Nothing that a thread adds up depends on how many there are.
#pragma once

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "job.hpp"
#include "kernels/outer.hpp"
#include "network.hpp"
#include "regularisation.hpp"
#include "threads.hpp"

namespace deltarule {

template <class T> class Stepper {
 public:
  explicit Stepper(Plan plan) : plan_(std::move(plan)) {
    layers_ = layers_of<T>(plan_);
    find_hats(layers_, plan_);
    for (Layer<T>& layer : layers_)  // sums of rows in hats are no products
      if (plan_.mixed && multiplies(layer.kind) && !layer.hats) layer.mix(matrix_units());
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const std::size_t panels = layers_[l].hats ? panel_count<T>(layers_[l].units) : 0;
      for (std::size_t panel = 0; panel < panels; ++panel) tables_.push_back({l, panel});
    }
    cost_ = cost_row<T>(plan_.cost, plan_.layers.back().activation,
                        plan_.cost_program ? &*plan_.cost_program : nullptr);
    update_ = optimizer_row<T>(plan_.optimizer);
    slots_ = plan_.optimizer.slots();
    strips_ = strips_of(layers_);
    looks_at_batch_ = plan_.looks_at_batch();
  }

  std::vector<Layer<T>>& layers() { return layers_; }
  const Plan& plan() const { return plan_; }
  std::vector<Gradient<T>>& gradients() { return gradients_; }
  std::uint64_t step = 0;

  // Memory for batches of that many rows; kept until a larger one comes.
  void reserve(const Job<T>& job) {
    const std::size_t rows = std::min(job.batch_size, job.entries);
    if (batch_.capacity < rows) batch_ = Batch<T>(layers_, cost_.from_Z, rows, true);
    if (two_passes(job) && gradients_.empty()) {  // last: what memory cannot hold leaves it empty
      squares_ = Buffer<double>(strips_.rows);
      gradients_ = std::vector<Gradient<T>>(layers_.begin(), layers_.end());
    }
    if (plan_.penalised() && penalties_.size() == 0) penalties_ = Buffer<double>(strips_.parts);
    if (job.statistics[0] != nullptr && before_.empty())
      before_ = std::vector<Before<T>>(layers_.begin(), layers_.end());
  }

  // Arithmetic of one step on one thread: about how many fmas.
  double work_of_step(std::size_t m) const {
    double products = 0, parameters = 0;
    for (const Layer<T>& layer : layers_) {
      const double lanes = double(panel_count<T>(layer.lanes()) * P<T>);
      const double size = double(layer.rows_of_group()) * lanes;
      if (layer.hats) products += 3 * double(layer.hats->capacity) * lanes;
      else if (!layer.passed_over)
        products += 3 * (multiplies(layer.kind) ? double(layer.groups) * size : double(layer.n));
      parameters += double(layer.blocks) * size;
    }
    return products * double(m) + 16 * parameters + 60 * double(m);
  }

  // Numbers that a thread writes in a step and another reads: parameters, activations, deltas.
  double exchanged_in_step(std::size_t m) const {
    double parameters = 0, units = double(layers_.front().n_prev);
    for (const Layer<T>& layer : layers_) {
      parameters += double(layer.outputs) * double(layer.inputs + 1);
      units += 2.0 * double(layer.n);
    }
    return parameters + double(m) * units;
  }

  // Steps [first, last) of a job on one thread of a team. `poll` is called by thread 0 with the
  // fmas of its work since, and says whether to stop: after each step, or in the middle of
  // derivatives, which then are none.
  template <class Poll>
  void work(Job<T>& job, std::size_t first, std::size_t last, std::size_t thread,
            std::size_t threads, Barrier& barrier, Poll poll) {
    const auto look = [&](double fmas) {
      if (thread == 0 && poll(fmas)) stop_.store(true, std::memory_order_relaxed);
      return stop_.load(std::memory_order_relaxed);
    };
    const double fmas = work_of_step(std::min(job.batch_size, job.entries));
    const FlushTiny flush;  // once a call: switching takes as long as many multiplications
    for (std::size_t batch = first; batch < last; ++batch) {
      const StepPlace at = place_of(job, batch);
      if (!tables_.empty()) {
        make_tables(share_of(tables_.size(), thread, threads));
        barrier.wait();
      }
      by_example(job, at, thread, threads, barrier, look);
      if (plan_.penalised()) sum_penalties(share_of(strips_.cost, thread, threads));
      barrier.wait();
      const double cost = cost_of(job, at);
      if (thread == 0 && job.costs != nullptr) job.costs[batch] = cost;
      if (thread == 0) job.done = batch + 1;
      if (job.costs != nullptr && !std::isfinite(cost)) {  // every thread finds the same
        if (thread == 0) stop_.store(true, std::memory_order_relaxed);
        return;
      }
      by_parameter(job, at, thread, threads, barrier, look);
      if (thread == 0) {
        if (job.update) next_step_ = at.step + 1;
        if (batch + 1 < last) weight_ = weight_of(job, batch + 1);
        look(fmas);
      }
      barrier.wait();
      if (stop_.load(std::memory_order_relaxed)) return;
    }
  }
  void begin(const Job<T>& job) {
    next_step_ = start_ = step;
    weight_ = weight_of(job, 0);
    stop_.store(false, std::memory_order_relaxed);
  }
  // After a team has stopped: the steps that are left may follow.
  void go_on() { stop_.store(false, std::memory_order_relaxed); }
  void end() { step = next_step_, tables_are_made_ = false; }
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

  // Tables of the parameters as they are, where they are not made yet: before a prediction.
  void refresh_tables() {
    if (tables_are_made_ || tables_.empty()) return;
    const FlushTiny flush;
    make_tables({0, tables_.size()});
    tables_are_made_ = true;
  }
  void parameters_changed() { tables_are_made_ = false; }

  // ------------------------------------------------------------- the cost without a step

  void copy_target(const Rows<T>& Y, std::size_t from, Batch<T>& batch, std::size_t to,
                   bool smoothed) const {
    const double share = smoothed ? plan_.smoothing : 0.0;
    Y.copy(from, batch.Y.view(), to, T(1.0 - share), T(share * plan_.uniform));
  }

  // Σ of the weighted losses of rows that went forward.
  double losses(Batch<T>& batch, const Rows<T>& weights, std::size_t first, std::size_t rows) {
    apply_cost(batch, 0, rows);
    double total = 0;
    for (std::size_t i = 0; i < rows; ++i)
      total += batch.losses[i] * (weights ? double(weights.at(first + i, 0)) : 1.0);
    return total;
  }

  // The mean of `parts` of losses over the weight of all rows, and the penalty.
  double mean_cost(const Buffer<double>& parts, double weight, bool penalised) {
    double cost = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) cost += parts[i];
    const double divisor = weight > 0 ? weight : weight + 1;
    cost /= divisor;
    if (!penalised || !plan_.penalised()) return cost;
    if (penalties_.size() == 0) penalties_ = Buffer<double>(strips_.parts);
    sum_penalties({0, strips_.cost});
    return cost + penalty(divisor);
  }
  bool cost_reads_Z() const { return cost_.from_Z; }

 private:
  StepPlace place_of(const Job<T>& job, std::size_t batch) const {
    const std::size_t first = batch * job.batch_size;
    const std::size_t m = std::min(job.batch_size, job.entries - first);
    return {batch, first, m, start_ + batch, job.weights ? weight_ : double(m)};
  }

  bool two_passes(const Job<T>& job) const {
    return !job.update || plan_.clip_norm > 0 || plan_.max_norm > 0 || job.statistics[0] != nullptr;
  }

  // Of a batch, by one thread for all: numbers that change meanwhile may not part a team.
  static double weight_of(const Job<T>& job, std::size_t batch) {
    if (!job.weights) return 0;
    const std::size_t first = batch * job.batch_size;
    double total = 0;
    for (std::size_t i = first; i < std::min(first + job.batch_size, job.entries); ++i)
      total += double(job.weights.at(job.row(i), 0));
    return total;
  }

  // ---------------------------------------------------------------- phase 1: by example

  // Rows of derivatives between two looks: of a step, which is made whole, all at once.
  static constexpr std::size_t rows_per_look = 512;

  template <class Look>
  void by_example(const Job<T>& job, const StepPlace& at, std::size_t thread, std::size_t threads,
                  Barrier& barrier, const Look& look) {
    const Share rows = share_of(at.m, thread, threads);
    if (rows.first == rows.last && !looks_at_batch_) return;
    const Whole<T> whole{at.m, job.weights ? batch_.weights.data() : nullptr, T(1 / at.divisor()),
                         thread, threads, &barrier};
    for (Share some = rows; some.first < rows.last || job.update; some.first = some.last) {
      if (!job.update) some.last = std::min(some.first + rows_per_look, rows.last);
      forward_and_back(job, at, some, whole);
      if (job.update || look(work_of_step(some.last - some.first))) return;
    }
  }

  void forward_and_back(const Job<T>& job, const StepPlace& at, Share rows, const Whole<T>& whole) {
    const Dropping dropping{job.update, plan_.seed, at.step};
    gather(job, at, rows);
    feed_forward(layers_, batch_, plan_.input_dropout, dropping, rows.first, rows.last, whole);
    output_deltas(job, rows);
    const Reach reach = job.statistics[0] != nullptr ? Reach::all
                        : two_passes(job)            ? Reach::learning
                                                     : Reach::moving;
    // so many rows pay for transposing weights; the choice may not depend on threads
    back_propagate(layers_, batch_, dropping, rows.first, rows.last, at.m >= 8, reach, whole);
  }

  // The batch's rows into panels, while the next batch's are on their way from memory.
  void gather(const Job<T>& job, const StepPlace& at, Share rows) {
    const T keep = T(1.0 - plan_.smoothing), spread = T(plan_.smoothing * plan_.uniform);
    const bool has_targets(job.Y);
    const Rows<T> X = job.X, Y = has_targets ? job.Y : job.dA;
    const Panels<T> to_X = batch_.A[0].view();
    const Panels<T> to_Y = (has_targets ? batch_.Y : batch_.delta[layers_.size()]).view();
    for (std::size_t i = rows.first; i < rows.last; ++i) {
      const std::size_t row = job.row(at.first + i);
      X.copy(row, to_X, i);
      if (has_targets) Y.copy(row, to_Y, i, keep, spread);
      else Y.copy(row, to_Y, i);
      if (job.weights) batch_.weights[i] = job.weights.at(row, 0);
      const std::size_t next = at.first + job.batch_size + i;
      if (next >= job.entries) continue;
      const std::size_t coming = job.row(next);
      X.fetch(coming);
      if (has_targets) Y.fetch(coming);
    }
  }

  // The loss of each of a batch's rows [first, last), and dA[L] or what the pair has in its place.
  void apply_cost(Batch<T>& batch, std::size_t first, std::size_t last) {
    const Panels<T> A = batch.A.back().view(), Z = cost_.from_Z ? batch.Z.view() : A;
    cost_.apply(Z, A, batch.Y.view(), batch.delta.back().view(), first, last, layers_.back().n,
                T(plan_.cost_number), batch.losses.data());
  }

  // δ[L] of a batch's rows, weighted, from what the cost leaves: Eq. 10a, or the fused pair's. A
  // cost's logarithms may need the numbers that both passes take as 0.
  void output_deltas(const Job<T>& job, Share rows) {
    const KeepTiny keep;
    const std::size_t L = layers_.size();
    const Layer<T>& last = layers_.back();
    const Panels<T> d = batch_.delta[L].view(), A = batch_.A[L].view();
    if (job.Y) apply_cost(batch_, rows.first, rows.last);
    const Then then = job.Y ? cost_.then : Then::activation;
    if (then == Then::activation)
      apply_slope(last, batch_, L, d, rows.first, rows.last, false, [](std::size_t r) { return r; });
    for (std::size_t row = rows.first; row < rows.last && then == Then::less_a_sum; ++row)
      less_a_sum(d, A, row, last.n);
    for (std::size_t row = rows.first; row < rows.last && job.weights; ++row) {
      batch_.losses[row] *= double(batch_.weights[row]);
      scale_row(d, row, last.n, batch_.weights[row]);
    }
  }

  // ------------------------------------------------------------------------- the cost

  double cost_of(const Job<T>& job, const StepPlace& at) {
    if (!job.Y) return 0.0;
    double total = 0;
    for (std::size_t row = 0; row < at.m; ++row) total += batch_.losses[row];
    double cost = total / at.divisor();
    if (plan_.penalised()) cost += penalty(at.divisor());
    return at.weight > 0 ? cost : cost * 0;
  }

  double penalty(double divisor) {
    double total = 0;
    for (const double part : penalties_) total += part;
    return plan_.over_batch ? total / divisor : total;
  }

  void sum_penalties(Share share) {
    const KeepTiny keep;
    strips_.each(share, [&](const Strip& strip, std::size_t first, std::size_t last) {
      if (strip.bias || !plan_.layers[strip.layer].penalised()) return;
      const Panels<T> W = layers_[strip.layer].W.view();
      double* part = &penalties_[strip.part + (first - strip.first) / part_rows];
      for (std::size_t row = first; row < last; row += part_rows)
        *part++ = penalty_of(W.row(strip.panel, row), std::min(part_rows, last - row), plan_.l1,
                             plan_.l2);
    });
  }

  // --------------------------------------------------------------- phase 2: by parameter

  template <class Look>
  void by_parameter(Job<T>& job, const StepPlace& at, std::size_t thread, std::size_t threads,
                    Barrier& barrier, const Look& look) {
    const Share share = share_of(strips_.cost, thread, threads);
    const bool weighs = at.weight > 0;
    forget_packed();
    if (job.update && weighs)
      for (std::size_t l = thread; l < layers_.size(); l += threads)
        if (layers_[l].kind == Kind::batch_norm) keep_averages(layers_[l], batch_.kept[l + 1]);
    if (!two_passes(job)) {
      if (weighs) update_at_once(job, at, share, barrier);
      return;
    }
    keep_gradients(at, share, barrier, [&](double fmas) { return !job.update && look(fmas); });
    barrier.wait();
    if (!job.update) return;
    if (job.statistics[0] != nullptr) {
      if (thread == 0) for (std::size_t l = 0; l < layers_.size(); ++l) before_[l].take(layers_[l]);
      barrier.wait();
    }
    if (weighs) {
      update_from_memory(job, at, share);
      if (plan_.max_norm > 0) {
        barrier.wait();
        for (std::size_t l = thread; l < layers_.size(); l += threads)
          if (plan_.layers[l].penalised())
            limit_norms(layers_[l], T(plan_.max_norm)), layers_[l].round();
      }
    }
    if (job.statistics[0] == nullptr) return;
    barrier.wait();
    const std::size_t owners = plan_.owners();
    for (std::size_t owner = thread; owner < owners; owner += threads)
      put_statistics(job, at, owner, at.batch * owners + owner);
  }

  // What the step did to one of the network's layers, whose last one here has its outputs.
  void put_statistics(Job<T>& job, const StepPlace& at, std::size_t owner, std::size_t place) {
    LayerStatistics<T> found;
    bool learns = false;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (plan_.owner(l) != owner) continue;
      found.add(layers_[l], before_[l], gradients_[l]);
      found.count_dead(batch_.delta[l + 1].view(), layers_[l].n, at.m);
      learns = learns || plan_.layers[l].learned() > 0;
    }
    job.statistics[0][place] = found.gradient_norm();
    job.statistics[1][place] = found.update_ratio(learns);
    job.statistics[2][place] = found.dead;
  }

  Coefficients<T> coefficients(const LayerPlan& own, bool bias, const StepPlace& at,
                               const StepFactors& factors, OfStep<T>& of_step, double rate) const {
    Coefficients<T> c{};
    const bool free = bias || !own.penalised();  // of penalties and decay
    const double share = plan_.over_batch ? 1.0 / at.divisor() : 1.0;
    c.scale = T(1.0 / at.divisor());
    c.l1 = free ? T(0) : T(plan_.l1 * share);
    c.l2 = free ? T(0) : T(plan_.l2 * share);
    c.clip = plan_.clip_value > 0 ? T(plan_.clip_value) : std::numeric_limits<T>::infinity();
    c.keep = free ? T(1) : T(1.0 - rate * plan_.decay);
    c.plain = plan_.clip_value <= 0 && (free || (!plan_.penalised() && plan_.decay <= 0));
    const double multiplier = bias ? own.bias_rate : own.rate;
    set_step(c, plan_.optimizer, factors, T(rate * multiplier));
    if (update_.program) update_.program->set_step(of_step, factors.t, rate * multiplier);
    c.of_step = of_step.values;
    return c;
  }

  // dW (or db) of a strip's rows [first, last), summed over the batch.
  void sum_strip(const Strip& strip, std::size_t first, std::size_t last, std::size_t m, T* out) {
    Layer<T>& layer = layers_[strip.layer];
    Kept<T>& kept = batch_.kept[layer.hats_of > 0 ? layer.hats_of : strip.layer + 1];
    const auto delta = readable(batch_.delta[strip.layer + 1].view());
    if (strip.bias) return d_biases(layer, kept, delta, m, strip.panel, out);
    d_parameters(layer, kept, delta, readable(batch_.A[layer.sources[0]].view()), m, first, last,
                 strip.panel, out);
  }

  // Call use(strip, first, last, coefficients) for all strips of a share.
  template <class Use>
  void each_with_coefficients(const StepPlace& at, double rate, Share share, Use use) {
    const StepFactors factors(plan_.optimizer, double(at.step + 1));
    OfStep<T> of_step;
    Coefficients<T> c{};
    std::size_t layer = layers_.size();
    bool bias = false;
    strips_.each(share, [&](const Strip& strip, std::size_t first, std::size_t last) {
      if (strip.layer != layer || strip.bias != bias) {
        layer = strip.layer, bias = strip.bias;
        c = coefficients(plan_.layers[layer], bias, at, factors, of_step, rate);
      }
      use(strip, first, last, c);
    });
  }

  // The same of those whose dW is summed: a Scale in hats behind all others, once these are done.
  template <class Use>
  void each_to_sum(const StepPlace& at, double rate, Share share, Barrier& barrier, Use use) {
    for (const bool in_hats : {false, true}) {
      if (in_hats && !has_scale_in_hats()) return;
      if (in_hats) barrier.wait();
      each_with_coefficients(at, rate, share,
                             [&](const Strip& strip, std::size_t first, std::size_t last,
                                 const Coefficients<T>& c) {
                               if ((layers_[strip.layer].hats_of > 0) == in_hats)
                                 use(strip, first, last, c);
                             });
    }
  }
  bool has_scale_in_hats() const {
    return std::any_of(layers_.begin(), layers_.end(),
                       [](const Layer<T>& layer) { return layer.hats_of > 0; });
  }

  void make_tables(Share share) {
    for (std::size_t i = share.first; i < share.last; ++i)
      tabulate(layers_[tables_[i].first], tables_[i].second);
  }

  void apply(const Strip& strip, std::size_t first, std::size_t last, const T* d,
             const Coefficients<T>& c) {
    Layer<T>& layer = layers_[strip.layer];
    T* places[1 + most_slots];  // of the parameter, and of each slot
    if (strip.bias) {
      places[0] = layer.b.data() + strip.panel * P<T>;
      for (std::size_t i = 0; i < slots_; ++i)
        places[i + 1] = layer.b_slots[i].data() + strip.panel * P<T>;
    } else {
      places[0] = layer.W.view().row(strip.panel, first);
      for (std::size_t i = 0; i < slots_; ++i)
        places[i + 1] = layer.W_slots[i].view().row(strip.panel, first);
    }
    update_.apply(places, d, (last - first) * P<T>, c);
    if (update_.program) clear_padding_of(layer, strip, places[0], last - first);
    if (!strip.bias) layer.round(strip.panel, first, last - first);
  }

  // A row that is not compiled in may leave any number beyond the last unit.
  static void clear_padding_of(const Layer<T>& layer, const Strip& strip, T* W, std::size_t rows) {
    const std::size_t lanes = strip.bias ? layer.units : layer.lanes();
    const std::size_t panel = strip.panel % panel_count<T>(lanes);
    if (panel + 1 == panel_count<T>(lanes)) clear_padding(Panels<T>{W, rows}, lanes % P<T>, 0, rows);
  }

  void update_at_once(const Job<T>& job, const StepPlace& at, Share share, Barrier& barrier) {
    alignas(64) T d[strip_rows * P<T>];
    each_to_sum(
        at, job.rates[at.batch], share, barrier,
        [&](const Strip& strip, std::size_t first, std::size_t last, const Coefficients<T>& c) {
          if (!layers_[strip.layer].moves) return;  // nor has it a δ
          sum_strip(strip, first, last, at.m, d);
          apply(strip, first, last, d, c);
        });
  }

  // The first of two passes: dW with its penalty, unclipped, and the squares of what clipping
  // by value leaves of it, row by row.
  template <class Look>
  void keep_gradients(const StepPlace& at, Share share, Barrier& barrier, const Look& look) {
    each_to_sum(
        at, 0.0, share, barrier,
        [&](const Strip& strip, std::size_t first, std::size_t last, const Coefficients<T>& c) {
          if (look(double(at.m * (last - first) * P<T>))) return;
          T* d = gradients_[strip.layer].place(strip, first);
          sum_strip(strip, first, last, at.m, d);
          const T* W = strip.bias ? layers_[strip.layer].b.data() + strip.panel * P<T>
                                  : layers_[strip.layer].W.view().row(strip.panel, first);
          for (std::size_t row = first; row < last; ++row, d += P<T>, W += P<T>)
            squares_[strip.number + row - strip.first] = finish_gradient(d, W, c);
        });
  }

  void update_from_memory(const Job<T>& job, const StepPlace& at, Share share) {
    double scale = 1;
    if (plan_.clip_norm > 0) {
      double total = 0;
      for (const double square : squares_) total += square;
      scale = plan_.clip_norm / std::max(std::sqrt(total), plan_.clip_norm);
    }
    each_with_coefficients(
        at, job.rates[at.batch], share,
        [&](const Strip& strip, std::size_t first, std::size_t last, Coefficients<T> c) {
          c.scale = T(scale);  // 1/m and the penalty are in dW already
          c.l1 = c.l2 = T(0);
          c.clip = T(c.clip * T(scale));
          apply(strip, first, last, gradients_[strip.layer].place(strip, first), c);
        });
  }

  Plan plan_;
  std::vector<Layer<T>> layers_;
  Cost<T> cost_{};
  Optimizer<T> update_{};
  std::size_t slots_ = 0;
  Strips strips_;
  std::vector<std::pair<std::size_t, std::size_t>> tables_;  // layers with hats, and their panels
  bool tables_are_made_ = false;
  bool looks_at_batch_ = false;
  Batch<T> batch_;
  std::vector<Gradient<T>> gradients_;  // of the last two-pass step, or of a call for gradients
  std::vector<Before<T>> before_;       // parameters before the step, for statistics
  Buffer<double> squares_, penalties_;  // one a row of a strip; one a part
  std::uint64_t start_ = 0, next_step_ = 0;
  double weight_ = 0;  // Σ of the batch's example weights
  std::atomic<bool> stop_{false};
};

}  // namespace deltarule
