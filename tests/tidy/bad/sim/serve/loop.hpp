#pragma once
#include "sim/kv/loop.hpp"
