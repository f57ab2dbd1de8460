// What a step needs, as engines/plan.py says it, in plain numbers: Python fills it in.
#pragma once

#include <cstddef>
#include <cstdint>
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

// The kinds of layers that are compiled in, of layers/.
enum class Kind : int { dense, layer_norm, batch_norm, scale, parametric };

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

  // How many arrays its parameters are: the first in W's place, the second in b's, then running ones.
  std::size_t arrays() const {
    constexpr std::size_t counts[] = {2, 2, 4, 1, 1};
    return counts[static_cast<int>(kind)];
  }
  std::size_t learned() const { return arrays() > 2 ? 2 : arrays(); }
  std::size_t inputs_of_W(std::size_t units_before) const {
    return kind == Kind::dense ? units_before : 1;
  }
};

struct Plan {
  std::size_t inputs = 1;
  DropoutPlan input_dropout;
  std::vector<LayerPlan> layers;
  CostName cost = CostName::mse;
  double cost_number = 0;
  OptimizerSettings optimizer;
  double l1 = 0, l2 = 0, decay = 0;
  bool over_batch = false;
  double max_norm = 0, clip_norm = 0, clip_value = 0;  // 0: none
  double smoothing = 0, uniform = 0;
  std::uint64_t seed = 0;

  bool penalised() const { return l1 > 0 || l2 > 0; }
  // whether a step needs statistics of its whole batch before it can go on
  bool looks_at_batch() const {
    for (const LayerPlan& layer : layers)
      if (layer.kind == Kind::batch_norm) return true;
    return false;
  }
};

}  // namespace deltarule
