#include "sys/memory_privacy.h"

#include <sys/prctl.h>

namespace holdfast::sys {

void keep_memory_private() {
#ifndef __SANITIZE_ADDRESS__  // the leak check of the address sanitizer traces its own process
  (void)::prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace holdfast::sys
