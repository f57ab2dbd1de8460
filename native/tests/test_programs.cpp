// Programs: each operation against its scalar meaning, what is refused, and what runs in place.
#include <functional>
#include <limits>

#include "activations.hpp"
#include "check.hpp"
#include "program.hpp"

namespace deltarule {
namespace {

using Scalar = std::function<double(double, double, double)>;

// In the order of Operation; a mask is 1 or 0.
const std::vector<Scalar>& meanings() {
  const auto both_nan = [](double x, double y) { return std::isnan(x) ? x : y; };
  static const std::vector<Scalar> found = {
      [](double x, double y, double) { return x + y; },
      [](double x, double y, double) { return x - y; },
      [](double x, double y, double) { return x * y; },
      [](double x, double y, double) { return x / y; },
      [=](double x, double y, double) { return x < y ? x : y < x ? y : both_nan(x, y); },
      [=](double x, double y, double) { return x > y ? x : y > x ? y : both_nan(x, y); },
      [](double x, double y, double) { return std::pow(x, y); },
      [](double x, double, double) { return -x; },
      [](double x, double, double) { return std::abs(x); },
      [](double x, double, double) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; },
      [](double x, double, double) { return std::floor(x); },
      [](double x, double, double) { return std::sqrt(x); },
      [](double x, double, double) { return std::exp(x); },
      [](double x, double, double) { return std::expm1(x); },
      [](double x, double, double) { return std::log(x); },
      [](double x, double, double) { return std::log1p(x); },
      [](double x, double, double) { return std::tanh(x); },
      [](double x, double, double) { return std::sin(x); },
      [](double x, double, double) { return std::cos(x); },
      [](double x, double, double) { return std::atan(x); },
      [](double x, double, double) { return std::erf(x); },
      [](double x, double y, double) { return double(x < y); },
      [](double x, double y, double) { return double(x <= y); },
      [](double x, double y, double) { return double(x == y); },
      [](double x, double y, double) { return double(x != 0 && y != 0); },
      [](double x, double y, double) { return double(x != 0 || y != 0); },
      [](double x, double, double) { return double(x == 0); },
      [](double x, double y, double z) { return x != 0 ? y : z; },
  };
  return found;
}

bool makes_mask(Operation o) { return o >= Operation::less && o != Operation::where; }
bool takes_masks(Operation o) {
  return o >= Operation::logical_and && o <= Operation::logical_not;
}

// An operation of three inputs, of which those that must be masks are "not equal to 0", and of which
// a mask is made a number again. Constants: 0 and 1.
ProgramPlan plan_of(Operation operation) {
  ProgramPlan plan;
  plan.inputs = 3, plan.constants = {0, 1}, plan.computed = 8;
  const std::uint16_t zero = 3, one = 4;
  std::uint16_t at[] = {0, 1, 2}, next = 5;
  const int masks = takes_masks(operation) ? 2 : operation == Operation::where ? 1 : 0;
  for (int i = 0; i < masks; ++i) {
    plan.code.push_back({Operation::equal, next, at[i], zero, 0});
    plan.code.push_back({Operation::logical_not, std::uint16_t(next + 1), next, 0, 0});
    at[i] = std::uint16_t(next + 1), next = std::uint16_t(next + 2);
  }
  plan.code.push_back({operation, next, at[0], at[1], at[2]});
  if (makes_mask(operation)) {
    plan.code.push_back({Operation::where, std::uint16_t(next + 1), next, one, zero});
    ++next;
  }
  plan.outputs = {next};
  return plan;
}

template <class T> std::vector<T> some_numbers() {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  std::vector<T> found = {0, T(-0.0), 1, -1, T(0.5), T(-0.5), T(1e-6), T(-1e-6), 3, -3, 30, -30, 87,
                          -87, 100, -100, T(1e4), T(-1e4), infinity, -infinity,
                          std::numeric_limits<T>::quiet_NaN(), T(1e-30), T(0.999), T(1.001)};
  Numbers random;
  while (found.size() < 64) found.push_back(T(20 * random.next()));
  return found;
}

template <class T> void test_operations() {
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
  const std::vector<T> values = some_numbers<T>();
  for (int place = 0; place < operation_count; ++place) {
    const auto operation = static_cast<Operation>(place);
    const ProgramPlan plan = plan_of(operation);
    expect(fault_of(plan, 3, 0, 1).empty(), "a good program is refused: " + fault_of(plan, 3, 0, 1));
    const Program<T> program(plan);
    for (std::size_t shift = 0; shift < values.size(); shift += arity(operation) > 1 ? 1 : 64) {
      std::vector<T> x = values, y(x.size()), z(x.size()), out(x.size());
      for (std::size_t i = 0; i < x.size(); ++i)
        y[i] = values[(i + shift) % x.size()], z[i] = values[(i + 7) % x.size()];
      const T* in[] = {x.data(), y.data(), z.data()};
      T* to[] = {out.data()};
      program.run(in, to, 1, x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = meanings()[static_cast<std::size_t>(place)](
            double(x[i]), double(y[i]), double(z[i]));
        const std::string what = "operation " + std::to_string(place) + " of " +
                                 std::to_string(double(x[i])) + ", " + std::to_string(double(y[i]));
        if (std::isnan(exact)) expect(std::isnan(out[i]), what + ": expected no number");
        else if (std::isinf(T(exact))) expect(out[i] == T(exact), what + ": expected infinity");
        else expect_close(double(out[i]), exact, tolerance, what);
      }
    }
  }
}

// Blocks, what is wanted of several outputs, constants, numbers of the step, and running in place.
template <class T> void test_running() {
  ProgramPlan plan;  // of x: x² and 2 k x, as an activation's g and g'
  plan.inputs = 1, plan.steps = 1, plan.constants = {2}, plan.computed = 2;
  plan.code = {{Operation::multiply, 3, 0, 0, 0}, {Operation::multiply, 4, 0, 2, 0},
               {Operation::multiply, 4, 4, 1, 0}};
  plan.outputs = {3, 4};
  expect(fault_of(plan, 1, 1, 2).empty(), "a good program is refused");
  const Program<T> program(plan);
  const std::size_t count = 5 * Program<T>::block / 2;
  Numbers random;
  const std::vector<T> x = random.vector<T>(count);
  const T step = T(0.75);
  std::vector<T> A = x, slope(count, T(7));
  const T* in[] = {A.data()};
  T* out[] = {A.data(), slope.data()};
  program.run(in, out, 2, count, &step);
  for (std::size_t i = 0; i < count; ++i) {
    expect(A[i] == x[i] * x[i], "an output in place of its input");
    expect_close(double(slope[i]), 1.5 * double(x[i]), 1e-6, "a number of the step");
  }
  A = x;
  T* only[] = {A.data(), nullptr};
  in[0] = A.data();
  program.run(in, only, 1, count, &step);
  for (std::size_t i = 0; i < count; ++i) expect(A[i] == x[i] * x[i], "the first output alone");
}

void test_refusals() {
  const auto refused = [](const std::function<void(ProgramPlan&)>& spoil, const std::string& what) {
    ProgramPlan plan = plan_of(Operation::where);
    spoil(plan);
    expect(!fault_of(plan, 3, 0, 1).empty(), what + " is not refused");
  };
  refused([](ProgramPlan& p) { p.inputs = 2; }, "another number of inputs");
  refused([](ProgramPlan& p) { p.steps = 1; }, "another number of steps");
  refused([](ProgramPlan& p) { p.outputs = {}; }, "another number of outputs");
  refused([](ProgramPlan& p) { p.outputs = {0}; }, "an output that is an input");
  refused([](ProgramPlan& p) { p.outputs = {5}; }, "an output that is a mask");
  refused([](ProgramPlan& p) { p.outputs = {12}; }, "an output that nothing writes");
  refused([](ProgramPlan& p) { p.outputs = {60000}; }, "an output far out");
  for (const int unknown : {-1, operation_count})
    refused([=](ProgramPlan& p) { p.code[0].operation = static_cast<Operation>(unknown); },
            "an unknown operation");
  refused([](ProgramPlan& p) { p.code[0].to = 3; }, "a result in a constant's register");
  refused([](ProgramPlan& p) { p.code[0].to = 13; }, "a result beyond the registers");
  refused([](ProgramPlan& p) { p.code[0].a = 9; }, "an argument that nothing writes");
  refused([](ProgramPlan& p) { p.code[1].b = 40000; }, "an unused argument far out");
  refused([](ProgramPlan& p) { p.code[1].a = 0; }, "a number for a mask");
  refused([](ProgramPlan& p) { p.code[2].b = 5; }, "a mask for a number");
  refused([](ProgramPlan& p) { p.computed = most_computed + 1; }, "too many registers");
  refused([](ProgramPlan& p) { p.constants.resize(500); }, "too many constants");
  refused([](ProgramPlan& p) { p.code.resize(most_instructions + 1, p.code[0]); },
          "too long a program");
}

// What a row leaves in padding: 1/z, of which neither g nor g' is a number at 0.
template <class T> void test_padding() {
  ProgramPlan plan;
  plan.inputs = 1, plan.constants = {1}, plan.computed = 2;
  plan.code = {{Operation::divide, 2, 1, 0, 0}, {Operation::divide, 3, 2, 0, 0}};
  plan.outputs = {2, 3};
  const Activation<T> row = activation_row<T>(ActivationName::identity, &plan);
  expect(!row.zero_at_zero && !row.finite_at_zero, "padding would not stay 0");
}

}  // namespace

void test_programs() {
  test_operations<float>(), test_operations<double>();
  test_running<float>(), test_running<double>();
  test_refusals();
  test_padding<float>(), test_padding<double>();
}

}  // namespace deltarule
