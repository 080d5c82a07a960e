// What others may see of this process's memory.
#pragma once

namespace holdfast::sys {

/// No core file of this process is written, and no other process of the same user may trace it or read its memory or
/// environment: it holds keys and passwords. Programs that it starts are not concerned.
void keep_memory_private();

}  // namespace holdfast::sys
