// The products with weights: Eq. 1a, 11b and 11d of layers/dense.py, of each group G1 to G3 of
// layers/grouped.py and of each member M1 to M3 of layers/shared.py. Dense is one group; members are
// groups with one block of W for all.
//
// The kernels want each group's lanes on panels of its own. Where a group is no whole panels, its
// lanes are copied there and back.
#pragma once

#include "../kernels/columns.hpp"
#include "../kernels/dots.hpp"
#include "../kernels/outer.hpp"
#include "../kernels/transposed.hpp"
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

// W of a group.
template <class T> Panels<T> block_of(Layer<T>& layer, std::size_t g) {
  return layer.W.view().from_row(layer.blocks == 1 ? 0 : g * layer.rows_of_group());
}

// ------------------------------------------------------------------------------- forward

// Z = W A_prev + b of one group.
template <class T>
void group_input(Layer<T>& layer, std::size_t g, Panels<T> A_prev, Panels<T> Z, std::size_t rows) {
  const std::size_t panels = panel_count<T>(layer.units);
  const Panels<T> W = block_of(layer, g);
  const T* b = layer.b.data() + g * panels * P<T>;
  if (layer.by_units) {
    columns_product(readable(A_prev), layer.inputs, W.data, W.stride, panels, b, Z, rows);
    return;
  }
  dots_product(readable(A_prev), readable(W), panel_count<T>(layer.inputs), Z, rows, layer.units);
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
    to_panels(A_prev, in, layer.groups, layer.inputs, rows);
  }
  if (kept.delta.rows() > 0) out = kept.delta.view().from_row(first);
  for (std::size_t g = 0; g < layer.groups; ++g)
    group_input(layer, g, in.from_panel(g * panel_count<T>(layer.inputs)),
                out.from_panel(g * panel_count<T>(layer.units)), rows);
  if (kept.delta.rows() > 0) from_panels(out, Z, layer.groups, layer.units, rows);
}

// ------------------------------------------------------------------------------ backward

// dA_prev = Wᵀ δ of one group. `many`: the batch is large enough to pay for transposing W once.
template <class T>
void group_dA_prev(Layer<T>& layer, std::size_t g, Panels<T> delta, Panels<T> out,
                   std::size_t rows, bool many) {
  const Panels<T> W = block_of(layer, g);
  if (!layer.by_units) {
    columns_product(readable(delta), layer.units, W.data, W.stride, panel_count<T>(layer.inputs),
                    layer.zeros.data(), out, rows);
  } else if (many) {
    transposed_product(readable(delta), layer.units, readable(W), layer.inputs,
                       layer.zeros.data(), out, rows);
  } else {
    dots_product(readable(delta), readable(W), panel_count<T>(layer.units), out, rows,
                 layer.inputs);
  }
}

// δ of rows [first, last) with each group on panels of its own, which dA_prev and dW read.
template <class T>
Panels<T> delta_by_panels(Layer<T>& layer, Kept<T>& kept, Panels<T> delta, std::size_t first,
                          std::size_t last) {
  if (kept.delta.rows() == 0) return delta;
  const Panels<T> own = kept.delta.view();
  to_panels(delta.from_row(first), own.from_row(first), layer.groups, layer.units, last - first);
  return own;
}

// Eq. 11d, G3, M3 of rows [first, last); δ as delta_by_panels has it.
template <class T>
void weighted_dA_prev(Layer<T>& layer, Kept<T>& kept, Panels<T> delta, Panels<T> out,
                      std::size_t first, std::size_t last, bool many) {
  if (first == last) return;
  const bool apart = kept.dA_prev.rows() > 0;
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
  const auto lanes_of = [](Matrix<T>& apart, Panels<const T> whole) {
    return apart.rows() > 0 ? readable(apart.view()) : whole;
  };
  const Panels<const T> rows = layer.by_units ? A_prev : delta;
  const Panels<const T> lanes =
      layer.by_units ? lanes_of(kept.delta, delta) : lanes_of(kept.A_prev, A_prev);
  const std::size_t panels = panel_count<T>(layer.lanes()), height = layer.rows_of_group();
  if (layer.blocks == layer.groups)
    return outer_strip(rows, lanes, m, first, last - first, first / height * panels + panel, out);
  for (std::size_t g = 0; g < layer.groups; ++g)
    outer_strip(rows, lanes, m, g * height + first, last - first, g * panels + panel, out, g == 0);
}

}  // namespace deltarule
