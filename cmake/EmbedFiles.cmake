# Embeds files in the binary, so that it works alone with no data beside it.
#
#   stowage_embed(TARGET ACCESSOR FILES file…)
#
# makes the static library TARGET, which defines `std::span<const EmbeddedFile> stowage::ACCESSOR()`: one entry a file,
# sorted by name (the file's name without its folder). Declare the accessor where it is used. The assembler's .incbin
# takes a megabyte in milliseconds; a C array of it takes seconds to compile. A file made by a custom command in the
# same folder may be named before it exists.
function(stowage_embed target accessor)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(files)
  foreach(path ${ARG_FILES})
    get_filename_component(name ${path} NAME)
    get_filename_component(path ${path} ABSOLUTE)
    list(APPEND files "${name}|${path}")
  endforeach()
  list(SORT files)

  set(data "  .section .rodata\n")
  set(symbols "")
  set(table "")
  set(paths)
  set(index 0)
  foreach(file ${files})
    string(REPLACE "|" ";" file "${file}")
    list(GET file 0 name)
    list(GET file 1 path)
    list(APPEND paths ${path})
    set(symbol "${target}_${index}")
    string(APPEND data "  .balign 16\n  .global ${symbol}\n${symbol}:\n  .incbin \"${path}\"\n${symbol}_end:\n"
                       "  .byte 0\n  .balign 8\n  .global ${symbol}_size\n${symbol}_size:\n"
                       "  .quad ${symbol}_end - ${symbol}\n")
    string(APPEND symbols "extern const char ${symbol}[];\nextern const std::uint64_t ${symbol}_size;\n")
    string(APPEND table "      {\"${name}\", {${symbol}, static_cast<std::size_t>(${symbol}_size)}},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  # An object without this note would make the whole program's stack executable.
  string(APPEND data "  .section .note.GNU-stack,\"\",%progbits\n")

  set(body "  return {};\n")
  if(files)
    set(body "  static const EmbeddedFile files[] = {\n${table}  };\n  return files;\n")
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  file(CONFIGURE OUTPUT ${folder}/${target}.S CONTENT "${data}" @ONLY)
  file(CONFIGURE OUTPUT ${folder}/${target}.cpp CONTENT
"#include \"base/embedded.hpp\"

#include <cstdint>

extern \"C\" {
${symbols}}

namespace stowage {
std::span<const EmbeddedFile> ${accessor}();
std::span<const EmbeddedFile> ${accessor}() {
${body}}
}  // namespace stowage
" @ONLY)
  set_source_files_properties(${folder}/${target}.S PROPERTIES OBJECT_DEPENDS "${paths}")
  add_library(${target} STATIC ${folder}/${target}.S ${folder}/${target}.cpp)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE stowage_flags)
endfunction()
