// A Dense on columns in bins, without its products: sums of rows.
//
// PiecewiseLinear makes of a column with bins 0 to n − 1 ones below the bin k that x lies in, its
// share f of that bin, and zeros above. So W times these is a sum of W's first rows and a part of
// the next. With H_k = W_0 + … + W_k it is two rows, whatever n is:
//
//     Σ_(i<k) W_i + f W_k  =  (1 − f) H_(k−1) + f H_k
//
// H is by the hat functions of finite elements what W is by ramps. Back again an example sends its δ
// to these two rows of dH, and dW_i = Σ_(k≥i) dH_k. A column of one bin, such as a category's, is one
// row, and none where it is 0.
//
// With a Scale s between, H_k sums s_i W_i. Let G_i be that sum of dH: dW_i = s_i G_i, and ds_i is
// W_i · G_i over all units. So neither the bins nor their δ are ever formed.
#pragma once

#include <algorithm>

#include "../kernels/outer.hpp"
#include "base.hpp"

namespace deltarule {

// ------------------------------------------------------------------------ which layers have them

// On units [first, first + inputs) of PiecewiseLinear; none where these are no whole columns, where a
// column has more bins than a strip has rows, or where an example has half as many rows as inputs.
template <class T>
std::optional<Hats<T>> hats_on(const Layer<T>& bins, const std::vector<std::size_t>& counts,
                               std::size_t first, std::size_t inputs) {
  Hats<T> hats;
  std::size_t unit = 0, row = 0, edge = 0;
  hats.strips = {0};
  for (std::size_t input = 0; input < counts.size(); unit += counts[input++]) {
    const std::size_t count = counts[input];
    if (unit + count <= first || unit >= first + inputs) continue;
    if (unit < first || unit + count > first + inputs || count > strip_rows) return std::nullopt;
    if (row + count > hats.strips.back() + strip_rows) hats.strips.push_back(row);
    hats.columns.push_back({input, row, count, edge});
    hats.capacity += std::min<std::size_t>(count, 2);
    row += count, edge += (count + Vec<T>::width - 1) / Vec<T>::width * Vec<T>::width;
  }
  hats.strips.push_back(row);
  if (2 * hats.capacity > inputs) return std::nullopt;
  hats.start = Buffer<T>(edge), hats.width = Buffer<T>(edge);
  std::fill(hats.start.begin(), hats.start.end(), std::numeric_limits<T>::infinity());
  for (const auto& column : hats.columns) {
    std::copy_n(&bins.bins.start[first + column.row], column.bins, &hats.start[column.edge]);
    std::copy_n(&bins.bins.width[first + column.row], column.bins, &hats.width[column.edge]);
  }
  return hats;
}

// Give hats to every Dense on bins that nothing is learned before: as they are, through a Scale, or as
// a part of a Parallel. What stands between, and bins that nobody else reads, are passed over then.
template <class T> void find_hats(std::vector<Layer<T>>& layers, const Plan& plan) {
  std::vector<std::vector<std::size_t>> readers(layers.size() + 1);
  for (std::size_t l = 1; l <= layers.size(); ++l)
    for (const std::size_t source : layers[l - 1].sources) readers[source].push_back(l);
  const auto is = [&](std::size_t l, Kind kind) {
    return l > 0 && layers[l - 1].kind == kind && layers[l - 1].slope == Slope::one;
  };
  for (std::size_t l = 1; l <= layers.size(); ++l) {
    Layer<T>& layer = layers[l - 1];
    std::size_t at = layer.sources[0], first = 0;
    std::vector<std::size_t> between;
    for (const Kind kind : {Kind::scale, Kind::columns}) {
      if (!is(at, kind) || readers[at].size() > 1) continue;
      between.push_back(at);
      if (kind == Kind::columns) first = layers[at - 1].first;
      at = layers[at - 1].sources[0];
    }
    if (layer.kind != Kind::dense || !layer.by_units || !is(at, Kind::piecewise_linear)) continue;
    if (layers[at - 1].moves) continue;
    layer.hats = hats_on(layers[at - 1], plan.layers[at - 1].counts, first, layer.inputs);
    if (!layer.hats) continue;
    layer.hats->bins = at, layer.hats->source = layers[at - 1].sources[0];
    layer.hats->table = Matrix<T>(layer.inputs, layer.units);
    for (const std::size_t passed : between) {
      layers[passed - 1].passed_over = true;
      if (layers[passed - 1].kind != Kind::scale) continue;
      layer.hats->scale = layers[passed - 1].by_unit();
      layers[passed - 1].hats_of = l;
    }
  }
  for (std::size_t l = 1; l <= layers.size(); ++l) {
    if (!is(l, Kind::piecewise_linear) || readers[l].empty()) continue;
    std::vector<bool>& formed = layers[l - 1].formed;
    formed.assign(formed.size(), false);
    for (const std::size_t reader : readers[l]) {
      const Layer<T>& other = layers[reader - 1];
      if (other.passed_over || (other.hats && other.hats->bins == l)) continue;
      const bool some = other.kind == Kind::columns;
      const std::size_t first = some ? other.first : 0;
      const std::size_t last = some ? first + other.n : layers[l - 1].n;
      for (std::size_t panel = first / P<T>; panel * P<T> < last; ++panel) formed[panel] = true;
    }
  }
}

// ------------------------------------------------------------------------------------------- H

// A panel of H, of the parameters as they are.
template <class T> void tabulate(Layer<T>& layer, std::size_t panel) {
  using V = Vec<T>;
  const T* scale = layer.hats->scale;
  for (const auto& column : layer.hats->columns) {
    for (std::size_t lane = 0; lane < P<T>; lane += V::width) {
      V total(T(0));
      for (std::size_t row = column.row; row < column.row + column.bins; ++row) {
        const V w = V::load(layer.W.view().row(panel, row) + lane);
        total = scale != nullptr ? fma(V(scale[row]), w, total) : total + w;
        total.store(layer.hats->table.view().row(panel, row) + lane);
      }
    }
  }
}

// ------------------------------------------------------------------------------------- forward

// Which bin of a column x lies in: the ones below are full. The share of x that it is in it, Eq. Q1.
template <class T>
DELTARULE_INLINE std::size_t bin_of(const T* start, const T* width, std::size_t bins, T x, T& share) {
  using V = Vec<T>;
  std::size_t bin = 0;
  if (bins > 1) {
    V full(T(0));
    for (std::size_t i = 0; i < bins; i += V::width)
      full += select<T>((V(x) - V::load(start + i)) >= V::load(width + i), V(T(1)), V(T(0)));
    bin = std::min(static_cast<std::size_t>(sum(full)), bins - 1);
  }
  share = (x - start[bin]) / width[bin];
  if (bin > 0 && share < T(0)) share = T(0);
  if (bin + 1 < bins && share > T(1)) share = T(1);
  return bin;
}

// The rows of H that example `row` takes, and how much of each; they ascend.
template <class T>
void take_rows(const Hats<T>& hats, Panels<const T> A_prev, std::size_t row, Taken<T>& taken,
               std::size_t example) {
  std::uint32_t* begin = &taken.begin[example * hats.strips.size()];
  std::uint32_t entry = static_cast<std::uint32_t>(example * hats.capacity);
  const auto take = [&](std::size_t from, T part) {
    taken.row[entry] = static_cast<std::uint32_t>(from), taken.part[entry++] = part;
  };
  std::size_t strip = 0;
  for (const auto& column : hats.columns) {
    if (column.row == hats.strips[strip]) begin[strip++] = entry;
    T share;
    const std::size_t bin = bin_of(&hats.start[column.edge], &hats.width[column.edge], column.bins,
                                   A_prev.at(row, column.input), share);
    if (bin > 0) take(column.row + bin - 1, T(1) - share);
    if (column.bins > 1 || !(share == T(0))) take(column.row + bin, share);
  }
  begin[strip] = entry;
}

// N panels of Z of one example: the biases and its parts of rows of H. Two sums at a time, as
// two rows are of one column.
template <int N, class T>
DELTARULE_INLINE void add_rows(const std::uint32_t* row, const T* part, std::size_t count,
                               Panels<const T> H, const T* start, Panels<T> Z) {
  using V = Vec<T>;
  constexpr int D = panel_vectors, vectors = D * N;
  V sums[2][vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
    sums[0][v] = V::load(start + v * V::width), sums[1][v] = V(T(0));
  const auto add = [&](std::size_t entry, V(&own)[vectors]) __attribute__((always_inline)) {
    const T* h = H.row(0, row[entry]);
    const V share(part[entry]);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v)
      own[v] = fma(share, V::load(h + (v / D) * H.stride * P<T> + (v % D) * V::width), own[v]);
  };
  std::size_t entry = 0;
  for (; entry + 2 <= count; entry += 2) add(entry, sums[0]), add(entry + 1, sums[1]);
  if (entry < count) add(entry, sums[0]);
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
    (sums[0][v] + sums[1][v]).store(Z.row(v / D, 0) + (v % D) * V::width);
}

// Z of `rows` examples, the first of which is example `first` of the batch; A_prev, the numbers of the
// columns, and Z begin there.
template <class T>
void hats_input(Layer<T>& layer, Taken<T>& taken, Panels<const T> A_prev, Panels<T> Z,
                std::size_t first, std::size_t rows) {
  const Hats<T>& hats = *layer.hats;
  for (std::size_t row = 0; row < rows; ++row) take_rows(hats, A_prev, row, taken, first + row);
  const Panels<const T> H = readable(layer.hats->table.view());
  const auto some = [&](auto N, std::size_t panel) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::uint32_t* begin = &taken.begin[(first + row) * hats.strips.size()];
      const std::uint32_t entry = begin[0], count = begin[hats.strips.size() - 1] - entry;
      add_rows<N.value>(&taken.row[entry], &taken.part[entry], count, H.from_panel(panel),
                        layer.b.data() + panel * P<T>, Panels<T>{Z.row(panel, row), Z.stride});
    }
  };
  constexpr int most = 4 / panel_vectors;  // eight sums in registers
  const std::size_t panels = panel_count<T>(layer.units);
  std::size_t panel = 0;
  for (; panel + most <= panels; panel += most) some(std::integral_constant<int, most>{}, panel);
  for (; panel < panels; ++panel) some(std::integral_constant<int, 1>{}, panel);
}

