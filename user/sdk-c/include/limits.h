/* limits.h: the compiler's and WASI's, and what a kernel with pipes and users adds. */
#include_next <limits.h>
#ifndef _VK_LIMITS_H
#define _VK_LIMITS_H
#ifndef PIPE_BUF
#define PIPE_BUF 4096
#endif
#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#ifndef NAME_MAX
#define NAME_MAX 255
#endif
#ifndef LOGIN_NAME_MAX
#define LOGIN_NAME_MAX 256
#endif
#ifndef TTY_NAME_MAX
#define TTY_NAME_MAX 32
#endif
#ifndef LINE_MAX
#define LINE_MAX 4096
#endif
#undef NGROUPS_MAX
#define NGROUPS_MAX 64
#ifndef SEM_VALUE_MAX
#define SEM_VALUE_MAX 0x7fffffff
#endif
#endif
