/* Sockets: the kernel has none yet. Every call says so. */
#include "vk.h"

#include <sys/socket.h>

#define NOT_YET(name, ...)    \
    int name(__VA_ARGS__) {   \
        return vk_enosys();   \
    }
#pragma clang diagnostic ignored "-Wunused-parameter"

NOT_YET(socket, int domain, int type, int protocol)
NOT_YET(socketpair, int domain, int type, int protocol, int fds[2])
NOT_YET(bind, int fd, const struct sockaddr *addr, socklen_t len)
NOT_YET(listen, int fd, int backlog)
NOT_YET(connect, int fd, const struct sockaddr *addr, socklen_t len)
NOT_YET(getsockname, int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
NOT_YET(getpeername, int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
NOT_YET(setsockopt, int fd, int level, int name, const void *value, socklen_t len)

ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t len) {
    return vk_enosys();
}
ssize_t recvfrom(int fd, void *restrict buf, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict len) {
    return vk_enosys();
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return vk_enosys();
}
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return vk_enosys();
}
