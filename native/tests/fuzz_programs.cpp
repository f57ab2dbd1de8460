// Programs made at random, good and spoilt: what fault_of lets pass reads and writes nothing but its
// own, and computes the same whatever it is cut into. fuzz_programs COUNT SEED; under sanitizers.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "check.hpp"
#include "program.hpp"

namespace {

using namespace deltarule;
using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

// Every argument is there and of its type; registers are used again at random.
ProgramPlan good(Random& random) {
  ProgramPlan plan;
  plan.inputs = 1 + below(random, 4), plan.steps = below(random, 3);
  for (std::size_t i = below(random, 5); i > 0; --i)
    plan.constants.push_back(double(below(random, 9)) - 4);
  plan.computed = 2 + below(random, most_computed - 2);
  std::vector<std::uint16_t> numbers, masks;
  for (std::size_t i = 0; i < plan.fixed(); ++i) numbers.push_back(std::uint16_t(i));
  for (std::size_t i = 1 + below(random, 60); i > 0; --i) {
    const auto operation = static_cast<Operation>(below(random, operation_count));
    const bool logical = operation >= Operation::logical_and && operation <= Operation::logical_not;
    if ((logical || operation == Operation::where) && masks.empty()) continue;
    const auto any_of = [&](const std::vector<std::uint16_t>& from) {
      return from[below(random, from.size())];
    };
    const auto& first = logical || operation == Operation::where ? masks : numbers;
    const auto& others = logical ? masks : numbers;
    const auto to = std::uint16_t(plan.fixed() + below(random, plan.computed));
    plan.code.push_back({operation, to, any_of(first), any_of(others), any_of(others)});
    for (auto* all : {&numbers, &masks})
      all->erase(std::remove(all->begin(), all->end(), to), all->end());
    (operation >= Operation::less && operation != Operation::where ? masks : numbers).push_back(to);
  }
  std::vector<std::uint16_t> written;
  for (const std::uint16_t at : numbers)
    if (at >= plan.inputs) written.push_back(at);
  for (std::size_t i = 1 + below(random, 3); i > 0 && !written.empty(); --i)
    plan.outputs.push_back(written[below(random, written.size())]);
  return plan;
}

void spoil(ProgramPlan& plan, Random& random) {
  const auto number = std::uint16_t(below(random, 4) == 0 ? random() : below(random, 200));
  if (!plan.code.empty() && below(random, 4) > 0) {
    Instruction& one = plan.code[below(random, plan.code.size())];
    std::uint16_t* const parts[] = {&one.to, &one.a, &one.b, &one.c};
    if (below(random, 3) == 0) one.operation = static_cast<Operation>(int(below(random, 64)) - 16);
    else *parts[below(random, 4)] = number;
  } else if (below(random, 2) == 0 && !plan.outputs.empty()) {
    plan.outputs[below(random, plan.outputs.size())] = number;
  } else {
    std::size_t* const parts[] = {&plan.inputs, &plan.steps, &plan.computed};
    *parts[below(random, 3)] = number;
  }
}

// Arrays as long as they have to be and no longer, so that a sanitizer sees a byte beyond.
template <class T> void run(const ProgramPlan& plan, Random& random) {
  const Program<T> program(plan);
  const std::size_t vectors = 1 + below(random, 70), count = vectors * Vec<T>::width;
  std::vector<std::unique_ptr<T[]>> in, out, again;
  std::vector<const T*> from;
  std::vector<T*> to, pieces;
  for (std::size_t i = 0; i < plan.inputs; ++i) {
    in.push_back(std::make_unique<T[]>(count));
    for (std::size_t k = 0; k < count; ++k) in[i][k] = T(double(random() % 2001) / 100 - 10);
    from.push_back(in[i].get());
  }
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    out.push_back(std::make_unique<T[]>(count)), again.push_back(std::make_unique<T[]>(count));
    to.push_back(out[i].get()), pieces.push_back(again[i].get());
  }
  const std::vector<T> steps(most_steps, T(0.5));
  program.run(from.data(), to.data(), to.size(), count, steps.data());
  for (std::size_t at = 0; at < count; at += Vec<T>::width) {
    program.run(from.data(), pieces.data(), pieces.size(), Vec<T>::width, steps.data());
    for (const T*& one : from) one += Vec<T>::width;
    for (T*& one : pieces) one += Vec<T>::width;
  }
  for (std::size_t i = 0; i < to.size(); ++i)
    for (std::size_t k = 0; k < count; ++k)
      expect(out[i][k] == again[i][k] || (out[i][k] != out[i][k] && again[i][k] != again[i][k]),
             "the same program makes other numbers in other pieces");
}

}  // namespace

int main(int count, char** arguments) {
  const long tries = count > 1 ? std::atol(arguments[1]) : 20000;
  Random random(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 0);
  long passed = 0, refused = 0;
  try {
    for (long i = 0; i < tries; ++i) {
      ProgramPlan plan = good(random);
      const bool whole = below(random, 2) == 0;
      for (std::size_t k = whole ? 0 : 1 + below(random, 3); k > 0; --k) spoil(plan, random);
      if (plan.outputs.empty()) continue;
      const std::string fault = fault_of(plan, plan.inputs, plan.steps, plan.outputs.size());
      if (whole) expect(fault.empty(), "a good program is refused: " + fault);
      ++(fault.empty() ? passed : refused);
      if (!fault.empty()) continue;
      run<float>(plan, random), run<double>(plan, random);
    }
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  std::printf("%ld programs ran, %ld were refused\n", passed, refused);
  return passed > tries / 4 && refused > tries / 100 ? 0 : 1;
}
