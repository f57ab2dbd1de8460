// Programs: what a row that is not compiled in computes of each number, as operations on registers.
//
// Python traces such a row into expressions (expressions/ of the package) and hands over a list of
// instructions; `fault_of` checks it once, and then it runs over whole blocks of numbers: every
// register is a block that stays in the first-level cache, so that reading an instruction costs
// little beside doing it. Constants and numbers of the step are one vector, read again and again.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "memory.hpp"
#include "vector_math.hpp"

namespace deltarule {

// In the order of OPERATIONS in expressions/nodes.py.
enum class Operation : int {
  add, subtract, multiply, divide, minimum, maximum, power,
  negative, abs, sign, floor, sqrt, exp, expm1, log, log1p, tanh, sin, cos, arctan, erf,
  less, less_equal, equal, logical_and, logical_or, logical_not, where,
};
inline constexpr int operation_count = static_cast<int>(Operation::where) + 1;

// Registers: first the inputs, then the numbers of the step, the constants, and what is computed.
struct Instruction {
  Operation operation;
  std::uint16_t to, a, b, c;
};

struct ProgramPlan {
  std::size_t inputs = 0, steps = 0;
  std::vector<double> constants;
  std::size_t computed = 0;  // registers that instructions write
  std::vector<Instruction> code;
  std::vector<std::uint16_t> outputs;

