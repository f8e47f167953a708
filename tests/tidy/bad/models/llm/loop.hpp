#pragma once
#include "models/cost/loop.hpp"
