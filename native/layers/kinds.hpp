// The kinds of layers as the two passes over a batch know them.
#pragma once

#include "../threads.hpp"
#include "base.hpp"
#include "categories.hpp"
#include "hats.hpp"
#include "normalisation.hpp"
#include "numeric.hpp"
#include "scaling.hpp"
#include "weights.hpp"

namespace deltarule {

// A batch as all threads of a team see it together, for the kinds with statistics over examples.
// Each thread takes a share of the panels and of these all examples, in order: no sum depends on
// how many threads there are.
template <class T> struct Whole {
  std::size_t m = 0;
  const T* weights = nullptr;  // or none
  T share = 1;                 // of an example of weight 1: one over the weight of all
  std::size_t thread = 0, threads = 1;
  Barrier* barrier = nullptr;

  T operator()(std::size_t i) const { return weights != nullptr ? weights[i] * share : share; }

  // Call use(panel) for this thread's share, once all have come here; go on once all are done.
  template <class Use> void each_panel(std::size_t n, const Use& use) const {
    barrier->wait();
    const Share share = share_of(panel_count<T>(n), thread, threads);
    for (std::size_t panel = share.first; panel < share.last; ++panel) use(panel);
    barrier->wait();
  }
};

// ------------------------------------------------------------------------------- forward

// What has to be known of the whole batch before Z; `A_prev` of all rows is in place.
template <class T>
void take_statistics(const Layer<T>& layer, Kept<T>& kept, Panels<T> A_prev, const Whole<T>& whole) {
  if (layer.kind != Kind::batch_norm) return;
  whole.each_panel(layer.n, [&](std::size_t panel) {
    batch_statistics(readable(A_prev), panel, whole.m, whole, kept.mean.data(),
                     kept.variance.data());
  });
}

// Z of `rows` examples, the first of which is example `first` of the batch. A_prev and Z begin
// there; `training`: with the batch's statistics. What a Parallel takes apart and sets side by side
// has no equation of its own: network.hpp moves it.
template <class T>
void layer_input(Layer<T>& layer, Kept<T>& kept, Panels<T> A_prev, Panels<T> Z,
                    std::size_t first, std::size_t rows, bool training) {
  const auto from_first = [&](Matrix<T>& matrix) {
    const Panels<T> all = matrix.view();
    return all.data != nullptr ? all.from_row(first) : all;
  };
  const Panels<T> factor = from_first(kept.factor), slope = from_first(kept.slope);
  const Panels<const T> A = readable(A_prev);
  const T *own = layer.by_unit(), *shift = layer.b.data();
  if (layer.hats) return hats_input(layer, kept.taken, A, Z, first, rows);
  switch (layer.kind) {
    case Kind::layer_norm:
      for (std::size_t row = 0; row < rows; ++row) {
        const T scale = normalise_units(A, row, layer.n, layer.epsilon, own, shift, factor, Z);
        if (kept.scale.size() > 0) kept.scale[first + row] = scale;
      }
      return;
    case Kind::batch_norm:
      return normalise_batch(A, rows, layer.n, layer.epsilon,
                             (training ? kept.mean : layer.mean).data(),
                             (training ? kept.variance : layer.variance).data(), own, shift, factor,
                             Z);
    case Kind::scale: return scaled(own, A, layer.n, 0, rows, Z);
    case Kind::parametric:
      return bent(layer.bend, layer.bend_number, own, A, layer.n, rows, factor, slope, Z);
    case Kind::periodic: return angle(layer, A, rows, Z);
    case Kind::piecewise_linear: return filled(layer, A, rows, Z);
    case Kind::embedding:
      for (std::size_t row = 0; row < rows; ++row)
        looked_up(layer, A, row, &kept.level[(first + row) * layer.n_prev], Z);
      return;
    case Kind::dense:
    case Kind::grouped:
    case Kind::shared: return weighted_input(layer, kept, A_prev, Z, first, rows);
    case Kind::columns:
    case Kind::parallel: return;
  }
}

// The running averages after a batch.
template <class T> void keep_averages(Layer<T>& layer, const Kept<T>& kept) {
  const T now = layer.momentum, old = T(1) - now;
  for (std::size_t unit = 0; unit < layer.mean.size(); ++unit) {
    layer.mean[unit] = old * layer.mean[unit] + now * kept.mean[unit];
    layer.variance[unit] = old * layer.variance[unit] + now * kept.variance[unit];
  }
}

// ------------------------------------------------------------------------------ backward

// dA_prev of rows [first, last). Row r belongs to example `example_of(r)`, r itself but for a
// Jacobian. `whole`: the batch whose statistics the forward pass took; null after a prediction.
// δ of weights is as delta_by_panels has it.
template <class T, class ExampleOf>
void layer_dA_prev(Layer<T>& layer, Kept<T>& kept, Panels<T> A_prev, Panels<T> delta, Panels<T> out,
                   std::size_t first, std::size_t last, bool many, const Whole<T>* whole,
                   const ExampleOf& example_of) {
  const Panels<const T> d = readable(delta), factor = readable(kept.factor.view());
  const T* own = layer.by_unit();
  switch (layer.kind) {
    case Kind::layer_norm:
      for (std::size_t row = first; row < last; ++row) {
        const std::size_t i = example_of(row);
        normalised_units_dA_prev(d, row, factor, i, layer.n, kept.scale[i], own, out);
      }
      return;
    case Kind::batch_norm:
      if (whole == nullptr)
        return running_batch_dA_prev(d, first, last, layer.n, layer.epsilon, layer.variance.data(),
                                     own, out);
      whole->each_panel(layer.n, [&](std::size_t panel) {
        column_sums(d, whole->m, panel, kept.total.data() + panel * P<T>);
        column_dots(d, factor, whole->m, panel, kept.along.data() + panel * P<T>);
      });
      return normalised_batch_dA_prev(d, factor, first, last, layer.n, layer.epsilon,
                                      kept.variance.data(), own, kept.total.data(),
                                      kept.along.data(), *whole, out);
    case Kind::scale: return scaled(own, d, layer.n, first, last, out);
    case Kind::parametric:
      return bent_dA_prev(own, d, readable(kept.slope.view()), layer.n, first, last, example_of,
                          out);
    case Kind::periodic: return angle_dA_prev(layer, d, first, last, out);
    case Kind::piecewise_linear:
      return filled_dA_prev(layer, d, readable(A_prev), first, last, example_of, out);
    case Kind::embedding: return clear_rows(out, layer.n_prev, first, last);  // no quantities
    case Kind::dense:
    case Kind::grouped:
    case Kind::shared: return weighted_dA_prev(layer, kept, delta, out, first, last, many);
    case Kind::columns:
    case Kind::parallel: return;
  }
}

// The derivative by W of rows [first, last) of a panel, summed over m examples, without the 1/m. Of a
// Scale that is in hats, `kept` is that of the layer with these.
template <class T>
void d_parameters(Layer<T>& layer, Kept<T>& kept, Panels<const T> delta, Panels<const T> A_prev,
                  std::size_t m, std::size_t first, std::size_t last, std::size_t panel, T* out) {
  if (layer.hats) return hats_dW(layer, kept.taken, delta, m, first, last, panel, out);
  if (layer.hats_of > 0) return hats_d_scale(kept.taken, panel, out);
  switch (layer.kind) {
    case Kind::dense:
    case Kind::grouped:
    case Kind::shared:
      return dW_strip(layer, kept, delta, A_prev, m, first, last, panel, out);
    case Kind::embedding:
      return d_embedding(layer, delta, kept.level.data(), m, first, last, panel, out);
    case Kind::periodic: return d_frequency(layer, delta, A_prev, m, panel, out);
    case Kind::scale: return column_dots(delta, A_prev, m, panel, out);
    case Kind::layer_norm:
    case Kind::batch_norm:
    case Kind::parametric:
      return column_dots(delta, readable(kept.factor.view()), m, panel, out);
    case Kind::piecewise_linear:
    case Kind::columns:
    case Kind::parallel: return;
  }
}

// The derivative by b of a panel, likewise, of δ as the products read it.
template <class T>
void d_biases(const Layer<T>& layer, Kept<T>& kept, Panels<const T> delta, std::size_t m,
              std::size_t panel, T* out) {
  const auto from = kept.delta.rows() > 0 ? readable(kept.delta.view()) : delta;
  if constexpr (std::is_same_v<T, float>)
    if (layer.on != MatrixUnits::none) return rounded_sums(from, m, panel, out);
  column_sums(from, m, panel, out);
}

}  // namespace deltarule
