// A tree with one fault of each kind, for the test of tidy.sh itself (as semantics section 1 says). Not built.
#include "sim/engine.hpp"
#include <cstdlib>
void prints() { std::exit(rand()); }
