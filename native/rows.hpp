// A caller's arrays: rows of numbers at any strides and any alignment, read only through memcpy;
// or rows of a sparse matrix, made dense one by one as a batch is gathered.
//
// Another thread of the caller's may write to these arrays at any time. Numbers may then be anything;
// whatever leads to a place in memory is loaded once, and checked as it was loaded.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "panels.hpp"

namespace deltarule {

// Set once an index is found that leads nowhere, though all were in order when the call began.
using Changed = std::atomic<bool>*;
inline void note(Changed changed) {
  if (changed != nullptr) changed->store(true, std::memory_order_relaxed);
}

// An index of a caller's, loaded once: below 0 it becomes larger than any size.
template <class Index> DELTARULE_INLINE std::size_t loaded(const Index* from) {
  return static_cast<std::size_t>(*static_cast<const volatile Index*>(from));
}

// Compressed rows (CSR): the entries of row i are [indptr[i], indptr[i + 1]), each with its column.
// Entries of one place are added up; those of a column that is none are left out.
template <class T> struct Compressed {
  const T* data = nullptr;
  const void *indices = nullptr, *indptr = nullptr;
  bool wide = false;        // int64, else int32
  std::size_t entries = 0;  // how many data and indices there are
  Changed changed = nullptr;

  explicit operator bool() const { return indptr != nullptr; }
  std::size_t number(const void* numbers, std::size_t i) const {
    return wide ? loaded(static_cast<const std::int64_t*>(numbers) + i)
                : loaded(static_cast<const std::int32_t*>(numbers) + i);
  }
  std::size_t end(std::size_t i) const {
    const std::size_t at = number(indptr, i);
    if (at <= entries) return at;
    note(changed);
    return entries;
  }
  void copy(std::size_t i, std::size_t width, Panels<T> out, std::size_t to) const {
    for (std::size_t column = 0; column < width; column += P<T>)
      std::memset(out.row(column / P<T>, to), 0, P<T> * sizeof(T));
    const std::size_t last = end(i + 1);
    for (std::size_t entry = end(i); entry < last; ++entry) {
      const std::size_t column = number(indices, entry);
      if (column < width) out.at(to, column) += data[entry];
      else note(changed);
    }
  }
  void fetch(std::size_t i) const {
    const std::size_t first = end(i);
    prefetch(data + first);
    prefetch(static_cast<const char*>(indices) + first * (wide ? 8 : 4));
  }
};

// `count` rows of `width` numbers; strides in bytes.
template <class T> struct Rows {
  const char* data = nullptr;
  std::ptrdiff_t row_stride = 0, column_stride = sizeof(T);
  std::size_t count = 0, width = 0;
  Compressed<T> compressed;  // in place of `data`

  explicit operator bool() const { return data != nullptr || compressed; }
  const char* row(std::size_t i) const {
    return data + static_cast<std::ptrdiff_t>(i) * row_stride;
  }
  T at(std::size_t i, std::size_t column) const {
    T value;
    std::memcpy(&value, row(i) + static_cast<std::ptrdiff_t>(column) * column_stride, sizeof value);
    return value;
  }
  // Row i as row `to` of a matrix in panels, times `factor`, plus `term`.
  void copy(std::size_t i, Panels<T> out, std::size_t to, T factor = T(1), T term = T(0)) const {
    if (compressed) return compressed.copy(i, width, out, to);  // X, which nothing is added to
    const bool plain = factor == T(1) && term == T(0);
    if (plain && column_stride == static_cast<std::ptrdiff_t>(sizeof(T))) {
      const char* from = row(i);
      std::size_t column = 0;
      for (; column + P<T> <= width; column += P<T>, from += P<T> * sizeof(T))
        std::memcpy(out.row(column / P<T>, to), from, P<T> * sizeof(T));
      if (column == width) return;
      T* last = out.row(column / P<T>, to);  // few numbers: a call of memcpy would cost more
      for (; column + 4 <= width; column += 4, last += 4, from += 4 * sizeof(T))
        std::memcpy(last, from, 4 * sizeof(T));
      for (; column < width; ++column, from += sizeof(T)) std::memcpy(last++, from, sizeof(T));
      return;
    }
    for (std::size_t column = 0; column < width; ++column)
      out.at(to, column) = at(i, column) * factor + term;
  }
  void fetch(std::size_t i) const {
    if (compressed) return compressed.fetch(i);
    if (column_stride != static_cast<std::ptrdiff_t>(sizeof(T))) return;
    const char* from = row(i);
    // a batch of such short rows is small; one of longer rows would push out what is worked on
    if (width * sizeof(T) <= 64) return prefetch<true>(from);
    for (std::size_t byte = 0; byte < width * sizeof(T); byte += 64) prefetch(from + byte);
  }
};

// The same for writing.
template <class T> struct WritableRows {
  char* data = nullptr;
  std::ptrdiff_t row_stride = 0, column_stride = sizeof(T);
  std::size_t count = 0, width = 0;

  void set(std::size_t i, std::size_t column, T value) const {
    std::memcpy(data + static_cast<std::ptrdiff_t>(i) * row_stride +
                    static_cast<std::ptrdiff_t>(column) * column_stride,
                &value, sizeof value);
  }
  void copy(Panels<T> in, std::size_t from, std::size_t to) const {
    for (std::size_t column = 0; column < width; ++column) set(to, column, in.at(from, column));
  }
};

}  // namespace deltarule
