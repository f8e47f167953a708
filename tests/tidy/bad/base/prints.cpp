// A tree with one fault of each kind, for the test of tidy.sh itself. Not built.
#include "sim/engine.hpp"
#include <cstdlib>
void prints() { std::exit(rand()); }
