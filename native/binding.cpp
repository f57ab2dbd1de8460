// The Python face of the engine: one module an instruction set, one class a dtype.
//
// Everything that could make a kernel read or write where it should not is refused here. The GIL
// is released where a call takes longer than releasing it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include "arrays.hpp"
#include "gil.hpp"
#include "machine.hpp"
#include "math_check.hpp"
#include "peak.hpp"
#include "runner.hpp"
#include "step.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace deltarule {

// Whether a matrix of so many rows and lanes, padded to whole panels, can be counted in bytes.
constexpr bool countable(std::size_t rows, std::size_t lanes) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 64, padding = 64;
  return rows < most && lanes < most && rows + padding <= most / (lanes + padding);
}

// A row of a table by its place, of those up to `last`.
template <class Name> Name row_from(nb::handle place, const char* table, Name last) {
  const int found = nb::cast<int>(place);
  if (found < 0 || found > static_cast<int>(last))
    raise("SettingError", std::string("plan: no ") + table + " " + std::to_string(found) + ".");
  return static_cast<Name>(found);
}

// Whether a layer's own numbers go with its units and with those that come in.
bool fits(const Plan& plan, std::size_t l) {
  const LayerPlan& layer = plan.layers[l];
  const std::size_t inputs = plan.units_before(l), most = std::numeric_limits<std::int32_t>::max();
  std::size_t total = 0, least = most;
  for (const std::size_t count : layer.counts) {
    if (count > most - total) return false;
    total += count, least = std::min(least, count);
  }
  const bool counted = layer.counts.size() == inputs && least > 0;
  if (layer.kind != Kind::parallel && layer.sources.size() > 1) return false;
  switch (layer.kind) {
    case Kind::dense: return true;
    case Kind::periodic: return counted && total == layer.units;
    case Kind::piecewise_linear:
      return counted && total == layer.units && layer.starts.size() == total &&
             layer.widths.size() == total;
    case Kind::embedding: return counted && layer.units % inputs == 0 && countable(total, layer.units);
    case Kind::grouped:
    case Kind::shared:
      return layer.size > 0 && inputs % layer.size == 0 && layer.units % (inputs / layer.size) == 0;
    case Kind::columns: return layer.first < inputs && layer.units <= inputs - layer.first;
    case Kind::parallel:
      for (const std::size_t source : layer.sources) total += plan.layers[source - 1].units;
      return total == layer.units && !layer.sources.empty();
    default: return layer.units == inputs;
  }
}

// Whether units are whole groups of that size, a whole number that a float holds.
bool parts(std::size_t units, double size) {
  return size >= 1 && size == std::floor(size) && size == double(float(size)) &&
         std::fmod(double(units), size) == 0;
}

void expect_sizes(const Plan& plan) {
  if (plan.layers.empty()) raise("SettingError", "plan: expected at least one layer, got none.");
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    for (const std::size_t source : layer.sources)
      if (source > l || (source == 0 && layer.kind == Kind::parallel))
        raise("SettingError", "plan: expected layers to read those before them.");
    if (plan.owner(l) < (l == 0 ? 0 : plan.owner(l - 1)) || plan.owner(l) > l)
      raise("SettingError", "plan: expected the network's layers in order.");
    const std::size_t inputs = plan.units_before(l);
    if (inputs == 0 || layer.units == 0 || !countable(layer.units, inputs))
      raise("SettingError", "plan: expected layers of at least one unit that memory can hold, got " +
                                std::to_string(layer.units) + " units on " +
                                std::to_string(inputs) + " inputs.");
    if (!fits(plan, l))
      raise("SettingError", "plan: layer " + std::to_string(l) + " of " +
                                std::to_string(layer.units) + " units cannot follow " +
                                std::to_string(inputs) + " inputs.");
    if (layer.bend == ActivationName::softmax)
      raise("SettingError", "plan: expected a bend of each unit by itself, got softmax.");
  }
  const std::size_t outputs = plan.layers.back().units;
  if (!plan.cost_program && plan.cost == CostName::softmax_cross_entropy && !parts(outputs, plan.cost_number))
    raise("SettingError", "plan: " + std::to_string(outputs) + " outputs do not make whole groups.");
}

