/* A set of descriptors as POSIX programs know it, a bit each. WASI's is a list. */
#ifndef __wasilibc___typedef_fd_set_h
#define __wasilibc___typedef_fd_set_h
#include <__macro_FD_SETSIZE.h>
typedef unsigned long fd_mask;
typedef struct {
    fd_mask fds_bits[FD_SETSIZE / (8 * sizeof(fd_mask))];
} fd_set;
#endif
