/* poll.h: WASI's, with the kernel's events (__header_poll.h), and ppoll. */
#ifndef _VK_POLL_H
#define _VK_POLL_H
#include_next <poll.h>
#include <__struct_timespec.h>
#include <__typedef_sigset_t.h>
#ifdef __cplusplus
extern "C" {
#endif
int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
#ifdef __cplusplus
}
#endif
#endif
