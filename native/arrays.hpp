// The boundary to Python's arrays: dtype, shape and strides are checked here, before any kernel.
//
// Through the buffer protocol, which costs some tens of nanoseconds; values are not looked at.
#pragma once

#include <nanobind/nanobind.h>

#include <initializer_list>
#include <string>

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
template <> inline constexpr const char* dtype_name<std::int64_t> = "int64";

// A view of an array for as long as it lives.
template <class T> class View {
 public:
  View(nb::handle array, const char* name, bool writable = false) : name_(name) {
    const int flags = PyBUF_STRIDES | PyBUF_FORMAT;
    if (PyObject_GetBuffer(array.ptr(), &buffer_, flags) != 0) {
      PyErr_Clear();
      raise("TypeMismatchError", std::string(name) + ": expected an array of " + dtype_name<T> +
                                     ", got " + Py_TYPE(array.ptr())->tp_name + ".");
    }
    held_ = true;
    if (!right_type()) {
      const nb::object dtype = nb::getattr(array, "dtype", nb::str(buffer_.format));
      fail("TypeMismatchError", std::string("expected an array of ") + dtype_name<T> + ", got " +
                                    nb::str(dtype).c_str());
    }
    if (writable && buffer_.readonly) fail("TypeMismatchError", "expected a writable array, got a read-only one");
  }
  ~View() {
    if (held_) PyBuffer_Release(&buffer_);
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

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
            length(), buffer_.ndim > 1 ? static_cast<std::size_t>(buffer_.shape[1]) : 1};
  }
  WritableRows<T> writable() const {
    return {static_cast<char*>(buffer_.buf), buffer_.strides[0], buffer_.strides[1], length(),
            static_cast<std::size_t>(buffer_.shape[1])};
  }
  T* data() const { return static_cast<T*>(buffer_.buf); }

 private:
  // Native byte order; NumPy writes '=' for arrays that are not aligned.
  bool right_type() const {
    const char* format = buffer_.format != nullptr ? buffer_.format : "B";
    if (*format == '=' || *format == '@' || *format == '<') ++format;
    if (buffer_.itemsize != sizeof(T) || format[0] == 0 || format[1] != 0) return false;
    if (std::is_same_v<T, float>) return *format == 'f';
    if (std::is_same_v<T, double>) return *format == 'd';
    return *format == 'q' || *format == 'l';
  }
  // The destructor does not run for an object whose constructor throws.
  [[noreturn]] void fail(const char* error, const std::string& what) {
    const std::string message = std::string(name_) + ": " + what + ".";
    if (held_) PyBuffer_Release(&buffer_);
    held_ = false;
    raise(error, message);
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

  Py_buffer buffer_{};
  const char* name_;
  bool held_ = false;
};

}  // namespace deltarule