// ------------------------------------------------------------------------------------ backward

// dH of a strip and a panel: what m examples send its rows, `begin` being the first.
template <class T>
void sum_sent(const Taken<T>& taken, Panels<const T> delta, std::size_t m, std::size_t strips,
              std::size_t strip, std::size_t begin, std::size_t panel, T* sums) {
  using V = Vec<T>;
  constexpr int D = panel_vectors;
  for (std::size_t example = 0; example < m; ++example) {
    const std::uint32_t* entries = &taken.begin[example * strips + strip];
    V deltas[D];
#pragma GCC unroll 2
    for (int v = 0; v < D; ++v) deltas[v] = V::load(delta.row(panel, example) + v * V::width);
    for (std::uint32_t entry = entries[0]; entry < entries[1]; ++entry) {
      T* sum = sums + (taken.row[entry] - begin) * P<T>;
      const V part(taken.part[entry]);
#pragma GCC unroll 2
      for (int v = 0; v < D; ++v)
        fma(part, deltas[v], V::load(sum + v * V::width)).store(sum + v * V::width);
    }
  }
}

// Rows of a column from dH to G, each the sum of those from it on.
template <class T> void sum_from_above(T* rows, std::size_t count) {
  for (std::size_t row = count - 1; row > 0; --row)
    for (std::size_t lane = 0; lane < P<T>; lane += Vec<T>::width) {
      T* below = rows + (row - 1) * P<T> + lane;
      (Vec<T>::load(below) + Vec<T>::load(below + P<T>)).store(below);
    }
}

