// One thread that lives as long as the process, for work the kernel ties to the calling thread (PR_SET_PDEATHSIG).
#pragma once

#include <functional>

namespace holdfast::sys {

/// Runs `work` on that thread and returns when it is done. Started on first use; works again in a forked child.
void on_spawn_thread(const std::function<void()>& work);

}  // namespace holdfast::sys
