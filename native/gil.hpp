// Python's lock, given back for as long as a call computes.
#pragma once

#include <Python.h>

#include <chrono>
#include <thread>

namespace deltarule {

// Without the GIL from here to the end of the scope.
//
// A daemon thread may still compute when the interpreter ends. Up to Python 3.13 a thread that then
// asks for the GIL is ended by unwinding its stack, which C++ takes for an exception that nobody
// catches, and aborts the process. So it sleeps there until the process ends, as from 3.14 on.
class Released {
 public:
  Released() : thread_(PyEval_SaveThread()) {}
  ~Released() { take_back(); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

  // Call work() with the GIL, on the thread that gave it back.
  template <class Work> auto with_gil(const Work& work) {
    take_back();
    const auto found = work();
    thread_ = PyEval_SaveThread();
    return found;
  }

 private:
  void take_back() noexcept {
    try {
      PyEval_RestoreThread(thread_);
    } catch (...) {
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }

  PyThreadState* thread_;
};

}  // namespace deltarule
