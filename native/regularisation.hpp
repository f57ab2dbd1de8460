// Regularisation and the bookkeeping of parameters: strips, penalties, clipping, max-norm, and
// what a step did to a layer.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/outer.hpp"
#include "network.hpp"
#include "threads.hpp"

namespace deltarule {

// A piece of a layer's parameters that one thread updates at once: rows [first, first + count) of
// a panel of W, or a panel of b (one row).
struct Strip {
  std::size_t layer, panel, first, count;
  bool bias;
  std::size_t number;  // of its first row among all rows of all strips
  std::size_t part;    // of its first part among all parts of all strips
};

// Rows that no two threads share.
inline constexpr std::size_t part_rows = 6;
constexpr std::size_t parts_of(std::size_t rows) { return (rows + part_rows - 1) / part_rows; }

// All strips of a network in a fixed order; a row counts as one unit of work.
struct Strips {
  std::vector<Strip> all;
  std::size_t rows = 0, parts = 0, cost = 0;

  // Call use(strip, first, last) for the rows of a share of the work. Threads part a strip
  // between its parts, so that each falls to one of them.
  template <class Use> void each(Share share, Use use) const {
    const auto past = std::upper_bound(
        all.begin(), all.end(), share.first,
        [](std::size_t cost, const Strip& strip) { return cost < strip.number; });
    for (auto strip = past - 1; strip != all.end() && strip->number < share.last; ++strip) {
      const auto cut = [&](std::size_t at) {
        if (at <= strip->number) return std::size_t(0);
        const std::size_t row = (at - strip->number) / part_rows * part_rows;
        return at >= strip->number + strip->count ? strip->count : row;
      };
      const std::size_t first = cut(share.first), last = cut(share.last);
      if (first < last) use(*strip, strip->first + first, strip->first + last);
    }
  }
};

template <class T> Strips strips_of(const std::vector<Layer<T>>& layers) {
  Strips strips;
  const auto add = [&](Strip strip) {
    strip.number = strips.rows;
    strip.part = strips.parts;
    strips.rows += strip.count;
    strips.parts += parts_of(strip.count);
    strips.all.push_back(strip);
  };
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer<T>& layer = layers[l];
    for (std::size_t panel = 0; panel < layer.b.size() / P<T>; ++panel)
      add({l, panel, 0, 1, true, 0, 0});
    const std::size_t height = layer.rows_of_group();
    for (std::size_t first = 0; first < layer.rows();) {
      const std::size_t count =
          layer.hats ? layer.hats->strips[layer.hats->strip_of(first) + 1] - first  // whole columns
                     : std::min(strip_rows, height - first % height);               // of one group
      for (std::size_t panel = 0; panel < panel_count<T>(layer.lanes()); ++panel)
        add({l, panel, first, count, false, 0, 0});
      first += count;
    }
  }
  strips.cost = strips.rows;
  return strips;
}

// dW and db of a layer, laid out as W and b.
template <class T> struct Gradient {
  Matrix<T> W;
  Buffer<T> b;
  explicit Gradient(const Layer<T>& layer) : W(layer.rows(), layer.lanes()), b(layer.b.size()) {}
  T* place(const Strip& strip, std::size_t row) {
    return strip.bias ? b.data() + strip.panel * P<T> : W.view().row(strip.panel, row);
  }
};

// A layer's parameters as they were before a step.
template <class T> struct Before : Gradient<T> {
  using Gradient<T>::Gradient;
  void take(Layer<T>& layer) {
    std::copy(layer.W.buffer().begin(), layer.W.buffer().end(), this->W.buffer().begin());
    std::copy(layer.b.begin(), layer.b.end(), this->b.begin());
  }
};

