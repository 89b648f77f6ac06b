/*
 * Sockets: doc/man/man7/unix.7. The kernel takes the C library's structures and numbers as they are. All of
 * WASI's functions are replaced, as their flags are others.
 */
#include "vk.h"

#include <sys/socket.h>

int socket(int domain, int type, int protocol) {
    return vk_ret(vk_socket((uint32_t)domain, (uint32_t)type, (uint32_t)protocol));
}
int socketpair(int domain, int type, int protocol, int fds[2]) {
    return vk_ret(vk_socketpair((uint32_t)domain, (uint32_t)type, (uint32_t)protocol, fds));
}
int bind(int fd, const struct sockaddr *addr, socklen_t len) {
    return vk_ret(vk_bind(fd, addr, len));
}
int listen(int fd, int backlog) {
    return vk_ret(vk_listen(fd, backlog));
}
int accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict len, int flags) {
    return vk_ret(vk_accept4(fd, addr, len, (uint32_t)flags));
}
int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len) {
    return accept4(fd, addr, len, 0);
}
int connect(int fd, const struct sockaddr *addr, socklen_t len) {
    return vk_ret(vk_connect(fd, addr, len));
}
int getsockname(int fd, struct sockaddr *restrict addr, socklen_t *restrict len) {
    return vk_ret(vk_getsockname(fd, addr, len));
}
int getpeername(int fd, struct sockaddr *restrict addr, socklen_t *restrict len) {
    return vk_ret(vk_getpeername(fd, addr, len));
}
int shutdown(int fd, int how) {
    return vk_ret(vk_shutdown(fd, (uint32_t)how));
}
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len) {
    return vk_ret(vk_getsockopt(fd, (uint32_t)level, (uint32_t)name, value, len));
}
int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
    return vk_ret(vk_setsockopt(fd, (uint32_t)level, (uint32_t)name, value, len));
}

ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t len) {
    return vk_ret(vk_sendto(fd, buf, size, (uint32_t)flags, to, len));
}
ssize_t send(int fd, const void *buf, size_t size, int flags) {
    return sendto(fd, buf, size, flags, NULL, 0);
}
ssize_t recvfrom(int fd, void *restrict buf, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict len) {
    return vk_ret(vk_recvfrom(fd, buf, size, (uint32_t)flags, from, len));
}
ssize_t recv(int fd, void *buf, size_t size, int flags) {
    return recvfrom(fd, buf, size, flags, NULL, NULL);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return vk_ret(vk_sendmsg(fd, message, (uint32_t)flags));
}
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return vk_ret(vk_recvmsg(fd, message, (uint32_t)flags));
}
int sockatmark(int fd) {
    (void)fd; /* There is no urgent data. */
    return 0;
}
