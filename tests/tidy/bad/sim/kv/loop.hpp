#pragma once
#include "sim/serve/loop.hpp"
