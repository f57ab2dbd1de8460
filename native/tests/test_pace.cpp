// One thread or a team: the choice between them, on a clock of the test's own.
#include "check.hpp"
#include "pace.hpp"

namespace deltarule {
namespace {

// Seconds of a step: alone, and by a team.
struct Machine {
  double alone, team;
};

// What a runner would do for so many seconds, by calls of `steps_of_call` steps: which share of the
// steps a team makes, and how much longer all take than by the faster of the two.
struct Found {
  double by_team = 0, loss = 0;
};

Found run(Pace& pace, Machine machine, double seconds, std::size_t steps_of_call) {
  double spent = 0, steps = 0, team_steps = 0;
  while (spent < seconds) {
    std::size_t left = steps_of_call;
    while (left > 0) {
      const bool team = pace.team();
      const double step = team ? machine.team : machine.alone;
      std::size_t made = 0;
      do ++made, --left;
      while (left > 0 && !pace.over(double(made) * step));
      pace.made(double(made) * step, made);
      spent += double(made) * step, steps += double(made);
      if (team) team_steps += double(made);
    }
  }
  return {team_steps / steps, spent / (steps * std::min(machine.alone, machine.team)) - 1};
}

void faster_one_is_kept() {
  for (const bool guess : {false, true})
    for (const double factor : {0.5, 0.9, 1.1, 4.0})
      for (const double step : {20e-6, 1e-3, 25e-3})
        for (const std::size_t steps_of_call : {1, 30, 100000}) {
          Pace pace;
          pace.begin(32, guess);
          const Found found = run(pace, {step, factor * step}, 20, steps_of_call);
          expect((found.by_team > 0.9) == (factor < 1), "the faster of one thread and a team");
          expect(found.loss < 0.05, "trials of the other cost little");
        }
}

void choice_follows_the_machine() {
  const Machine quiet{1e-3, 0.6e-3}, busy{1.1e-3, 20e-3};
  Pace pace;
  pace.begin(32, true);
  expect(run(pace, quiet, 10, 50).by_team > 0.95, "a team on a quiet machine");
  expect(run(pace, busy, 1, 50).by_team < 0.05, "one thread as soon as others use the cores");
  expect(run(pace, quiet, 30, 50).by_team > 0.8, "a team again when they are gone");
}

void other_batches_begin_anew() {
  Pace pace;
  pace.begin(32, false);
  run(pace, {1e-3, 2e-3}, 1, 50);
  pace.begin(32, true);
  expect(!pace.team(), "what is known of a size is kept");
  pace.begin(64, true);
  expect(pace.team(), "of another size nothing is known");
}

}  // namespace

void test_pace() {
  faster_one_is_kept();
  choice_follows_the_machine();
  other_batches_begin_anew();
}

}  // namespace deltarule
