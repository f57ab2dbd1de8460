// The engine in double.
#include "runner_body.hpp"

namespace deltarule {
template class Runner<double>;
}
