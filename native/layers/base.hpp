// A layer in memory, and what its forward pass keeps for its backward pass.
//
// Dense, Grouped and Shared have weights, of each group units × inputs; Dense is one group, Shared's
// groups have the same. Embedding has a row of numbers a level. The other kinds have at most one
// number or two a unit: these stand in W's place as one row of lanes, and in b's.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "../bfloat16.hpp"
#include "../matrix_units.hpp"
#include "../panels.hpp"
#include "../plan.hpp"

namespace deltarule {

template <class T> inline Panels<const T> readable(Panels<T> p) { return {p.data, p.stride}; }

// PiecewiseLinear's bins, one a unit, padded to whole panels by bins that are always empty.
template <class T> struct Bins {
  Buffer<T> start, width, low, high;

  Bins() = default;
  explicit Bins(const LayerPlan& plan) {
    const std::size_t padded = panel_count<T>(plan.units) * P<T>;
    for (Buffer<T>* one : {&start, &width, &low, &high}) *one = Buffer<T>(padded);
    constexpr T infinity = std::numeric_limits<T>::infinity();
    std::size_t unit = 0;
    for (const std::size_t count : plan.counts) {
      for (std::size_t bin = 0; bin < count; ++bin, ++unit) {
        start[unit] = T(plan.starts[unit]), width[unit] = T(plan.widths[unit]);
        low[unit] = bin == 0 ? -infinity : T(0);
        high[unit] = bin + 1 == count ? infinity : T(1);
      }
    }
    for (; unit < padded; ++unit) width[unit] = T(1);
  }
};

// What a Dense on columns in bins has in place of its products: hats.hpp.
template <class T> struct Hats {
  struct Column {
    std::size_t input, row, bins, edge;  // its place before the bins, its first row of W, first edge
  };
  std::size_t bins = 0, source = 0;  // the layer that makes the bins, and the one whose A they are of
  const T* scale = nullptr;          // of a Scale between bins and W, one a row, or null
  std::vector<Column> columns;
  std::vector<std::size_t> strips;   // of whole columns: their first rows, and behind the last
  std::size_t capacity = 0;          // rows that an example takes, at most
  Buffer<T> start, width;            // of the bins; a column begins at a vector, padding is never full
  Matrix<T> table;                   // H

  std::size_t strip_of(std::size_t row) const {
    return std::size_t(std::upper_bound(strips.begin(), strips.end(), row) - strips.begin()) - 1;
  }
};

// A layer's parameters, the optimizer's slots of them, and how it is laid out.
template <class T> struct Layer {
  Kind kind = Kind::dense;
  std::size_t n = 0, n_prev = 0;
  std::size_t outputs = 0, inputs = 0;  // rows and columns of W, as Python has it
  std::size_t groups = 1, units = 0;    // units of a group: rows of its block of W
  std::size_t blocks = 1;               // of W: one a group, or one for all
  std::vector<std::size_t> sources;     // the layers it reads, 0 being the input
  std::size_t first = 0;                // of `columns`: the first unit it takes
  bool last_reader = false;             // of `columns`: whether no later layer reads its source
  std::size_t mask = 0;                 // the number that its dropout counts by
  bool learns = false;   // whether this layer has parameters, or one that leads here
  bool moves = false;    // the same of parameters whose rate is not 0
  std::optional<Hats<T>> hats;
  std::size_t hats_of = 0;    // of a Scale: the layer, from 1, whose hats it is in; or 0
  bool passed_over = false;   // whether nobody reads A
  std::vector<bool> formed;   // of PiecewiseLinear: the panels of A that somebody reads
  bool by_units = true;  // whether lanes of W are units (rows: inputs), or the other way round
  Activation<T> g{};
  Slope slope = Slope::one;  // g's, or `stored` where dropout has to be multiplied in
  T number = 0;
  DropoutPlan dropout;
  Activation<T> bend{};  // of Parametric
  T bend_number = 0, epsilon = 0, momentum = 0;
  Buffer<std::size_t> column;  // of each unit of a numeric embedding, padding included
  std::vector<std::size_t> levels;  // of each column of an Embedding
  Bins<T> bins;
  Matrix<T> W;         // or gain, scale, alpha, frequency, E
  Matrix<T> rounded;   // W in bfloat16, where mixed products read copies
  MatrixUnits on = MatrixUnits::none;  // what they run on
  Buffer<T> b, zeros;  // by group, padded to whole panels; b may be shift, phase, or empty
  Buffer<T> mean, variance;  // running averages of BatchNorm
  std::vector<Matrix<T>> W_slots;
  std::vector<Buffer<T>> b_slots;

  std::size_t rows_of_group() const { return by_units ? inputs : units; }
  std::size_t rows() const { return blocks * rows_of_group(); }
  std::size_t lanes() const { return by_units ? units : inputs; }
  // W[unit][input], and the same place of a slot or a gradient
  T& at(Matrix<T>& matrix, std::size_t unit, std::size_t input) const {
    return by_units ? matrix.view().at(unit / units * inputs + input, unit % units)
                    : matrix.view().at(unit, input);
  }
  T& at(Buffer<T>& b_like, std::size_t unit) const {
    return b_like[unit / units * panel_count<T>(units) * P<T> + unit % units];
  }
  const T* by_unit() { return W.view().data; }  // of the kinds with one number a unit

  // Whether groups of so many lanes are no whole panels, and stand on panels of their own.
  bool apart(std::size_t size) const { return groups > 1 && size % P<T> != 0; }
  // Products of operands in bfloat16: rounded copies of W, A_prev and δ, unless these are rounded
  // where they are packed.
  void mix(MatrixUnits units) {
    const bool packs = units == MatrixUnits::dots || units == MatrixUnits::amx;
    if (packs) on = units;
    else rounded = Matrix<T>(rows(), lanes());
  }
  bool copies() const { return rounded.rows() > 0; }
  // After a change of W: of rows [first, first + count) of a panel, or of all.
  void round(std::size_t panel, std::size_t first, std::size_t count) {
    if (!copies()) return;
    round_numbers(W.view().row(panel, first), rounded.view().row(panel, first), count * P<T>);
  }
  void round() {
    for (std::size_t panel = 0; panel < panel_count<T>(lanes()); ++panel) round(panel, 0, rows());
  }

  Layer(const LayerPlan& plan, std::size_t units_before, std::size_t slots)
      : kind(plan.kind), n(plan.units), n_prev(units_before), outputs(plan.rows_of_W(n_prev)),
        inputs(plan.columns_of_W(n_prev)), groups(plan.size > 0 ? n_prev / inputs : 1),
        units(kind == Kind::embedding ? outputs : n / groups),
        blocks(kind == Kind::shared ? 1 : groups), first(plan.first),
        g(activation_row<T>(plan.activation, address_of(plan.activation_program))), slope(g.slope), number(T(plan.number)),
        dropout(plan.dropout),
        bend(activation_row<T>(plan.bend, address_of(plan.bend_program))), bend_number(T(plan.bend_number)),
        epsilon(T(plan.epsilon)), momentum(T(plan.momentum)) {
    // what the three products cost: lanes are padded to whole panels, and where they are inputs, a
    // number of the forward pass is a sum across them
    by_units = kind == Kind::embedding ||
               2 * panel_count<T>(units) * inputs <= units * (2 * panel_count<T>(inputs) + 8);
    if (dropout.on && (slope == Slope::one || slope == Slope::by_sign)) slope = Slope::stored;
    const std::size_t padded = groups * panel_count<T>(units) * P<T>;
    const std::size_t biases = plan.arrays() > 1 ? padded : 0;
    W = Matrix<T>(rows(), lanes());
    b = Buffer<T>(biases);
    zeros = Buffer<T>(panel_count<T>(std::max(n, n_prev)) * P<T>);
    if (kind == Kind::batch_norm) mean = Buffer<T>(padded), variance = Buffer<T>(padded);
    if (kind == Kind::embedding) levels = plan.counts;
    if (kind == Kind::piecewise_linear) {
      bins = Bins<T>(plan);
      formed.assign(panel_count<T>(n), true);
    }
    if (kind == Kind::periodic || kind == Kind::piecewise_linear) number_columns(plan.counts);
    for (std::size_t slot = 0; slot < slots; ++slot) {
      W_slots.emplace_back(rows(), lanes());
      b_slots.emplace_back(biases);
    }
  }

 private:
  void number_columns(const std::vector<std::size_t>& counts) {
    column = Buffer<std::size_t>(panel_count<T>(n) * P<T>);
    std::size_t unit = 0;
    for (std::size_t k = 0; k < counts.size(); ++k)
      for (std::size_t i = 0; i < counts[k]; ++i) column[unit++] = k;
    for (; unit < column.size(); ++unit) column[unit] = n_prev - 1;
  }
};

// The layers of a plan: what each reads, and whether the layers that lead to it learn.
template <class T> std::vector<Layer<T>> layers_of(const Plan& plan) {
  std::vector<Layer<T>> layers;
  std::vector<std::size_t> last_reader(plan.layers.size() + 1);
  for (std::size_t l = 1; l <= plan.layers.size(); ++l) {
    const LayerPlan& own = plan.layers[l - 1];
    layers.emplace_back(own, plan.units_before(l - 1), plan.optimizer.slots());
    Layer<T>& layer = layers.back();
    layer.sources = own.sources.empty() ? std::vector<std::size_t>{l - 1} : own.sources;
    layer.mask = plan.owner(l - 1) + 1;
    layer.learns = own.learned() > 0;
    layer.moves = own.moves();
    for (const std::size_t source : layer.sources) {
      layer.learns = layer.learns || (source > 0 && layers[source - 1].learns);
      layer.moves = layer.moves || (source > 0 && layers[source - 1].moves);
      last_reader[source] = l;
    }
  }
  for (const std::size_t reader : last_reader)
    if (reader > 0) layers[reader - 1].last_reader = true;
  return layers;
}

// The rows of H that the examples of a batch take.
template <class T> struct Taken {
  Buffer<std::uint32_t> begin, row;  // the first entry of each example and strip; an entry's row,
  Buffer<T> part;                    // and how much of it
  Buffer<T> along;                   // W · G of each row and panel, where there is a Scale
  std::size_t pitch = 0;             // rows from one panel of `along` to the next

  Taken() = default;
  Taken(const Hats<T>& hats, std::size_t panels, std::size_t examples)
      : begin(examples * hats.strips.size()), row(examples * hats.capacity),
        part(examples * hats.capacity), pitch(panel_count<T>(hats.strips.back()) * P<T>) {
    if (hats.scale != nullptr) along = Buffer<T>(panels * pitch);
  }
};

// What a kind keeps of a batch beside A. Of a prediction only what its forward pass works in.
template <class T> struct Kept {
  Matrix<T> factor;   // X̂ or h(A_prev) − A_prev: what δ is multiplied by in the derivative
  Matrix<T> slope;    // h'(A_prev) of Parametric
  Buffer<T> scale;    // 1/√(variance + ε) of each example, of LayerNorm
  Buffer<T> mean, variance;  // of the batch, a unit
  Buffer<T> total, along;    // Σ δ and Σ δ ⊙ X̂ over the batch, a unit
  // of weights, where a group's units are no whole panels: A_prev, Z and then δ, and dA_prev, with
  // each group on panels of its own; A_prev and δ also where products are mixed, in bfloat16
  Matrix<T> A_prev, delta, dA_prev;
  Buffer<std::size_t> level;  // of Embedding: which row of E, by example and column
  Taken<T> taken;             // of a Dense with hats

  Kept() = default;
  Kept(const Layer<T>& layer, std::size_t rows, bool training) {
    if (layer.hats) taken = Taken<T>(*layer.hats, panel_count<T>(layer.units), rows);
    const auto by_panels = [&](std::size_t size, bool needed) {
      const std::size_t lanes = layer.groups * panel_count<T>(size) * P<T>;
      return needed ? Matrix<T>(rows, lanes) : Matrix<T>();
    };
    const bool inputs_apart = layer.apart(layer.inputs), units_apart = layer.apart(layer.units);
    switch (layer.kind) {
      case Kind::dense:
      case Kind::grouped:
      case Kind::shared:
        A_prev = by_panels(layer.inputs, inputs_apart || layer.copies());
        delta = by_panels(layer.units, units_apart || (training && layer.copies()));
        dA_prev = by_panels(layer.inputs, training && inputs_apart);
        return;
      case Kind::embedding: level = Buffer<std::size_t>(rows * layer.n_prev); return;
      case Kind::layer_norm:
      case Kind::batch_norm:
      case Kind::parametric: break;
      default: return;
    }
    if (!training) return;
    factor = Matrix<T>(rows, layer.n);
    if (layer.kind == Kind::parametric) slope = Matrix<T>(rows, layer.n);
    if (layer.kind == Kind::layer_norm) scale = Buffer<T>(rows);
    if (layer.kind != Kind::batch_norm) return;
    for (Buffer<T>* one : {&mean, &variance, &total, &along})
      *one = Buffer<T>(panel_count<T>(layer.n) * P<T>);
  }
};

}  // namespace deltarule
