// The boundary to Python's arrays: dtype, shape and strides are checked here, before any kernel.
//
// Through the buffer protocol, which costs some tens of nanoseconds; values are not looked at.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "rows.hpp"

namespace deltarule {

namespace nb = nanobind;

// Raise an error of deltarule.errors.
[[noreturn]] inline void raise(const char* error, const std::string& message) {
  const nb::object type = nb::module_::import_("deltarule.errors").attr(error);
  PyErr_SetString(type.ptr(), message.c_str());
  throw nb::python_error();
}

template <class T> inline constexpr const char* dtype_name = nullptr;
template <> inline constexpr const char* dtype_name<float> = "float32";
template <> inline constexpr const char* dtype_name<double> = "float64";
template <> inline constexpr const char* dtype_name<std::int32_t> = "int32";
template <> inline constexpr const char* dtype_name<std::int64_t> = "int64";

// What a view of an array is, whatever it holds: a buffer for as long as it lives.
class Memory {
 public:
  Memory() = default;
  ~Memory() {
    if (held_) PyBuffer_Release(&buffer_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Whether some byte is part of both. Exact, where their reach does not tell.
  bool shares(const Memory& other) const {
    const auto [begin, end] = reach();
    const auto [others_begin, others_end] = other.reach();
    if (end <= others_begin || others_end <= begin) return false;
    const nb::object numpy = nb::module_::import_("numpy");
    return nb::cast<bool>(numpy.attr("shares_memory")(nb::handle(buffer_.obj),
                                                      nb::handle(other.buffer_.obj)));
  }

 protected:
  // Addresses, from the first byte to the one after the last.
  std::pair<std::uintptr_t, std::uintptr_t> reach() const {
    auto begin = reinterpret_cast<std::uintptr_t>(buffer_.buf), end = begin;
    for (int axis = 0; axis < buffer_.ndim; ++axis) {
      if (buffer_.shape[axis] == 0) return {begin, begin};
      const Py_ssize_t span = (buffer_.shape[axis] - 1) * buffer_.strides[axis];
      (span < 0 ? begin : end) += static_cast<std::uintptr_t>(span);
    }
    return {begin, end + static_cast<std::uintptr_t>(buffer_.itemsize)};
  }

  Py_buffer buffer_{};
  bool held_ = false;
};

// A view of an array of numbers.
template <class T> class View : public Memory {
 public:
  View(nb::handle array, const char* name, bool writable = false) : name_(name) {
    const int flags = PyBUF_STRIDES | PyBUF_FORMAT;
    if (PyObject_GetBuffer(array.ptr(), &buffer_, flags) != 0) {
      PyErr_Clear();
      raise("TypeMismatchError", std::string(name) + ": " + expected(Py_TYPE(array.ptr())->tp_name) + ".");
    }
    held_ = true;
    if (!right_type()) {
      const nb::object dtype = nb::getattr(array, "dtype", nb::str(buffer_.format));
      fail("TypeMismatchError", expected(nb::str(dtype).c_str()));
    }
    if (writable && buffer_.readonly) fail("TypeMismatchError", "expected a writable array, got a read-only one");
  }
  // What a wrong type is told, with the cast to make.
  std::string expected(const char* got) const {
    return std::string("expected an array of ") + dtype_name<T> + ", got " + got +
           ". Cast it: numpy.asarray(" + name_ + ", dtype='" + dtype_name<T> + "')";
  }
  std::size_t length() const {
    return buffer_.ndim > 0 ? static_cast<std::size_t>(buffer_.shape[0]) : 0;
  }

  // Refuse any shape but this one, and one without numbers.
  void expect(std::initializer_list<std::size_t> shape) {
    bool same = static_cast<std::size_t>(buffer_.ndim) == shape.size();
    std::size_t axis = 0;
    for (const std::size_t size : shape) {
      same = same && static_cast<std::size_t>(buffer_.shape[axis]) == size && size > 0;
      ++axis;
    }
    if (!same)
      fail("ShapeError", "expected shape " + text(shape) + ", got " +
                             text_of(buffer_.shape, static_cast<std::size_t>(buffer_.ndim)));
  }
  // One after another in memory, and aligned for T.
  void expect_contiguous() {
    if (!PyBuffer_IsContiguous(&buffer_, 'C') ||
        reinterpret_cast<std::uintptr_t>(buffer_.buf) % alignof(T) != 0)
      fail("TypeMismatchError", "expected a C-contiguous, aligned array");
  }

  Rows<T> rows() const {
    return {static_cast<const char*>(buffer_.buf), buffer_.strides[0],
            buffer_.ndim > 1 ? buffer_.strides[1] : static_cast<std::ptrdiff_t>(sizeof(T)),
            length(), buffer_.ndim > 1 ? static_cast<std::size_t>(buffer_.shape[1]) : 1, {}};
  }
  // A vector of any length, contiguous and aligned.
  void expect_vector() {
    if (buffer_.ndim != 1)
      fail("ShapeError", "expected a vector, got shape " +
                             text_of(buffer_.shape, static_cast<std::size_t>(buffer_.ndim)));
    if (length() > 0) expect_contiguous();
  }
  WritableRows<T> writable() const {
    return {static_cast<char*>(buffer_.buf), buffer_.strides[0], buffer_.strides[1], length(),
            static_cast<std::size_t>(buffer_.shape[1])};
  }
  T* data() const { return static_cast<T*>(buffer_.buf); }

  // Refuse to write where `read`, of that name, is read.
  void expect_apart(const Memory& read, const char* name) {
    if (shares(read))
      fail("SettingError", std::string("expected memory of its own, got an array that shares it "
                                       "with ") + name + ". Pass another array, or a copy");
  }

 private:
  // Native byte order; NumPy writes '=' for arrays that are not aligned.
  bool right_type() const {
    const char* format = buffer_.format != nullptr ? buffer_.format : "B";
    if (*format == '=' || *format == '@' || *format == '<') ++format;
    if (buffer_.itemsize != sizeof(T) || format[0] == 0 || format[1] != 0) return false;
    if (std::is_same_v<T, float>) return *format == 'f';
    if (std::is_same_v<T, double>) return *format == 'd';
    return *format == 'q' || *format == 'l' || *format == 'i';  // by their size, seen above
  }
  [[noreturn]] void fail(const char* error, const std::string& what) const {
    raise(error, std::string(name_) + ": " + what + ".");
  }
  static std::string text_of(const Py_ssize_t* shape, std::size_t count) {
    std::string text = "(";
    for (std::size_t i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + (count == 1 ? ",)" : ")");
  }
  static std::string text(std::initializer_list<std::size_t> shape) {
    std::string text = "(";
    for (const std::size_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + (shape.size() == 1 ? ",)" : ")");
  }

  const char* name_;
};

// Examples: an array, or a sparse matrix in compressed rows, whose structure is looked through
// before anything follows it, and `changed` where it is another when it is followed.
template <class T> class Examples {
 public:
  Examples(nb::handle X, const char* name, Changed changed) : name_(name) {
    if (PyObject_CheckBuffer(X.ptr()) || !nb::hasattr(X, "indptr")) array_.emplace(X, name);
    else read(X, changed);
  }

  std::size_t length() const { return array_ ? array_->length() : rows_.count; }
  void expect(std::size_t width) {
    if (array_) return array_->expect({array_->length(), width});
    if (rows_.width != width || rows_.count == 0)
      refuse("expected shape (rows, " + std::to_string(width) + ") with at least one row, got (" +
             std::to_string(rows_.count) + ", " + std::to_string(rows_.width) + ")");
  }
  Rows<T> rows() const { return array_ ? array_->rows() : rows_; }
  // Refuse to write where these are read.
  template <class Out> void expect_apart(View<Out>& out) const {
    const auto apart = [&](const auto& part) {
      if (part) out.expect_apart(*part, name_);
    };
    apart(array_), apart(data_);
    apart(indices_), apart(indptr_), apart(wide_indices_), apart(wide_indptr_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    raise("ShapeError", std::string(name_) + ": " + what + ".");
  }

  void read(nb::handle X, Changed changed) {
    const nb::object format = nb::getattr(X, "format", nb::str("none"));
    if (std::string(nb::str(format).c_str()) != "csr")
      raise("TypeMismatchError", std::string(name_) + ": expected a sparse matrix in compressed " +
                                     "rows, got format '" + nb::str(format).c_str() +
                                     "'. Pass its tocsr().");
    const nb::object shape = X.attr("shape");
    if (nb::len(shape) != 2) refuse("expected shape (rows, columns)");
    rows_.count = nb::cast<std::size_t>(shape[0]), rows_.width = nb::cast<std::size_t>(shape[1]);
    data_.emplace(X.attr("data"), "X.data");
    data_->expect_vector();
    const nb::object indices = X.attr("indices"), indptr = X.attr("indptr");
    const bool wide = nb::cast<int>(nb::getattr(indptr.attr("dtype"), "itemsize")) == 8;
    if (wide) look_through(indices, indptr, wide_indices_, wide_indptr_);
    else look_through(indices, indptr, indices_, indptr_);
    rows_.compressed.data = data_->data(), rows_.compressed.wide = wide;
    rows_.compressed.changed = changed;
  }

  template <class I>
  void look_through(nb::handle indices, nb::handle indptr, std::optional<View<I>>& columns,
                    std::optional<View<I>>& ends) {
    columns.emplace(indices, "X.indices"), ends.emplace(indptr, "X.indptr");
    columns->expect_vector(), ends->expect_vector();
    if (ends->length() == 0 || ends->length() - 1 != rows_.count)
      refuse("expected indptr of " + std::to_string(rows_.count) + " + 1 numbers, got " +
             std::to_string(ends->length()));
    const I* end = ends->data();
    bool rising = end[0] == 0;
    for (std::size_t i = 0; i < rows_.count; ++i) rising = rising && end[i] <= end[i + 1];
    if (!rising) refuse("expected indptr from 0 that never falls");
    const auto entries = static_cast<std::size_t>(end[rows_.count]);
    if (entries > data_->length() || entries > columns->length())
      refuse("indptr ends at " + std::to_string(entries) + "; expected as many data and indices");
    const I* column = columns->data();
    bool inside = true;
    for (std::size_t i = 0; i < entries; ++i)
      inside = inside && column[i] >= 0 && static_cast<std::uint64_t>(column[i]) < rows_.width;
    if (!inside) refuse("expected indices from 0 to " + std::to_string(rows_.width) + " - 1");
    rows_.compressed.indices = column, rows_.compressed.indptr = end;
    rows_.compressed.entries = std::min(data_->length(), columns->length());
  }

  const char* name_;
  std::optional<View<T>> array_, data_;
  std::optional<View<std::int32_t>> indices_, indptr_;
  std::optional<View<std::int64_t>> wide_indices_, wide_indptr_;
  Rows<T> rows_;
};

}  // namespace deltarule