  std::size_t fixed() const { return inputs + steps + constants.size(); }
  std::size_t registers() const { return fixed() + computed; }
};

inline constexpr std::size_t most_computed = 48, most_fixed = 128, most_instructions = 1024;
inline constexpr std::size_t most_inputs = 16, most_steps = 16;

// How many arguments an operation has.
constexpr int arity(Operation operation) {
  if (operation == Operation::where) return 3;
  if (operation == Operation::logical_not) return 1;
  if (operation >= Operation::less) return 2;
  return operation <= Operation::power ? 2 : 1;
}

// What is wrong with a program that takes so many inputs and numbers of the step and makes so many
// outputs; empty where nothing is. Whatever passes here reads and writes nothing but its own.
inline std::string fault_of(const ProgramPlan& plan, std::size_t inputs, std::size_t steps,
                            std::size_t outputs) {
  enum : char { nothing, number, mask };
  if (plan.inputs != inputs || plan.steps != steps || plan.outputs.size() != outputs)
    return "other inputs or outputs than it is used with";
  if (inputs > most_inputs || steps > most_steps || plan.computed > most_computed ||
      plan.constants.size() > most_fixed - most_inputs - most_steps ||
      plan.code.size() > most_instructions)
    return "too many registers or instructions";
  std::vector<char> holds(plan.registers(), nothing);
  for (std::size_t i = 0; i < plan.fixed(); ++i) holds[i] = number;
  const auto has = [&](std::size_t at, char kind) { return at < holds.size() && holds[at] == kind; };
  for (const Instruction& one : plan.code) {
    const int place = static_cast<int>(one.operation);
    if (place < 0 || place >= operation_count) return "an operation that does not exist";
    const int count = arity(one.operation);
    const bool of_masks =
        one.operation >= Operation::logical_and && one.operation <= Operation::logical_not;
    const char first = of_masks || one.operation == Operation::where ? mask : number;
    const char other = of_masks ? mask : number;
    if (!has(one.a, first) || (count > 1 && !has(one.b, other)) || (count > 2 && !has(one.c, other)))
      return "an argument that is not there, or of another type";
    if (one.b >= holds.size() || one.c >= holds.size()) return "an argument that is not there";
    if (one.to < plan.fixed() || one.to >= holds.size()) return "a result that has no register";
    holds[one.to] = one.operation >= Operation::less && one.operation != Operation::where ? mask
                                                                                           : number;
  }
  for (const std::uint16_t output : plan.outputs)
    if (output < plan.inputs || !has(output, number)) return "an output that is not a computed number";
  return "";
}

namespace program {

// x of a block, or one vector again and again where `step` is 0.
template <class T> struct Operand {
  const T* data;
  std::size_t step;
  DELTARULE_INLINE Vec<T> at(std::size_t i) const { return Vec<T>::load(data + i * step); }
};

template <class T> DELTARULE_INLINE typename Vec<T>::Mask mask_of(Vec<T> v) { return bits(v); }

// Number by number, where the standard library's is all there is.
template <class T, class F> DELTARULE_INLINE Vec<T> by_lane(Vec<T> x, Vec<T> y, const F& f) {
  for (std::size_t i = 0; i < Vec<T>::width; ++i) x.v[i] = f(T(x.v[i]), T(y.v[i]));
  return x;
}

// As NumPy has them: a NaN in either argument stays.
template <class T> DELTARULE_INLINE Vec<T> least(Vec<T> x, Vec<T> y) {
  return select<T>(x == x, min(x, y), x);
}
template <class T> DELTARULE_INLINE Vec<T> most(Vec<T> x, Vec<T> y) {
  return select<T>(x == x, max(x, y), x);
}

// Of every number, where vector_math.hpp's are of those that its rows meet.
template <class T> DELTARULE_INLINE Vec<T> any_expm1(Vec<T> x) {
  return select<T>(x > Vec<T>(T(40)), exp(x), expm1(x));
}
template <class T> DELTARULE_INLINE Vec<T> any_log1p(Vec<T> x) {
  const Vec<T> one(T(1)), u = one + x;
  const Vec<T> infinity(std::numeric_limits<T>::infinity()), zero(T(0));
  const auto corrected = (x < infinity) & (u > zero);
  return log(u) + select<T>(corrected, (x - (u - one)) / u, zero);
}

template <class T, class F>
DELTARULE_INLINE void each(T* to, std::size_t vectors, Operand<T> a, const F& f) {
  for (std::size_t i = 0; i < vectors; ++i, a.data += a.step, to += Vec<T>::width)
    f(Vec<T>::load(a.data)).store(to);
}
template <class T, class F>
DELTARULE_INLINE void each(T* to, std::size_t vectors, Operand<T> a, Operand<T> b, const F& f) {
  for (std::size_t i = 0; i < vectors; ++i, a.data += a.step, b.data += b.step, to += Vec<T>::width)
    f(Vec<T>::load(a.data), Vec<T>::load(b.data)).store(to);
}

// One instruction over a block.
template <class T>
void execute(Operation operation, T* to, std::size_t vectors, const Operand<T>& a, const Operand<T>& b,
             const Operand<T>& c) {
  using V = Vec<T>;
  const auto as_number = [](typename V::Mask m) { return from_bits<T>(m); };
  switch (operation) {
    case Operation::add: return each<T>(to, vectors, a, b, [](V x, V y) { return x + y; });
    case Operation::subtract: return each<T>(to, vectors, a, b, [](V x, V y) { return x - y; });
    case Operation::multiply: return each<T>(to, vectors, a, b, [](V x, V y) { return x * y; });
    case Operation::divide: return each<T>(to, vectors, a, b, [](V x, V y) { return x / y; });
    case Operation::minimum: return each<T>(to, vectors, a, b, [](V x, V y) { return least(x, y); });
    case Operation::maximum: return each<T>(to, vectors, a, b, [](V x, V y) { return most(x, y); });
    case Operation::power:
      return each<T>(to, vectors, a, b, [](V x, V y) {
        return by_lane(x, y, [](T base, T exponent) { return std::pow(base, exponent); });
      });
    case Operation::negative: return each<T>(to, vectors, a, [](V x) { return -x; });
    case Operation::abs: return each<T>(to, vectors, a, [](V x) { return abs(x); });
    case Operation::sign:
      return each<T>(to, vectors, a, [](V x) { return select<T>(x == x, sign(x), x); });
    case Operation::floor:
      return each<T>(to, vectors, a, [](V x) {
        return by_lane(x, x, [](T one, T) { return std::floor(one); });
      });
    case Operation::sqrt: return each<T>(to, vectors, a, [](V x) { return sqrt(x); });
    case Operation::exp: return each<T>(to, vectors, a, [](V x) { return exp(x); });
    case Operation::expm1: return each<T>(to, vectors, a, [](V x) { return any_expm1(x); });
    case Operation::log: return each<T>(to, vectors, a, [](V x) { return log(x); });
    case Operation::log1p: return each<T>(to, vectors, a, [](V x) { return any_log1p(x); });
    case Operation::tanh: return each<T>(to, vectors, a, [](V x) { return tanh(x); });
    case Operation::sin: return each<T>(to, vectors, a, [](V x) { return sin(x); });
    case Operation::cos: return each<T>(to, vectors, a, [](V x) { return cos(x); });
    case Operation::arctan:
      return each<T>(to, vectors, a, [](V x) {
        return by_lane(x, x, [](T one, T) { return std::atan(one); });
      });
    case Operation::erf: return each<T>(to, vectors, a, [](V x) { return erf(x); });
    case Operation::less:
      return each<T>(to, vectors, a, b, [&](V x, V y) { return as_number(x < y); });
    case Operation::less_equal:
      return each<T>(to, vectors, a, b, [&](V x, V y) { return as_number(y >= x); });
    case Operation::equal:
      return each<T>(to, vectors, a, b, [&](V x, V y) { return as_number(x == y); });
    case Operation::logical_and:
      return each<T>(to, vectors, a, b, [&](V x, V y) { return as_number(bits(x) & bits(y)); });
    case Operation::logical_or:
      return each<T>(to, vectors, a, b, [&](V x, V y) { return as_number(bits(x) | bits(y)); });
    case Operation::logical_not:
      return each<T>(to, vectors, a, [&](V x) { return as_number(~bits(x)); });
    case Operation::where:
      for (std::size_t i = 0; i < vectors; ++i)
        select<T>(bits(a.at(i)), b.at(i), c.at(i)).store(to + i * V::width);
      return;
  }
}

}  // namespace program

// A program that was checked, ready to run; many threads may run it at once.
template <class T> class Program {
 public:
  // Numbers of a block: registers stay in the first-level cache, and so does what they came from.
  static constexpr std::size_t block = 1024 / sizeof(T);

  explicit Program(const ProgramPlan& plan)
      : plan_(plan), constants_(plan.constants.size() * Vec<T>::width) {
    for (std::size_t i = 0; i < plan.constants.size(); ++i)
      Vec<T>(T(plan.constants[i])).store(constants_.data() + i * Vec<T>::width);
    for (const std::uint16_t output : plan.outputs) {
      std::size_t end = 0;
      for (std::size_t i = 0; i < plan.code.size(); ++i)
        if (plan.code[i].to == output) end = i + 1;
      ends_.push_back(std::max(end, ends_.empty() ? 0 : ends_.back()));
    }
  }

  std::size_t inputs() const { return plan_.inputs; }
  std::size_t outputs() const { return plan_.outputs.size(); }

  // The first `wanted` outputs, at least one, of `count` numbers, a multiple of the vectors' width. An
  // output may lie where an input does, at the same place. `steps`: the numbers of the step.
  void run(const T* const* inputs, T* const* outputs, std::size_t wanted, std::size_t count,
           const T* steps = nullptr) const {
    alignas(64) T computed[most_computed * block];
    alignas(64) T of_step[most_steps * Vec<T>::width];
    program::Operand<T> at[most_fixed + most_computed];
    const std::size_t first_step = plan_.inputs, first_constant = first_step + plan_.steps;
    for (std::size_t i = 0; i < plan_.steps; ++i) {
      Vec<T>(steps[i]).store(of_step + i * Vec<T>::width);
      at[first_step + i] = {of_step + i * Vec<T>::width, 0};
    }
    for (std::size_t i = 0; i < plan_.constants.size(); ++i)
      at[first_constant + i] = {constants_.data() + i * Vec<T>::width, 0};
    for (std::size_t i = 0; i < plan_.computed; ++i)
      at[plan_.fixed() + i] = {computed + i * block, Vec<T>::width};
    for (std::size_t first = 0; first < count; first += block) {
      const std::size_t numbers = std::min(block, count - first);
      for (std::size_t i = 0; i < plan_.inputs; ++i) at[i] = {inputs[i] + first, Vec<T>::width};
      for (std::size_t i = 0; i < ends_[wanted - 1]; ++i) {
        const Instruction& one = plan_.code[i];
        program::execute(one.operation, computed + (one.to - plan_.fixed()) * block,
                         numbers / Vec<T>::width, at[one.a], at[one.b], at[one.c]);
      }
      for (std::size_t i = 0; i < wanted; ++i)
        program::each<T>(outputs[i] + first, numbers / Vec<T>::width, at[plan_.outputs[i]],
                         [](Vec<T> x) { return x; });
    }
  }

  // Its outputs where every input is 0: what it makes of padding.
  std::array<T, 2> at_zero() const {
    alignas(64) T zeros[most_inputs][Vec<T>::width] = {}, found[most_inputs][Vec<T>::width] = {};
    const T* in[most_inputs];
    T* out[most_inputs];
    for (std::size_t i = 0; i < most_inputs; ++i) in[i] = zeros[i], out[i] = found[i];
    run(in, out, std::min<std::size_t>(2, outputs()), Vec<T>::width);
    return {found[0][0], found[1][0]};
  }

 private:
  ProgramPlan plan_;
  Buffer<T> constants_;
  std::vector<std::size_t> ends_;  // of each output: how many instructions make it and those before
};

}  // namespace deltarule
