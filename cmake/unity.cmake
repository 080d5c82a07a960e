# Fewer and faster compilations for whoever builds all of it (HOLDFAST_UNITY, which `make` sets): sources of one target are
# compiled together where that cannot change their meaning (unity.py), what nearly all of them include is compiled once,
# and programs of tests are compiled with -O1 and without debug information. Call it when all targets are there.
function(holdfast_targets_below folder out)
  get_property(found DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(below ${folders})
    holdfast_targets_below(${below} more)
    list(APPEND found ${more})
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# The standard's and other headers that change seldom; no source may rely on them (the preset dev compiles without).
set(holdfast_common_headers
    <fmt/format.h> <algorithm> <atomic> <chrono> <cstdint> <expected> <filesystem> <fstream> <functional> <map> <memory>
    <optional> <set> <span> <sstream> <stop_token> <string> <string_view> <thread> <vector>)

# An empty library that only compiles these headers, for targets with the same options.
function(holdfast_headers name)
  file(WRITE ${PROJECT_BINARY_DIR}/unity/${name}.cpp "")
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/unity/${name}.cpp)
  target_link_libraries(${name} PRIVATE fmt::fmt)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

function(holdfast_unity)
  holdfast_targets_below(${PROJECT_SOURCE_DIR} targets)
  set(listing "")
  # What a batch includes is no header, whatever the compiler thinks.
  set(quiet $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  set(for_tests $<$<CONFIG:Release>:-O1> $<$<CONFIG:Release>:-g0>)
  holdfast_headers(holdfast_headers ${holdfast_common_headers})
  target_compile_options(holdfast_headers PRIVATE ${quiet})
  holdfast_headers(holdfast_test_headers ${holdfast_common_headers} <gtest/gtest.h>)
  target_link_libraries(holdfast_test_headers PRIVATE GTest::gtest)
  target_compile_options(holdfast_test_headers PRIVATE ${quiet} ${for_tests})
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "^(EXECUTABLE|STATIC_LIBRARY)$")
      continue()
    endif()
    get_target_property(folder ${target} SOURCE_DIR)
    get_target_property(sources ${target} SOURCES)
    target_compile_options(${target} PRIVATE ${quiet})
    set(headers holdfast_headers)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(NOT folder MATCHES "/tests/bench$" AND (target MATCHES "_test$" OR folder MATCHES "^${PROJECT_SOURCE_DIR}/tests/"))
      target_compile_options(${target} PRIVATE ${for_tests})
      set(headers "")
      if(libraries MATCHES "GTest::" AND libraries MATCHES "holdfast_")  # these have fmt, too
        set(headers holdfast_test_headers)
      endif()
    endif()
    set(line ${target})
    foreach(source ${sources})
      get_source_file_property(options ${source} DIRECTORY ${folder} COMPILE_OPTIONS)
      if(options)  # compiled in a way of its own: the target stays as it is
        set(line "")
        break()
      endif()
      get_filename_component(source ${source} ABSOLUTE BASE_DIR ${folder})
      list(APPEND line ${source})
    endforeach()
    if(line)
      string(APPEND listing "${line}\n")
    endif()
    if(line AND headers)
      target_precompile_headers(${target} REUSE_FROM ${headers})
    endif()
  endforeach()
  file(WRITE ${PROJECT_BINARY_DIR}/unity/targets "${listing}")
  execute_process(COMMAND python3 ${PROJECT_SOURCE_DIR}/cmake/unity.py ${PROJECT_BINARY_DIR}/unity
                  INPUT_FILE ${PROJECT_BINARY_DIR}/unity/targets OUTPUT_FILE ${PROJECT_BINARY_DIR}/unity/sources.cmake
                  COMMAND_ERROR_IS_FATAL ANY)
  include(${PROJECT_BINARY_DIR}/unity/sources.cmake)
endfunction()
