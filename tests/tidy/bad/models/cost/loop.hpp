#pragma once
#include "models/llm/loop.hpp"
