// The chain of layers and its two passes over a range of examples, forward above backward.
#pragma once

#include <algorithm>
#include <vector>

#include "layers/kinds.hpp"
#include "rng.hpp"

namespace deltarule {

// What a batch leaves from its forward pass for its backward pass (the source's cache): examples
// are rows, units lanes.
template <class T> struct Batch {
  std::size_t capacity = 0;
  std::vector<Matrix<T>> A;      // 0 to L; A[l] is masked by dropout
  std::vector<Matrix<T>> slope;  // 1 to L at index l; empty where none is stored
  std::vector<Matrix<T>> delta;
  std::vector<Kept<T>> kept;     // 1 to L
  Matrix<T> Z, Y;                // of the output; Z where the cost reads it
  Buffer<T> weights;
  Buffer<double> losses;

  Batch() = default;
  Batch(const std::vector<Layer<T>>& layers, bool keeps_Z, std::size_t rows, bool training)
      : capacity(rows), A(layers.size() + 1), slope(layers.size() + 1), delta(layers.size() + 1),
        kept(layers.size() + 1), weights(rows), losses(rows) {
    A[0] = Matrix<T>(rows, layers.front().n_prev);
    for (std::size_t l = 1; l <= layers.size(); ++l) {
      const Layer<T>& layer = layers[l - 1];
      A[l] = Matrix<T>(rows, layer.n);
      const bool stored = layer.slope == Slope::stored ||
                          (layer.slope == Slope::mixed && layer.dropout.on);
      kept[l] = Kept<T>(layer, rows, training);
      if (training && stored) slope[l] = Matrix<T>(rows, layer.n);
      if (training || l == layers.size()) delta[l] = Matrix<T>(rows, layer.n);
    }
    Y = Matrix<T>(rows, layers.back().n);
    if (keeps_Z) Z = Matrix<T>(rows, layers.back().n);
  }
};

// Where dropout stands: which step it is; no masks where `on` is false.
struct Dropping {
  bool on = false;
  std::uint64_t seed = 0, step = 0;

