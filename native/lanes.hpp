// Lanes of panels from one place to another, where units are taken apart or set side by side.
#pragma once

#include <algorithm>

#include "panels.hpp"

namespace deltarule {

// Call use(in, out, lanes) for every piece of lanes [from, from + count) that lies within one panel
// of `in` and, as lanes [to, to + count), within one of `out`; both point to the piece's first row.
template <class T, class Use>
DELTARULE_INLINE void each_piece(Panels<const T> in, std::size_t from, Panels<T> out,
                                 std::size_t to, std::size_t count, const Use& use) {
  while (count > 0) {
    const std::size_t lanes = std::min({count, P<T> - from % P<T>, P<T> - to % P<T>});
    use(&in.at(0, from), &out.at(0, to), lanes);
    from += lanes, to += lanes, count -= lanes;
  }
}

// out[row][to + i] = in[row][from + i] for i < count, of `rows` rows.
template <class T>
inline void copy_lanes(Panels<const T> in, std::size_t from, Panels<T> out, std::size_t to,
                       std::size_t count, std::size_t rows) {
  each_piece(in, from, out, to, count, [&](const T* source, T* target, std::size_t lanes) {
    if (lanes == P<T>) {
      std::memcpy(target, source, rows * P<T> * sizeof(T));
      return;
    }
    for (std::size_t row = 0; row < rows; ++row, source += P<T>, target += P<T>)
      for (std::size_t lane = 0; lane < lanes; ++lane) target[lane] = source[lane];
  });
}

// Rows [first, last) of `n` lanes, padding included, become 0.
template <class T>
inline void clear_rows(Panels<T> out, std::size_t n, std::size_t first, std::size_t last) {
  for (std::size_t panel = 0; panel < panel_count<T>(n); ++panel)
    std::memset(out.row(panel, first), 0, (last - first) * P<T> * sizeof(T));
}

// The same as copy_lanes, added to what is there.
template <class T>
inline void add_lanes(Panels<const T> in, std::size_t from, Panels<T> out, std::size_t to,
                      std::size_t count, std::size_t rows) {
  each_piece(in, from, out, to, count, [&](const T* source, T* target, std::size_t lanes) {
    for (std::size_t row = 0; row < rows; ++row, source += P<T>, target += P<T>)
      for (std::size_t lane = 0; lane < lanes; ++lane) target[lane] += source[lane];
  });
}

}  // namespace deltarule
