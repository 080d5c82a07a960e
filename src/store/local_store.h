// A repository in a directory, laid out and made durable as restic does it.
#pragma once

#include <memory>
#include <string>

#include "store/object_store.h"

namespace holdfast::store {

/// Objects are files below `root`, written as temporary file + fsync + rename + fsync of the directory, mode 0400
/// (0440 when the repository's config is readable by its group).
std::unique_ptr<ObjectStore> open_local_store(std::string root);

}  // namespace holdfast::store
