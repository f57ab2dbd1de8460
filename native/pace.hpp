// One thread or a team: which of them makes a runner's steps sooner, measured as they are made.
//
// Results are the same bits for either, so a runner may try both. It takes a short turn with each,
// keeps the faster, and tries the other again now and then: after a tenth of a second at first, and
// ever more rarely while the answer stays the same; at once where the steps have become slower.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace deltarule {

class Pace {
 public:
  // What the first turn goes to, for steps of so many rows; of others all begins anew.
  void begin(std::size_t rows, bool guess) {
    if (rows == rows_) return;
    *this = Pace();
    rows_ = rows;
    team_ = best_ = guess;
  }

  // Whether a team makes the next steps.
  bool team() const { return team_; }

  // Whether a turn is over that has gone on for so many seconds more.
  bool over(double seconds) const { return seconds_ + seconds >= turn_; }

  // So many steps were made; several short calls are one turn.
  void made(double seconds, std::size_t steps) {
    seconds_ += seconds, steps_ += double(steps);
    if (seconds_ < turn_ || steps_ == 0) return;
    const double before = step_[team_];
    step_[team_] = seconds_ / steps_;
    since_ += seconds_;
    const bool slower = before > 0 && step_[team_] > much_slower * before;
    if (tries_other_) choose();
    else if (step_[!team_] == 0 || since_ >= wait_ || slower) try_other();
    seconds_ = steps_ = 0;
  }

 private:
  static constexpr double shortest = 2e-3, longest = 50e-3;  // turns, in seconds: a thread takes
                                                             // some 0.1 ms to begin
  static constexpr double first_wait = 100e-3;
  static constexpr double least_share = 20, most_share = 400;  // of a wait to the trial before it
  static constexpr double much_slower = 1.5;

  void try_other() {
    team_ = !team_, tries_other_ = true;
    turn_ = shortest;
  }

  void choose() {
    const bool best = step_[true] < step_[false];
    share_ = best == best_ ? std::min(2 * share_, most_share) : least_share;
    wait_ = std::max(first_wait, share_ * seconds_);
    team_ = best_ = best, tries_other_ = false;
    turn_ = longest, since_ = 0;
  }

  std::size_t rows_ = 0;
  bool team_ = false, best_ = false, tries_other_ = false;
  double turn_ = shortest;
  double seconds_ = 0, steps_ = 0;        // of the present turn
  std::array<double, 2> step_{};          // seconds that one took last: alone, in a team; 0: unknown
  double since_ = 0, wait_ = first_wait;  // since the other was tried, and until it is again
  double share_ = least_share;
};

}  // namespace deltarule
