/* FD_SET and its kin. */
#ifndef __wasilibc___fd_set_h
#define __wasilibc___fd_set_h
#include <__typedef_fd_set.h>
#define NFDBITS ((int)(8 * sizeof(fd_mask)))
#define __FD_WORD(fd, set) ((set)->fds_bits[(unsigned)(fd) / NFDBITS])
#define __FD_BIT(fd) (1UL << ((unsigned)(fd) % NFDBITS))
#define FD_SET(fd, set) ((void)(__FD_WORD(fd, set) |= __FD_BIT(fd)))
#define FD_CLR(fd, set) ((void)(__FD_WORD(fd, set) &= ~__FD_BIT(fd)))
#define FD_ISSET(fd, set) ((__FD_WORD(fd, set) & __FD_BIT(fd)) != 0)
#define FD_ZERO(set) ((void)__builtin_memset((set), 0, sizeof(fd_set)))
#define FD_COPY(from, to) ((void)(*(to) = *(from)))
#endif
