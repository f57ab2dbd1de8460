// A caller's arrays: rows of numbers at any strides and any alignment, read only through memcpy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "panels.hpp"

namespace deltarule {

// `count` rows of `width` numbers; strides in bytes.
template <class T> struct Rows {
  const char* data = nullptr;
  std::ptrdiff_t row_stride = 0, column_stride = sizeof(T);
  std::size_t count = 0, width = 0;

  explicit operator bool() const { return data != nullptr; }
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
    const bool plain = factor == T(1) && term == T(0);
    if (plain && column_stride == static_cast<std::ptrdiff_t>(sizeof(T))) {
      const char* from = row(i);
      std::size_t column = 0;
      for (; column + P<T> <= width; column += P<T>, from += P<T> * sizeof(T))
        std::memcpy(out.row(column / P<T>, to), from, P<T> * sizeof(T));
      if (column == width) return;
      T* last = out.row(column / P<T>, to);  // few numbers: a call of memcpy would cost more
      for (; column < width; ++column, from += sizeof(T)) std::memcpy(last++, from, sizeof(T));
      return;
    }
    for (std::size_t column = 0; column < width; ++column)
      out.at(to, column) = at(i, column) * factor + term;
  }
  void fetch(std::size_t i) const {
    if (column_stride != static_cast<std::ptrdiff_t>(sizeof(T))) return;
    const char* from = row(i);
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