DropoutPlan dropout_from(nb::handle share_and_threshold) {
  const auto threshold = nb::cast<std::uint32_t>(share_and_threshold[0]);
  const auto scale = nb::cast<double>(share_and_threshold[1]);
  return {true, threshold, scale};
}

// A program that is used with so many inputs, numbers of the step and outputs; checked here, once.
ProgramPlan program_from(nb::handle given, std::size_t inputs, std::size_t steps,
                         std::size_t outputs) {
  const auto d = nb::cast<nb::dict>(given);
  ProgramPlan plan;
  plan.inputs = nb::cast<std::size_t>(d["inputs"]), plan.steps = nb::cast<std::size_t>(d["steps"]);
  plan.constants = nb::cast<std::vector<double>>(d["constants"]);
  plan.computed = nb::cast<std::size_t>(d["computed"]);
  plan.outputs = nb::cast<std::vector<std::uint16_t>>(d["outputs"]);
  const auto code = nb::cast<std::vector<std::uint16_t>>(d["code"]);
  std::string fault = code.size() % 5 == 0 ? "" : "an instruction that is not whole";
  for (std::size_t i = 0; i + 4 < code.size(); i += 5)
    plan.code.push_back({static_cast<Operation>(code[i]), code[i + 1], code[i + 2], code[i + 3],
                         code[i + 4]});
  if (fault.empty()) fault = fault_of(plan, inputs, steps, outputs);
  if (!fault.empty()) raise("SettingError", "plan: a program has " + fault + ".");
  return plan;
}

// None, or an activation's program.
std::optional<ProgramPlan> activation_from(nb::handle given) {
  if (given.is_none()) return std::nullopt;
  return program_from(given, 1, 0, 2);
}

std::optional<CostProgram> cost_from(nb::handle given, const LayerPlan& last) {
  if (given.is_none()) return std::nullopt;
  const bool is_delta = nb::cast<bool>(given["is_delta"]);
  if (is_delta && last.activation == ActivationName::softmax)
    raise("SettingError", "plan: expected a pair with softmax to be compiled in, got a program.");
  return CostProgram{program_from(given["program"], is_delta ? 3 : 2, 0, 2), is_delta};
}

std::optional<OptimizerPrograms> optimizer_from(nb::handle given) {
  if (given.is_none()) return std::nullopt;
  const auto slots = nb::cast<std::size_t>(given["slots"]);
  const auto steps = nb::cast<std::size_t>(given["steps"]);
  if (slots > most_slots || steps > most_steps)
    raise("SettingError", "plan: expected an optimizer of at most " + std::to_string(most_slots) +
                              " slots, got " + std::to_string(slots) + ".");
  return OptimizerPrograms{program_from(given["step"], 2, 0, steps),
                           program_from(given["update"], 2 + slots, steps, 1 + slots)};
}

