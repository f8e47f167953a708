# One library a folder: stowage_library(NAME [PUBLIC targets…] [PRIVATE targets…]) takes every .cpp below NAME/.
add_library(stowage_flags INTERFACE)
# -Wno-restrict: g++ 12 sees overlaps in std::string that are not there (PR105651). -Wno-maybe-uninitialized: with -O3 it
# takes temporaries whose making throws for unfinished ones; the -O2 builds, where warnings are errors, keep it.
# -ffp-contract=off: two builds must price a step to the same bit.
target_compile_options(stowage_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-restrict -ffp-contract=off
  $<$<CONFIG:Release>:-Wno-maybe-uninitialized>
  $<$<BOOL:${STOWAGE_WERROR}>:-Werror>)

function(stowage_library name)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(stowage_${name} STATIC ${sources})
  target_include_directories(stowage_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(stowage_${name} PUBLIC ${ARG_PUBLIC} PRIVATE stowage_flags ${ARG_PRIVATE})
endfunction()
