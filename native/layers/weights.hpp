// The products with weights: Eq. 1a, 11b and 11d of layers/dense.py, of each group G1 to G3 of
// layers/grouped.py and of each member M1 to M3 of layers/shared.py. Dense is one group; members are
// groups with one block of W for all.
//
// The kernels want each group's lanes on panels of its own. Where a group is no whole panels, its
// lanes are copied there and back. Where products are mixed, A_prev, δ and W are rounded to bfloat16,
// each once; b, and all sums, are float32.
#pragma once

#include "../kernels/products.hpp"
#include "../lanes.hpp"
#include "base.hpp"

namespace deltarule {

// Each group of `size` lanes from where it follows the group before, to panels of its own; and back.
template <class T>
void to_panels(Panels<T> in, Panels<T> out, std::size_t groups, std::size_t size, std::size_t rows) {
  const std::size_t pitch = panel_count<T>(size) * P<T>;
  for (std::size_t g = 0; g < groups; ++g)
    copy_lanes(readable(in), g * size, out, g * pitch, size, rows);
}
template <class T>
void from_panels(Panels<T> in, Panels<T> out, std::size_t groups, std::size_t size,
                 std::size_t rows) {
  const std::size_t pitch = panel_count<T>(size) * P<T>;
  for (std::size_t g = 0; g < groups; ++g)
    copy_lanes(readable(in), g * pitch, out, g * size, size, rows);
}

// W of a group, as products read it.
template <class T> Panels<T> block_of(Layer<T>& layer, std::size_t g) {
  Matrix<T>& W = layer.copies() ? layer.rounded : layer.W;
  return W.view().from_row(layer.blocks == 1 ? 0 : g * layer.rows_of_group());
}

// A_prev or δ, groups of `size` lanes, as products read it.
template <class T>
void to_operand(const Layer<T>& layer, std::size_t size, Panels<T> in, Panels<T> out,
                std::size_t rows) {
  const bool apart = layer.apart(size);
  if (apart) to_panels(in, out, layer.groups, size, rows);
  if (!layer.copies()) return;
  const Panels<T> from = apart ? out : in;
  for (std::size_t panel = 0; panel < layer.groups * panel_count<T>(size); ++panel)
    round_numbers(from.row(panel, 0), out.row(panel, 0), rows * P<T>);
}

// ------------------------------------------------------------------------------- forward

// How many examples pass by the weights at once: more where these are packed for them.
template <class T> std::size_t rows_of_block(const Layer<T>& layer) {
  return layer.on == MatrixUnits::none ? block_rows : 256;
}

// Z = W A_prev + b of one group.
template <class T>
void group_input(Layer<T>& layer, std::size_t g, Panels<T> A_prev, Panels<T> Z, std::size_t rows) {
  const std::size_t panels = panel_count<T>(layer.units);
  const Panels<const T> A = readable(A_prev), W = readable(block_of(layer, g));
  const T* b = layer.b.data() + g * panels * P<T>;
  if (layer.by_units)
    return lanes_product(layer.on, A, layer.inputs, W, layer.units, b, Z, rows);
  summed_product(layer.on, A, layer.inputs, W, layer.units, layer.zeros.data(), Z, rows, false);
  for (std::size_t panel = 0; panel < panels; ++panel) {
    for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width) {
      const Vec<T> own = Vec<T>::load(b + panel * P<T> + lane);
      for (std::size_t row = 0; row < rows; ++row) {
        T* z = Z.row(panel, row) + lane;
        (Vec<T>::load(z) + own).store(z);
      }
    }
  }
}

// Eq. 1a, G1, M1 of `rows` examples, the first of which is example `first` of the batch; A_prev and Z
// begin there.
template <class T>
void weighted_input(Layer<T>& layer, Kept<T>& kept, Panels<T> A_prev, Panels<T> Z,
                    std::size_t first, std::size_t rows) {
  Panels<T> in = A_prev, out = Z;
  if (kept.A_prev.rows() > 0) {
    in = kept.A_prev.view().from_row(first);
    to_operand(layer, layer.inputs, A_prev, in, rows);
  }
  if (layer.apart(layer.units)) out = kept.delta.view().from_row(first);
  for (std::size_t g = 0; g < layer.groups; ++g)
    group_input(layer, g, in.from_panel(g * panel_count<T>(layer.inputs)),
                out.from_panel(g * panel_count<T>(layer.units)), rows);
  if (layer.apart(layer.units)) from_panels(out, Z, layer.groups, layer.units, rows);
}

// ------------------------------------------------------------------------------ backward

// dA_prev = Wᵀ δ of one group. `many`: the batch is large enough to pay for transposing W once.
template <class T>
void group_dA_prev(Layer<T>& layer, std::size_t g, Panels<T> delta, Panels<T> out,
                   std::size_t rows, bool many) {
  const Panels<const T> d = readable(delta), W = readable(block_of(layer, g));
  const T* zeros = layer.zeros.data();
  if (layer.by_units)
    return summed_product(layer.on, d, layer.units, W, layer.inputs, zeros, out, rows, many);
  lanes_product(layer.on, d, layer.units, W, layer.inputs, zeros, out, rows);
}

// δ of rows [first, last) as dA_prev, dW and db read it.
template <class T>
Panels<T> delta_by_panels(Layer<T>& layer, Kept<T>& kept, Panels<T> delta, std::size_t first,
                          std::size_t last) {
  if (kept.delta.rows() == 0) return delta;
  const Panels<T> own = kept.delta.view();
  to_operand(layer, layer.units, delta.from_row(first), own.from_row(first), last - first);
  return own;
}

// Eq. 11d, G3, M3 of rows [first, last); δ as delta_by_panels has it.
template <class T>
void weighted_dA_prev(Layer<T>& layer, Kept<T>& kept, Panels<T> delta, Panels<T> out,
                      std::size_t first, std::size_t last, bool many) {
  if (first == last) return;
  const bool apart = layer.apart(layer.inputs);
  const Panels<T> to = (apart ? kept.dA_prev.view() : out).from_row(first);
  const Panels<T> from = delta.from_row(first);
  for (std::size_t g = 0; g < layer.groups; ++g)
    group_dA_prev(layer, g, from.from_panel(g * panel_count<T>(layer.units)),
                  to.from_panel(g * panel_count<T>(layer.inputs)), last - first, many);
  if (apart) from_panels(to, out.from_row(first), layer.groups, layer.inputs, last - first);
}

// Eq. 11b, G2, M2 of rows [first, last) of W, which are of one block, and a panel, without the 1/m.
template <class T>
void dW_strip(Layer<T>& layer, Kept<T>& kept, Panels<const T> delta, Panels<const T> A_prev,
              std::size_t m, std::size_t first, std::size_t last, std::size_t panel, T* out) {
  if (kept.A_prev.rows() > 0) A_prev = readable(kept.A_prev.view());
  if (kept.delta.rows() > 0) delta = readable(kept.delta.view());
  const Panels<const T> rows = layer.by_units ? A_prev : delta;
  const Panels<const T> lanes = layer.by_units ? delta : A_prev;
  const std::size_t panels = panel_count<T>(layer.lanes()), height = layer.rows_of_group();
  const std::size_t pitch = panel_count<T>(height) * P<T>;  // rows from one group to the next
  const auto add = [&](std::size_t g, bool begin) {
    examples_product(layer.on, rows, lanes, m, g * pitch + first % height, last - first,
                     g * panels + panel, out, begin);
  };
  if (layer.blocks == layer.groups) return add(first / height, true);
  for (std::size_t g = 0; g < layer.groups; ++g) add(g, g == 0);
}

}  // namespace deltarule
