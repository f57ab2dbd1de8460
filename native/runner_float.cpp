// The engine in float.
#include "runner_body.hpp"

namespace deltarule {
template class Runner<float>;
}