Plan plan_from(const nb::dict& d) {
  Plan plan;
  const auto number = [&](const char* name) { return nb::cast<double>(d[name]); };
  plan.inputs = nb::cast<std::size_t>(d["inputs"]);
  if (!d["input_dropout"].is_none()) plan.input_dropout = dropout_from(d["input_dropout"]);
  for (const nb::handle item : nb::cast<nb::list>(d["layers"])) {
    const auto own = nb::cast<nb::dict>(item);
    LayerPlan layer;
    layer.units = nb::cast<std::size_t>(own["units"]);
    layer.activation = row_from(own["activation"], "activation", ActivationName::cos);
    layer.number = nb::cast<double>(own["number"]);
    if (!own["dropout"].is_none()) layer.dropout = dropout_from(own["dropout"]);
    layer.rate = nb::cast<double>(own["rate"]);
    layer.bias_rate = nb::cast<double>(own["bias_rate"]);
    layer.kind = row_from(own["kind"], "kind", Kind::columns);
    layer.bend = row_from(own["bend"], "activation", ActivationName::exp);
    layer.bend_number = nb::cast<double>(own["bend_number"]);
    layer.epsilon = nb::cast<double>(own["epsilon"]);
    layer.momentum = nb::cast<double>(own["momentum"]);
    layer.size = nb::cast<std::size_t>(own["size"]);
    layer.counts = nb::cast<std::vector<std::size_t>>(own["counts"]);
    layer.starts = nb::cast<std::vector<double>>(own["starts"]);
    layer.widths = nb::cast<std::vector<double>>(own["widths"]);
    layer.sources = nb::cast<std::vector<std::size_t>>(own["sources"]);
    layer.first = nb::cast<std::size_t>(own["first"]);
    layer.owner = nb::cast<std::size_t>(own["owner"]);
    layer.activation_program = activation_from(own["activation_program"]);
    layer.bend_program = activation_from(own["bend_program"]);
    plan.layers.push_back(layer);
  }
  plan.cost = row_from(d["cost"], "cost", CostName::softmax_cross_entropy);
  plan.cost_number = number("cost_number");
  if (!plan.layers.empty()) plan.cost_program = cost_from(d["cost_program"], plan.layers.back());
  OptimizerSettings& o = plan.optimizer;
  o.name = row_from(d["optimizer"], "optimizer", OptimizerName::lbfgs);
  o.momentum = number("momentum"), o.rho = number("rho");
  o.beta_1 = number("beta_1"), o.beta_2 = number("beta_2"), o.epsilon = number("epsilon");
  o.nesterov = nb::cast<bool>(d["nesterov"]);
  o.epsilon_inside = nb::cast<bool>(d["epsilon_inside"]);
  o.programs = optimizer_from(d["optimizer_programs"]);
  plan.l1 = number("l1"), plan.l2 = number("l2"), plan.decay = number("decay");
  plan.over_batch = nb::cast<bool>(d["over_batch"]);
  plan.max_norm = number("max_norm");
  plan.clip_norm = number("clip_norm"), plan.clip_value = number("clip_value");
  plan.smoothing = number("smoothing"), plan.uniform = number("uniform");
  plan.seed = nb::cast<std::uint64_t>(d["seed"]);
  plan.mixed = nb::cast<bool>(d["mixed"]);
  expect_sizes(plan);
  return plan;
}

