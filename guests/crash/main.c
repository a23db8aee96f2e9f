/* The case a newcomer meets: the guest takes a synchronous exception, and EENTRY was never set. The exception is
 * delivered inside the guest to address 0, where this VM has no RAM; the hypervisor sees a fetch fault that seems to
 * come from nowhere. `monitor explain` names the exception that led there. */
#include "../lib/guest.h"

void guest_exception(u64 estat, u64 era, u64 badv) { (void)estat, (void)era, (void)badv; }

__attribute__((noinline)) void make_system_call(void) { __asm__ volatile("syscall 0"); }

void guest_main(u64 gid, const char *append) {
  (void)gid, (void)append;
  put("crash: EENTRY was never set, and now a system call\n");
  make_system_call();
  put("crash: never printed\n");
  finish(0);
}
