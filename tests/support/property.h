// Property tests with rapidcheck: RC_GTEST_PROP(Suite, Name, (arguments)) { RC_ASSERT(...); }
//
// Every run tries the same cases, so that a red build is red again. RC_PARAMS in the environment overrides, for example
// RC_PARAMS="seed=7 max_success=100000"; a failure prints its smallest case and how to reproduce it.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

namespace holdfast::test {

inline const bool kSeeded = setenv("RC_PARAMS", "seed=20261121 max_success=500", 0) == 0;

}  // namespace holdfast::test