// Runner with the checks and the lock of the Python side.
template <class T> class Bound {
 public:
  explicit Bound(const nb::dict& plan) : runner_(plan_of(plan)) {
    inputs_ = runner_.plan().inputs;
    outputs_ = runner_.plan().layers.back().units;
    widest_ = inputs_;
    for (const LayerPlan& layer : runner_.plan().layers)  // a group may stand on panels of its own
      widest_ = std::max(widest_, layer.size > 0 ? 64 * layer.units : layer.units);
  }

  double step(nb::handle X, nb::handle Y, nb::handle weights, double rate, std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> y(Y, "Y");
    std::optional<View<T>> s;
    Job<T> job = job_of(x, y, weights, s);
    job.Y = y.rows();
    double cost = 0;
    expect_steps();
    job.rates = &rate, job.costs = &cost;
    run(runner_.work(job.entries, true), [&](const Interrupted&) { runner_.train(job, threads); });
    return cost;
  }

  void step_from(nb::handle X, nb::handle dA, double rate, std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> d(dA, "dA");
    std::optional<View<T>> s;
    Job<T> job = job_of(x, d, nb::none(), s);
    job.dA = d.rows();
    expect_steps();
    job.rates = &rate;
    run(runner_.work(job.entries, true), [&](const Interrupted&) { runner_.train(job, threads); });
  }

  // Returns how many costs are known; costs and statistics are arrays to fill.
  std::size_t train(nb::handle X, nb::handle Y, nb::handle order, std::size_t batch_size,
                    nb::handle rates, nb::handle weights, nb::handle costs, nb::handle statistics,
                    std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> y(Y, "Y");
    std::optional<View<T>> s;
    Job<T> job = job_of(x, y, weights, s);
    job.Y = y.rows();
    View<std::int64_t> rows(order, "order");
    rows.expect({std::max<std::size_t>(1, rows.length())});
    rows.expect_contiguous();
    for (std::size_t i = 0; i < rows.length(); ++i)
      if (rows.data()[i] < 0 || static_cast<std::size_t>(rows.data()[i]) >= x.length())
        raise("ShapeError", "order: expected row numbers 0 to " + std::to_string(x.length() - 1) +
                                ", got " + std::to_string(rows.data()[i]) + ".");
    if (batch_size == 0) raise("SettingError", "batch_size: expected at least 1, got 0.");
    job.order = rows.data(), job.entries = rows.length(), job.changed = &changed_;
    job.batch_size = std::min(batch_size, job.entries);
    View<double> rate(rates, "learning_rates"), found(costs, "costs", true);
    rate.expect({job.batches()}), found.expect({job.batches()});
    rate.expect_contiguous(), found.expect_contiguous();
    job.rates = rate.data(), job.costs = found.data();
    std::optional<View<double>> figures;
    if (!statistics.is_none()) {
      const std::size_t layers = runner_.plan().owners(), size = job.batches() * layers;
      figures.emplace(statistics, "statistics", true);
      figures->expect({3, job.batches(), layers});
      figures->expect_contiguous();
      for (std::size_t i = 0; i < 3; ++i) job.statistics[i] = figures->data() + i * size;
    }
    const auto expect_apart = [&](View<double>& out) {
      x.expect_apart(out);
      out.expect_apart(y, "Y"), out.expect_apart(rows, "order"), out.expect_apart(rate, "rates");
      if (s) out.expect_apart(*s, "weights");
    };
    expect_apart(found);
    if (figures) expect_apart(*figures), figures->expect_apart(found, "costs");
    expect_steps();
    run(always_released, [&](const Interrupted& interrupted) {
      runner_.train(job, threads, [&] { return stopping_ || interrupted(); });
    });
    return job.done;
  }

  void predict_into(nb::handle X, nb::handle out, std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> to(out, "out", true);
    x.expect(inputs_);
    to.expect({x.length(), outputs_});
    x.expect_apart(to);
    run(runner_.work(x.length(), false), [&](const Interrupted& interrupted) {
      runner_.predict(x.rows(), to.writable(), threads, interrupted);
    });
  }

  void jacobian_into(nb::handle X, nb::handle out) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> to(out, "out", true);
    x.expect(inputs_);
    to.expect({x.length(), outputs_, inputs_});
    to.expect_contiguous();
    x.expect_apart(to);
    run(runner_.work(x.length(), false) * double(outputs_ + 1),
        [&](const Interrupted& interrupted) {
          runner_.jacobian(x.rows(), to.data(), interrupted);
        });
  }

  double cost(nb::handle X, nb::handle Y, nb::handle weights, bool penalised, std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> y(Y, "Y");
    std::optional<View<T>> s;
    const Job<T> job = job_of(x, y, weights, s);
    double found = 0;
    run(runner_.work(job.entries, false), [&](const Interrupted& interrupted) {
      found = runner_.cost(job.X, y.rows(), job.weights, penalised, threads, interrupted);
    });
    return found;
  }

  void gradients(nb::handle X, nb::handle Y, nb::handle weights, std::size_t threads) {
    const Use use(*this);
    Examples<T> x(X, "X", &changed_);
    View<T> y(Y, "Y");
    std::optional<View<T>> s;
    Job<T> job = job_of(x, y, weights, s);
    job.Y = y.rows();
    differentiated_ = false;
    run(runner_.work(job.entries, true), [&](const Interrupted& interrupted) {
      runner_.gradients(job, threads, interrupted);
    });
    differentiated_ = true;
  }

  void get(int which, std::size_t l, std::size_t place, nb::handle out) {
    const Use use(*this);
    View<T> to(out, "out", true);
    to.expect({units(which, l, place), place > 0 ? 1 : columns_of(l)});
    to.expect_contiguous();
    runner_.get(static_cast<Array>(which), l, place, to.data());
  }

  void set(int which, std::size_t l, std::size_t place, nb::handle values) {
    const Use use(*this);
    if (which < -1) raise("SettingError", "derivatives are computed, not set.");
    View<T> from(values, place > 0 ? "b" : "W");
    from.expect({units(which, l, place), place > 0 ? 1 : columns_of(l)});
    runner_.set(static_cast<Array>(which), l, place, from.rows());
  }

  // From another Python thread: a `train` that runs, and any later one, ends after a whole step.
  void stop() { stopping_ = true; }

  std::uint64_t steps() const { return runner_.step(); }
  void set_steps(std::uint64_t steps) { runner_.set_step(steps); }

 private:
  // One call at a time: another Python thread that comes while the GIL is released is refused.
  class Use {
   public:
    explicit Use(Bound& owner) : owner_(owner) {
      if (owner_.busy_.exchange(true))
        raise("SettingError",
              "this runner is busy in another thread; expected one call at a time. Start a runner "
              "a thread.");
      owner_.changed_ = false;
    }
    ~Use() { owner_.busy_ = false; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Bound& owner_;
  };

  static Plan plan_of(const nb::dict& given) {
    Plan plan = plan_from(given);
    if (plan.mixed && !std::is_same_v<T, float>)
      raise("SettingError", "plan: mixed keeps its parameters in float32, got float64.");
    return plan;
  }

  Job<T> job_of(Examples<T>& x, View<T>& y, nb::handle weights, std::optional<View<T>>& s) {
    x.expect(inputs_);
    y.expect({x.length(), outputs_});
    if (!countable(x.length(), widest_))  // a view with strides of 0 may claim any length
      raise("ShapeError", "X: expected a batch that memory can hold, got " +
                              std::to_string(x.length()) + " rows.");
    Job<T> job;
    if (!weights.is_none()) {
      s.emplace(weights, "weights");
      s->expect({x.length()});
      job.weights = s->rows();
    }
    job.X = x.rows();
    job.entries = job.batch_size = x.length();
    return job;
  }

  void expect_steps() const {
    if (runner_.plan().optimizer.name == OptimizerName::lbfgs)
      raise("SettingError", "LBFGS does not step by batches.");
  }

  // Fmas of some ten microseconds.
  static constexpr double worth_releasing = 400e3;
  static constexpr double always_released = std::numeric_limits<double>::infinity();

  // work(interrupted), without the GIL where it takes longer than releasing it.
  template <class Work> void run(double fmas, const Work& work) const {
    if (fmas < worth_releasing) return work(Interrupted(never));
    bool raised = false;
    {
      Released released;
      work(Interrupted([&] {
        return raised = raised || released.with_gil([] { return PyErr_CheckSignals() != 0; });
      }));
    }
    if (raised) throw nb::python_error();
    if (changed_)
      raise("SettingError",
            "order, or the indices of X: expected to stay as they were when the call began; "
            "another thread wrote to them. The result is not to be used: pass copies.");
  }

  std::size_t units(int which, std::size_t l, std::size_t place) const {
    const auto slots = static_cast<int>(runner_.plan().optimizer.slots());
    if (l >= runner_.plan().layers.size() || which < -2 || which >= slots)
      raise("SettingError", "no such array.");
    const LayerPlan& layer = runner_.plan().layers[l];
    const bool parameter = which == static_cast<int>(Array::parameter);
    if (place >= (parameter ? layer.arrays() : layer.learned()))
      raise("SettingError", "no such array.");
    if (which == static_cast<int>(Array::derivative) && !differentiated_)
      raise("SettingError", "no derivatives yet: call gradients first.");
    return place > 0 ? layer.units : layer.rows_of_W(runner_.plan().units_before(l));
  }
  std::size_t columns_of(std::size_t l) const {
    return runner_.plan().layers[l].columns_of_W(runner_.plan().units_before(l));
  }

  Runner<T> runner_;
  std::size_t inputs_ = 0, outputs_ = 0, widest_ = 0;
  bool differentiated_ = false;
  std::atomic<bool> busy_{false}, stopping_{false}, changed_{false};
};

