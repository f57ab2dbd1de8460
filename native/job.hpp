// What a call to train is given, and where one of its steps stands.
#pragma once

#include "rows.hpp"

namespace deltarule {

// What a call trains on: every `batch_size` entries of `order` are a batch; no order: as they come.
template <class T> struct Job {
  Rows<T> X, Y, dA;  // Y, or dA of the caller's own
  Rows<T> weights;   // one column, or none
  const std::int64_t* order = nullptr;
  std::size_t entries = 0, batch_size = 1;
  const double* rates = nullptr;  // one a batch
  double* costs = nullptr;        // likewise
  double* statistics[3] = {};     // gradient norm, update ratio, dead units: (batches, L), or null
  bool update = true;             // false: leave dW and db in memory, without dropout
  std::size_t done = 0;           // batches whose cost is known
  Changed changed = nullptr;

  std::size_t batches() const { return (entries + batch_size - 1) / batch_size; }
  std::size_t row(std::size_t entry) const {
    if (order == nullptr) return entry;
    const std::size_t row = loaded(order + entry);
    if (row < X.count) return row;
    note(changed);
    return 0;
  }
};

// Where a step stands in its job.
struct StepPlace {
  std::size_t batch, first, m;  // its entries are [first, first + m)
  std::uint64_t step;           // counted from 0 over the runner's life
  double weight;                // Σ of the examples' weights, or m
  double divisor() const { return weight > 0 ? weight : weight + 1; }
};

}  // namespace deltarule
