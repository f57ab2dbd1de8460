// What a step needs, as engines/plan.py says it, in plain numbers: Python fills it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "activations.hpp"
#include "costs.hpp"
#include "optimizers.hpp"

namespace deltarule {

// Share of units dropped: a unit stays where its random word is below `threshold`.
struct DropoutPlan {
  bool on = false;
  std::uint32_t threshold = 0;
  double scale = 1;
};

// The kinds of layers that are compiled in, of layers/. A Parallel is several of these layers: of
// each part its `columns`, then the part's own; `parallel` sets the ends of the parts side by side.
enum class Kind : int {
  dense, layer_norm, batch_norm, scale, parametric, periodic, piecewise_linear, embedding, grouped,
  shared, parallel, columns,
};

// Whether A_prev is multiplied by a matrix.
constexpr bool multiplies(Kind kind) {
  return kind == Kind::dense || kind == Kind::grouped || kind == Kind::shared;
}

struct LayerPlan {
  std::size_t units = 1;
  ActivationName activation = ActivationName::identity;
  double number = 0;           // the activation's own, such as a slope
  DropoutPlan dropout;
  double rate = 1, bias_rate = 1;  // multipliers of the learning rate
  Kind kind = Kind::dense;
  ActivationName bend = ActivationName::identity;  // Parametric's h
  double bend_number = 0;
  double epsilon = 0, momentum = 0;  // of the normalisations
  std::size_t size = 0;              // units before that make a group (Grouped), a member (Shared)
  // of each column before: its units (Periodic, PiecewiseLinear), or its levels (Embedding)
  std::vector<std::size_t> counts;
  std::vector<double> starts, widths;  // of PiecewiseLinear's bins, one a unit
  std::vector<std::size_t> sources;    // the layers it reads, 0 being the input; none: the one before
  std::size_t first = 0;               // of `columns`: the first unit it takes
  std::optional<std::size_t> owner;    // the network's layer that it is, or is part of, from 0
  // rows that are not compiled in, in place of `activation` and `bend`
  std::optional<ProgramPlan> activation_program, bend_program;

  // How many arrays its parameters are: the first in W's place, the second in b's, then running ones.
  std::size_t arrays() const {
    constexpr std::size_t counts[] = {2, 2, 4, 1, 1, 2, 0, 1, 2, 2, 0, 0};
    return counts[static_cast<int>(kind)];
  }
  std::size_t learned() const { return arrays() > 2 ? 2 : arrays(); }
  // Whether any of these has a rate.
  bool moves() const {
    return (learned() > 0 && rate > 0) || (learned() > 1 && bias_rate > 0);
  }
  // Whether W is what penalties, decay and max-norm apply to: weights that learn.
  bool penalised() const {
    return rate > 0 && (multiplies(kind) || kind == Kind::embedding);
  }
  // W as Python has it, rows × columns; after a layer of so many units.
  std::size_t rows_of_W(std::size_t units_before) const {
    switch (kind) {
      case Kind::embedding: return units / units_before;
      case Kind::shared: return units / (units_before / size);
      default: return units;
    }
  }
  std::size_t columns_of_W(std::size_t units_before) const {
    switch (kind) {
      case Kind::dense: return units_before;
      case Kind::grouped:
      case Kind::shared: return size;
      case Kind::embedding: return std::accumulate(counts.begin(), counts.end(), std::size_t(0));
      default: return arrays() > 0 ? 1 : 0;
    }
  }
};

// A program's address, or none.
inline const ProgramPlan* address_of(const std::optional<ProgramPlan>& program) {
  return program ? &*program : nullptr;
}

struct Plan {
  std::size_t inputs = 1;
  DropoutPlan input_dropout;
  std::vector<LayerPlan> layers;
  CostName cost = CostName::mse;
  double cost_number = 0;
  std::optional<CostProgram> cost_program;  // in place of `cost`
  OptimizerSettings optimizer;
  double l1 = 0, l2 = 0, decay = 0;
  bool over_batch = false;
  double max_norm = 0, clip_norm = 0, clip_value = 0;  // 0: none
  double smoothing = 0, uniform = 0;
  std::uint64_t seed = 0;
  bool mixed = false;  // whether products read their operands in bfloat16; float only

  // Units that come into layer l, from 0.
  std::size_t units_before(std::size_t l) const {
    const std::size_t source = layers[l].sources.empty() ? l : layers[l].sources[0];
    return source == 0 ? inputs : layers[source - 1].units;
  }
  // The network's layer that layer l is, or is part of; how many the network has.
  std::size_t owner(std::size_t l) const { return layers[l].owner.value_or(l); }
  std::size_t owners() const { return owner(layers.size() - 1) + 1; }
  bool penalised() const { return l1 > 0 || l2 > 0; }
  // whether a step needs statistics of its whole batch before it can go on
  bool looks_at_batch() const {
    for (const LayerPlan& layer : layers)
      if (layer.kind == Kind::batch_norm) return true;
    return false;
  }
};

}  // namespace deltarule