template <class T> void bind(nb::module_& m, const char* name) {
  using B = Bound<T>;
  nb::class_<B>(m, name)
      .def(nb::init<const nb::dict&>())
      .def("step", &B::step, "X"_a, "Y"_a, "weights"_a.none(), "rate"_a, "threads"_a)
      .def("step_from", &B::step_from)
      .def("train", &B::train, "X"_a, "Y"_a, "order"_a, "batch_size"_a, "rates"_a,
           "weights"_a.none(), "costs"_a, "statistics"_a.none(), "threads"_a)
      .def("predict_into", &B::predict_into)
      .def("jacobian_into", &B::jacobian_into)
      .def("cost", &B::cost, "X"_a, "Y"_a, "weights"_a.none(), "penalised"_a, "threads"_a)
      .def("gradients", &B::gradients, "X"_a, "Y"_a, "weights"_a.none(), "threads"_a)
      .def("get", &B::get)
      .def("set", &B::set)
      .def("stop", &B::stop)
      .def_prop_rw("steps", &B::steps, &B::set_steps);
}

template <class T> void math(const std::string& name, nb::handle values, nb::handle out) {
  View<T> from(values, "values"), to(out, "out", true);
  from.expect({from.length()});
  to.expect({from.length()});
  from.expect_contiguous(), to.expect_contiguous();
  if (!apply_math<T>(name, from.data(), to.data(), from.length()))
    raise("UnknownNameError", "no function " + name + ".");
}