// Σ term(w) of `count` numbers, whole rows of a panel: a sum in double for each lane, then of those.
template <class T, class Term>
DELTARULE_INLINE double sum_numbers(const T* W, std::size_t count, const Term& term) {
  double sums[P<T>] = {};
  for (std::size_t i = 0; i < count; i += P<T>)
    for (std::size_t lane = 0; lane < P<T>; ++lane) sums[lane] += term(double(W[i + lane]));
  for (std::size_t half = P<T> / 2; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

// l1 Σ|W| + (l2/2) Σ W² of so many rows of a panel.
template <class T>
inline double penalty_of(const T* W, std::size_t rows, double l1, double l2) {
  const std::size_t count = rows * P<T>;
  double total = 0;
  if (l1 > 0) total += l1 * sum_numbers(W, count, [](double w) { return std::abs(w); });
  if (l2 > 0) total += 0.5 * l2 * sum_numbers(W, count, [](double w) { return w * w; });
  return total;
}

// One row: 1/m and penalty in place; returns Σ of the squares of what clipping by value leaves.
template <class T> inline double finish_gradient(T* d, const T* W, const Coefficients<T>& c) {
  Vec<T> squares(T(0));
  for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width) {
    const Vec<T> found = penalised(Vec<T>::load(d + lane), Vec<T>::load(W + lane), c);
    found.store(d + lane);
    const Vec<T> left = clipped(found, c.clip);
    squares = fma(left, left, squares);
  }
  return double(sum(squares));
}

// δ = d − A Σ d of one example, in place.
template <class T> inline void less_a_sum(Panels<T> d, Panels<T> A, std::size_t row, std::size_t n) {
  T total = 0;
  for (std::size_t unit = 0; unit < n; ++unit) total += d.at(row, unit);
  for (std::size_t unit = 0; unit < n; ++unit) d.at(row, unit) -= A.at(row, unit) * total;
}

template <class T> inline void scale_row(Panels<T> d, std::size_t row, std::size_t n, T factor) {
  for (std::size_t unit = 0; unit < n; ++unit) d.at(row, unit) *= factor;
}

// Scale each unit's incoming weights back to at most that norm.
template <class T> void limit_norms(Layer<T>& layer, T limit) {
  for (std::size_t unit = 0; unit < layer.outputs; ++unit) {
    double square = 0;
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      const double w = double(layer.at(layer.W, unit, i));
      square += w * w;
    }
    const double norm = std::sqrt(square);
    if (norm <= double(limit)) continue;
    const T factor = T(double(limit) / norm);
    for (std::size_t i = 0; i < layer.inputs; ++i) layer.at(layer.W, unit, i) *= factor;
  }
}

// What plan.py's Statistics holds of one of the network's layers and step, added up over the core's
// layers that it is.
template <class T> struct LayerStatistics {
  double d_square = 0, change = 0, size = 0, dead = 0;

  double gradient_norm() const { return std::sqrt(d_square); }
  double update_ratio(bool learns) const { return learns ? std::sqrt(change) / std::sqrt(size) : 0; }

  void add(Layer<T>& layer, Before<T>& before, Gradient<T>& gradient) {
    add(gradient.W.buffer(), before.W.buffer(), layer.W.buffer());
    add(gradient.b, before.b, layer.b);
  }
  // The share of units that none of m examples sends any δ.
  void count_dead(Panels<T> delta, std::size_t n, std::size_t m) {
    std::size_t count = 0;
    for (std::size_t unit = 0; unit < n; ++unit) {
      bool lives = false;
      for (std::size_t row = 0; row < m && !lives; ++row) lives = !(delta.at(row, unit) == T(0));
      count += lives ? 0 : 1;
    }
    dead = double(count) / double(n);
  }

 private:
  void add(Buffer<T>& d, Buffer<T>& old, Buffer<T>& now) {
    for (std::size_t i = 0; i < d.size(); ++i) {
      const double difference = double(now[i]) - double(old[i]);
      d_square += double(d[i]) * double(d[i]);
      change += difference * difference;
      size += double(old[i]) * double(old[i]);
    }
  }
};

}  // namespace deltarule
