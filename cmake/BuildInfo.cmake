# Writes build_info.cpp, and touches it only when something changed. Run at every build: cmake -P.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=10 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
  OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(commit AND changes)
  string(APPEND commit "+changes")
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT [[
#include "cli/build_info.hpp"
namespace stowage::cli {
const char* const build_version = "@VERSION@";
const char* const build_commit = "@commit@";
const char* const build_compiler = "@COMPILER@";
const char* const build_type = "@TYPE@";
}  // namespace stowage::cli
]])