  Dropout keyed(const DropoutPlan& plan, std::size_t layer) const {
    Dropout dropout{plan.threshold, plan.scale};
    dropout.key(seed, step, static_cast<std::uint32_t>(layer));
    return dropout;
  }
};

// Multiply rows [first, last) of a layer's outputs by their masks; rows are positions in the batch.
template <class T>
void drop(const DropoutPlan& plan, const Dropping& dropping, std::size_t layer, Panels<T> A,
          Panels<T> slope, std::size_t n, std::size_t first, std::size_t last) {
  if (!dropping.on || !plan.on) return;
  const Dropout dropout = dropping.keyed(plan, layer);
  for (std::size_t row = first; row < last; ++row) apply_mask(dropout, A, slope, row, n, row);
}

// ------------------------------------------------------------------------------- forward

// Eq. 1b: A = g(Z), and g'(Z) where it is stored (`slope` has no memory for a prediction). Z is A's
// own memory unless a cost reads it.
template <class T>
void activation(const Layer<T>& layer, Panels<T> Z, Panels<T> A, Panels<T> slope,
                std::size_t rows) {
  if (layer.slope == Slope::mixed) {
    for (std::size_t row = 0; row < rows; ++row) softmax(Z, A, row, layer.n);
    return;
  }
  if (Z.data != A.data) copy_lanes(readable(Z), 0, A, 0, panel_count<T>(layer.n) * P<T>, rows);
  if (layer.slope == Slope::one) return;
  const bool stores = slope.data != nullptr && layer.slope == Slope::stored;
  for (std::size_t panel = 0; panel < panel_count<T>(layer.n); ++panel)
    layer.g.apply(A.row(panel, 0), stores ? slope.row(panel, 0) : nullptr, rows * P<T>,
                  layer.number);
  if (!layer.g.zero_at_zero) clear_padding(A, layer.n, 0, rows);
  if (!layer.g.finite_at_zero && stores) clear_padding(slope, layer.n, 0, rows);
}

// A_prev, or Z, of `rows` examples from `first` on: of a Parallel the units it takes apart or sets
// side by side, C1; of any other kind its own equation.
template <class T>
void input_of(std::vector<Layer<T>>& layers, Batch<T>& batch, std::size_t l, Panels<T> Z,
              std::size_t first, std::size_t rows, bool training) {
  Layer<T>& layer = layers[l - 1];
  const std::size_t source = layer.hats ? layer.hats->source : layer.sources[0];
  const Panels<T> A_prev = batch.A[source].view().from_row(first);
  if (layer.kind == Kind::columns)
    return copy_lanes(readable(A_prev), layer.first, Z, 0, layer.n, rows);
  if (layer.kind != Kind::parallel)
    return layer_input(layer, batch.kept[l], A_prev, Z, first, rows, training);
  std::size_t at = 0;
  for (const std::size_t source : layer.sources) {
    const std::size_t n = layers[source - 1].n;
    copy_lanes(readable(batch.A[source].view().from_row(first)), 0, Z, at, n, rows);
    at += n;
  }
}

// Rows [first, last) of a batch through all layers; A[0] is in place. In training every thread of
// a team comes here with its rows of `whole`.
template <class T>
void feed_forward(std::vector<Layer<T>>& layers, Batch<T>& batch, const DropoutPlan& input_dropout,
                  const Dropping& dropping, std::size_t first, std::size_t last,
                  const Whole<T>& whole = {}) {
  drop(input_dropout, dropping, 0, batch.A[0].view(), {}, layers.front().n_prev, first, last);
  for (std::size_t l = 1; l <= layers.size(); ++l) {
    Layer<T>& layer = layers[l - 1];
    if (layer.passed_over) continue;
    const bool keep_Z = l == layers.size() && batch.Z.rows() > 0;
    const Panels<T> A = batch.A[l].view(), slope = batch.slope[l].view();
    if (dropping.on)
      take_statistics(layer, batch.kept[l], batch.A[layer.sources[0]].view(), whole);
    for (std::size_t row = first; row < last;) {
      // blocks of nearly equal height, so that none is left over
      const std::size_t most = rows_of_block(layer), blocks = (last - row + most - 1) / most;
      const std::size_t rows = (last - row) / blocks;
      const Panels<T> Z = (keep_Z ? batch.Z.view() : A).from_row(row), A_block = A.from_row(row);
      input_of(layers, batch, l, Z, row, rows, dropping.on);
      const Panels<T> slopes = slope.data != nullptr ? slope.from_row(row) : slope;
      activation(layer, Z, A_block, slopes, rows);
      row += rows;
    }
    if (!dropping.on || !layer.dropout.on) continue;
    if (layer.slope == Slope::mixed) {  // softmax's δ needs its A unmasked
      for (std::size_t panel = 0; panel < panel_count<T>(layer.n); ++panel)
        std::memcpy(slope.row(panel, first), A.row(panel, first),
                    (last - first) * P<T> * sizeof(T));
      drop(layer.dropout, dropping, layer.mask, A, Panels<T>{}, layer.n, first, last);
    } else {
      drop(layer.dropout, dropping, layer.mask, A, slope, layer.n, first, last);
    }
  }
}

// ------------------------------------------------------------------------------ backward

// Eq. 11a: δ = dA ⊙ g'(Z), or softmax's, in place over rows [first, last) of layer l. Row r takes
// the slope of example `example_of(r)`, which is r itself but for a Jacobian.
template <class T, class ExampleOf>
void apply_slope(const Layer<T>& layer, Batch<T>& batch, std::size_t l, Panels<T> dA,
                 std::size_t first, std::size_t last, bool dropped, ExampleOf example_of) {
  if (layer.slope == Slope::one) return;
  const bool unmasked = layer.slope == Slope::mixed && dropped && layer.dropout.on;
  const Panels<T> from = layer.slope == Slope::stored || unmasked ? batch.slope[l].view()
                                                                  : batch.A[l].view();
  if (layer.slope == Slope::mixed) {
    for (std::size_t row = first; row < last; ++row)
      softmax_delta(dA, row, from, example_of(row), layer.n);
    return;
  }
  const auto each = [&](const auto& delta) __attribute__((always_inline)) {
    for (std::size_t panel = 0; panel < panel_count<T>(layer.n); ++panel) {
      for (std::size_t row = first; row < last; ++row) {
        T* d = dA.row(panel, row);
        const T* s = from.row(panel, example_of(row));
        for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width)
          delta(Vec<T>::load(d + lane), Vec<T>::load(s + lane)).store(d + lane);
      }
    }
  };
  const Vec<T> zero(T(0));
  if (layer.slope == Slope::by_sign) each([&](auto d, auto A) { return select<T>(A > zero, d, zero); });
  else each([](auto d, auto slope) { return d * slope; });
}

