/* poll(2): the kernel's events, which are Linux's. */
#ifndef __wasilibc___header_poll_h
#define __wasilibc___header_poll_h
#include <__struct_pollfd.h>
#include <__typedef_nfds_t.h>
#define POLLIN 0x001
#define POLLPRI 0x002
#define POLLOUT 0x004
#define POLLERR 0x008
#define POLLHUP 0x010
#define POLLNVAL 0x020
#define POLLRDNORM 0x040
#define POLLRDBAND 0x080
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#endif
