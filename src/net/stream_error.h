// Errors that all streams share; for this module.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::net {

Error timed_out(std::string what);  ///< "net.timeout"
Error broken(std::string what);     ///< "net.broken"
/// "sys.interrupted" once a stop is requested, "net.timeout" once the deadline has passed.
Status check_time(Deadline deadline, const std::stop_token& stop);

}  // namespace holdfast::net
