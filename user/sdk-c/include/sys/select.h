/* sys/select.h: WASI's functions on POSIX's sets (__typedef_fd_set.h). */
#ifndef _VK_SYS_SELECT_H
#define _VK_SYS_SELECT_H
#include <__fd_set.h>
#include <__struct_timespec.h>
#include <__struct_timeval.h>
#include <__typedef_sigset_t.h>
#include_next <sys/select.h>
#endif