template <class T> double peak(std::size_t threads, double seconds) {
  if (threads < 1 || threads > 1024 || !(seconds >= 0 && seconds <= 60))
    raise("SettingError", "fma_peak: expected 1 to 1024 threads and 0 to 60 seconds, got " +
                              std::to_string(threads) + " and " + std::to_string(seconds) + ".");
  const Released released;
  return fma_peak<T>(threads, seconds);
}

}  // namespace deltarule

NB_MODULE(DELTARULE_MODULE, m) {
  using namespace deltarule;
  nb::set_leak_warnings(false);  // a daemon thread may hold a runner when the interpreter ends
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void*) {
        try {
          std::rethrow_exception(thrown);
        } catch (const std::system_error& error) {  // std::thread's, where there can be no more
          const std::string text = std::string("the system refuses a thread: ") + error.what() +
                                   ". Ask for fewer (n_threads, DELTARULE_NUM_THREADS), or allow "
                                   "this process more.";
          PyErr_SetString(nb::module_::import_("deltarule.errors").attr("ResourceError").ptr(),
                          text.c_str());
        }
      });
  m.attr("isa") = DELTARULE_ISA;
  m.attr("vector_bytes") = vector_bytes;
  m.def("matrix_units", [] {  // a call: it asks the kernel for AMX, which a process keeps
    constexpr const char* units[] = {"none", "refused", "avx512-bf16", "amx"};
    return units[static_cast<int>(matrix_units())];
  });
  m.def("supports", &supports);
  bind<float>(m, "Runner32");
  bind<double>(m, "Runner64");
  m.def("math32", &math<float>);
  m.def("math64", &math<double>);
  m.def("fma_peak32", &peak<float>, "threads"_a, "seconds"_a);
  m.def("fma_peak64", &peak<double>, "threads"_a, "seconds"_a);
}
