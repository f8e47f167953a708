#pragma once
// Facts of the build; the definitions are written by cmake/BuildInfo.cmake at every build.
namespace stowage::cli {
extern const char* const build_version;
extern const char* const build_commit;  // "" when not built from a git tree; "+changes" marks uncommitted ones
extern const char* const build_compiler;
extern const char* const build_type;
}  // namespace stowage::cli
