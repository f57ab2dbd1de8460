// A layer in memory, and what its forward pass keeps for its backward pass.
//
// Dense has weights, units × inputs. The other kinds act unit by unit, on as many units as come in:
// their parameters stand in W's place as one row of lanes, and in b's.
#pragma once

#include <algorithm>
#include <array>

#include "../panels.hpp"
#include "../plan.hpp"

namespace deltarule {

template <class T> inline Panels<const T> readable(Panels<T> p) { return {p.data, p.stride}; }

// A layer's parameters, the optimizer's slots of them, and how it is laid out.
template <class T> struct Layer {
  Kind kind = Kind::dense;
  std::size_t n = 0, n_prev = 0;
  std::size_t inputs = 0;  // of W: n_prev, or 1 where a kind acts unit by unit
  bool by_units = true;  // whether lanes of W are units (rows: inputs), or the other way round
  Activation<T> g{};
  Slope slope = Slope::one;  // g's, or `stored` where dropout has to be multiplied in
  T number = 0;
  DropoutPlan dropout;
  Activation<T> bend{};  // of Parametric
  T bend_number = 0, epsilon = 0, momentum = 0;
  Matrix<T> W;         // or gain, scale, alpha
  Buffer<T> b, zeros;  // padded to whole panels; b may be shift, or have no numbers
  Buffer<T> mean, variance;  // running averages of BatchNorm
  std::array<Matrix<T>, 2> W_slots;
  std::array<Buffer<T>, 2> b_slots;

  std::size_t rows() const { return by_units ? inputs : n; }
  std::size_t lanes() const { return by_units ? n : inputs; }
  // W[unit][input], and the same place of a slot or a gradient
  T& at(Matrix<T>& matrix, std::size_t unit, std::size_t input) const {
    return by_units ? matrix.view().at(input, unit) : matrix.view().at(unit, input);
  }
  const T* by_unit() { return W.view().data; }  // of the kinds with one number a unit

  Layer(const LayerPlan& plan, std::size_t units_before, std::size_t slots)
      : kind(plan.kind), n(plan.units), n_prev(units_before), inputs(plan.inputs_of_W(n_prev)),
        g(activation_row<T>(plan.activation)), slope(g.slope), number(T(plan.number)),
        dropout(plan.dropout), bend(activation_row<T>(plan.bend)), bend_number(T(plan.bend_number)),
        epsilon(T(plan.epsilon)), momentum(T(plan.momentum)) {
    // lanes are padded to whole panels: take the side that wastes less
    by_units = 2 * panel_count<T>(n) * inputs <= n * (2 * panel_count<T>(inputs) + 5);
    if (dropout.on && (slope == Slope::one || slope == Slope::by_sign)) slope = Slope::stored;
    const std::size_t padded = panel_count<T>(n) * P<T>, biases = plan.arrays() > 1 ? padded : 0;
    W = Matrix<T>(rows(), lanes());
    b = Buffer<T>(biases);
    zeros = Buffer<T>(panel_count<T>(std::max(n, n_prev)) * P<T>);
    if (kind == Kind::batch_norm) mean = Buffer<T>(padded), variance = Buffer<T>(padded);
    for (std::size_t slot = 0; slot < slots; ++slot) {
      W_slots[slot] = Matrix<T>(rows(), lanes());
      b_slots[slot] = Buffer<T>(biases);
    }
  }
};

// What a kind that acts unit by unit keeps of a batch beside A; nothing for a prediction.
template <class T> struct Kept {
  Matrix<T> factor;   // X̂ or h(A_prev) − A_prev: what δ is multiplied by in the derivative
  Matrix<T> slope;    // h'(A_prev) of Parametric
  Buffer<T> scale;    // 1/√(variance + ε) of each example, of LayerNorm
  Buffer<T> mean, variance;  // of the batch, a unit
  Buffer<T> total, along;    // Σ δ and Σ δ ⊙ X̂ over the batch, a unit

  Kept() = default;
  Kept(const Layer<T>& layer, std::size_t rows) {
    if (layer.kind == Kind::dense || layer.kind == Kind::scale) return;
    factor = Matrix<T>(rows, layer.n);
    if (layer.kind == Kind::parametric) slope = Matrix<T>(rows, layer.n);
    if (layer.kind == Kind::layer_norm) scale = Buffer<T>(rows);
    if (layer.kind != Kind::batch_norm) return;
    for (Buffer<T>* one : {&mean, &variance, &total, &along})
      *one = Buffer<T>(panel_count<T>(layer.n) * P<T>);
  }
};

}  // namespace deltarule
