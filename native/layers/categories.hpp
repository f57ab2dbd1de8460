// Embeddings of categories: the equations of layers/categories.py, forward above backward. A row of
// W is a level's numbers: the levels of a column after those of the columns before it.
#pragma once

#include <cmath>

#include "../lanes.hpp"
#include "base.hpp"

namespace deltarule {

// A whole number from 0 to below `levels`; whatever is none of these becomes 0.
template <class T> std::size_t code_of(T x, std::size_t levels) {
  const bool known = x >= T(0) && x < T(levels) && std::floor(x) == x;
  return known ? static_cast<std::size_t>(x) : 0;
}

// Eq. E1 of one example: of each column the row of its level; `level` takes which it was.
template <class T>
void looked_up(Layer<T>& layer, Panels<const T> A_prev, std::size_t row, std::size_t* level,
               Panels<T> Z) {
  const Panels<const T> E = readable(layer.W.view());
  std::size_t begin = 0;
  for (std::size_t column = 0; column < layer.n_prev; ++column) {
    level[column] = begin + code_of(A_prev.at(row, column), layer.levels[column]);
    copy_lanes(E.from_row(level[column]), 0, Z.from_row(row), column * layer.units, layer.units, 1);
    begin += layer.levels[column];
  }
}

// Eq. E2 of levels [first, last) and a panel, without the 1/m: what m examples send them.
template <class T>
void d_embedding(const Layer<T>& layer, Panels<const T> delta, const std::size_t* level,
                 std::size_t m, std::size_t first, std::size_t last, std::size_t panel, T* out) {
  const std::size_t lane = panel * P<T>, lanes = std::min(P<T>, layer.units - lane);
  std::fill(out, out + (last - first) * P<T>, T(0));
  std::size_t begin = 0;
  for (std::size_t column = 0; column < layer.n_prev; ++column) {
    const std::size_t end = begin + layer.levels[column];
    if (begin < last && first < end) {
      for (std::size_t row = 0; row < m; ++row) {
        const std::size_t own = level[row * layer.n_prev + column];
        if (own < first || own >= last) continue;
        T* sum = out + (own - first) * P<T>;
        for (std::size_t i = 0; i < lanes; ++i)
          sum[i] += delta.at(row, column * layer.units + lane + i);
      }
    }
    begin = end;
  }
}

}  // namespace deltarule