// dW of rows [first, last), which are of one strip, and a panel, without the 1/m. A strip is summed
// whole, for dW of a row takes dH of those above.
template <class T>
void hats_dW(Layer<T>& layer, Taken<T>& taken, Panels<const T> delta, std::size_t m,
             std::size_t first, std::size_t last, std::size_t panel, T* out) {
  using V = Vec<T>;
  const Hats<T>& hats = *layer.hats;
  const std::size_t strip = hats.strip_of(first), begin = hats.strips[strip];
  alignas(64) T sums[strip_rows * P<T>] = {};
  sum_sent(taken, delta, m, hats.strips.size(), strip, begin, panel, sums);
  for (const auto& column : hats.columns)
    if (column.row >= begin && column.row < hats.strips[strip + 1])
      sum_from_above(sums + (column.row - begin) * P<T>, column.bins);
  for (std::size_t row = first; row < last; ++row, out += P<T>) {
    const T *G = sums + (row - begin) * P<T>, *w = layer.W.view().row(panel, row);
    const V scale(hats.scale != nullptr ? hats.scale[row] : T(1));
    V along(T(0));
    for (std::size_t lane = 0; lane < P<T>; lane += V::width) {
      const V own = V::load(G + lane);
      along = fma(V::load(w + lane), own, along);
      (scale * own).store(out + lane);
    }
    if (hats.scale != nullptr) taken.along[panel * taken.pitch + row] = sum(along);
  }
}

// ds of a panel of the Scale between, without the 1/m, once dW of all its rows has been formed.
template <class T> void hats_d_scale(const Taken<T>& taken, std::size_t panel, T* out) {
  std::fill(out, out + P<T>, T(0));
  for (std::size_t at = panel * P<T>; at < taken.along.size(); at += taken.pitch)
    for (std::size_t lane = 0; lane < P<T>; ++lane) out[lane] += taken.along[at + lane];
}

}  // namespace deltarule