// From δ[l] of rows [first, last) to dA of the layers it reads; `dA[k]` is of layer k. The last
// reader of a layer is the first to come here: it begins at 0.
template <class T, class ExampleOf>
void send_back(std::vector<Layer<T>>& layers, Batch<T>& batch, std::vector<Matrix<T>>& dA,
               std::size_t l, std::size_t first, std::size_t last, bool many, const Whole<T>* whole,
               const ExampleOf& example_of) {
  Layer<T>& layer = layers[l - 1];
  const Panels<T> delta = dA[l].view();
  if (layer.kind == Kind::parallel) {
    std::size_t at = 0;
    for (const std::size_t source : layer.sources) {
      const std::size_t n = layers[source - 1].n;
      if (first < last)
        copy_lanes(readable(delta.from_row(first)), at, dA[source].view().from_row(first), 0, n,
                   last - first);
      at += n;
    }
    return;
  }
  const std::size_t source = layer.sources[0];
  const Panels<T> out = dA[source].view();
  if (layer.kind == Kind::columns) {
    if (layer.last_reader) clear_rows(out, layer.n_prev, first, last);
    if (first < last)
      add_lanes(readable(delta.from_row(first)), 0, out.from_row(first), layer.first, layer.n,
                last - first);
    return;
  }
  layer_dA_prev(layer, batch.kept[l], batch.A[source].view(),
                delta_by_panels(layer, batch.kept[l], delta, first, last), out, first, last, many,
                whole, example_of);
}

// Whose δ a pass back forms: of layers that move, that learn, or of all.
enum class Reach { moving, learning, all };
template <class T> bool reaches(Reach reach, const Layer<T>& layer) {
  return reach == Reach::all || (reach == Reach::learning ? layer.learns : layer.moves);
}

// Rows [first, last): from δ[L] to δ of every layer within reach. With hats the layers between bins and
// W need none to move.
template <class T>
void back_propagate(std::vector<Layer<T>>& layers, Batch<T>& batch, const Dropping& dropping,
                    std::size_t first, std::size_t last, bool many, Reach reach,
                    const Whole<T>& whole) {
  const auto itself = [](std::size_t row) { return row; };
  for (std::size_t l = layers.size(); l > 0; --l) {
    const Layer<T>& layer = layers[l - 1];
    const Panels<T> dA = batch.delta[l].view();
    if (l < layers.size()) {
      if (!reaches(reach, layer)) continue;
      if (layer.slope == Slope::mixed)  // elsewhere the mask is part of the stored slope
        drop(layer.dropout, dropping, layer.mask, dA, Panels<T>{}, layer.n, first, last);
      apply_slope(layer, batch, l, dA, first, last, dropping.on, itself);
    }
    const bool needs_none = layer.hats && reach == Reach::moving;
    const bool goes_on = !needs_none && std::any_of(
        layer.sources.begin(), layer.sources.end(),
        [&](std::size_t source) { return source > 0 && reaches(reach, layers[source - 1]); });
    if (goes_on)
      send_back(layers, batch, batch.delta, l, first, last, many, dropping.on ? &whole : nullptr,
                itself);
    else
      delta_by_panels(layers[l - 1], batch.kept[l], dA, first, last);
  }
}

}  // namespace deltarule
