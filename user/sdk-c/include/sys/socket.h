/* sys/socket.h: WASI's, and what it lacks. Flags of messages have Linux's numbers, not WASI's. */
#ifndef _VK_SYS_SOCKET_H
#define _VK_SYS_SOCKET_H
#define __NEED_socklen_t
#define __NEED_size_t
#define __NEED_ssize_t
#define __NEED_struct_iovec
#include_next <sys/socket.h>
#include <bits/alltypes.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef AF_LOCAL
#define AF_LOCAL AF_UNIX
#endif
#ifndef PF_UNIX
#define PF_UNIX AF_UNIX
#define PF_LOCAL AF_UNIX
#endif
#ifndef SOCK_SEQPACKET
#define SOCK_SEQPACKET 7
#endif
#ifndef SOMAXCONN
#define SOMAXCONN 128
#endif
#undef MSG_PEEK
#undef MSG_WAITALL
#undef MSG_TRUNC
#define MSG_PEEK 2
#define MSG_CTRUNC 8
#define MSG_TRUNC 0x20
#undef MSG_DONTWAIT
#define MSG_DONTWAIT 0x40
#define MSG_EOR 0x80
#define MSG_WAITALL 0x100
#undef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0x4000
#define MSG_MORE 0x8000
#define MSG_CMSG_CLOEXEC 0x40000000
#ifndef SO_REUSEADDR
#define SO_REUSEADDR 2
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_LINGER 13
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
#endif
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#ifndef _GNU_SOURCE /* else WASI's header has it */
struct ucred {
    int pid;
    unsigned uid;
    unsigned gid;
};
#endif

#define SCM_RIGHTS 1
#undef SCM_CREDENTIALS
#define SCM_CREDENTIALS 2
struct cmsghdr {
    socklen_t cmsg_len;
    int cmsg_level;
    int cmsg_type;
};
#define CMSG_ALIGN(n) (((n) + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1))
#define CMSG_LEN(n) (CMSG_ALIGN(sizeof(struct cmsghdr)) + (n))
#define CMSG_SPACE(n) (CMSG_ALIGN(sizeof(struct cmsghdr)) + CMSG_ALIGN(n))
#define CMSG_DATA(c) ((unsigned char *)((struct cmsghdr *)(c) + 1))
#define CMSG_FIRSTHDR(m) \
    ((size_t)(m)->msg_controllen >= sizeof(struct cmsghdr) ? (struct cmsghdr *)(m)->msg_control : (struct cmsghdr *)0)
#define __CMSG_END(m) ((unsigned char *)(m)->msg_control + (m)->msg_controllen)
#define CMSG_NXTHDR(m, c)                                                                                      \
    ((c)->cmsg_len < sizeof(struct cmsghdr) ||                                                                 \
             CMSG_ALIGN((c)->cmsg_len) + sizeof(struct cmsghdr) > (size_t)(__CMSG_END(m) - (unsigned char *)(c)) \
         ? (struct cmsghdr *)0                                                                                 \
         : (struct cmsghdr *)((unsigned char *)(c) + CMSG_ALIGN((c)->cmsg_len)))

int socket(int, int, int);
int socketpair(int, int, int, int[2]);
int bind(int, const struct sockaddr *, socklen_t);
int listen(int, int);
int accept(int, struct sockaddr *__restrict, socklen_t *__restrict);
int accept4(int, struct sockaddr *__restrict, socklen_t *__restrict, int);
int connect(int, const struct sockaddr *, socklen_t);
int shutdown(int, int);
int getsockname(int, struct sockaddr *__restrict, socklen_t *__restrict);
int getpeername(int, struct sockaddr *__restrict, socklen_t *__restrict);
ssize_t send(int, const void *, size_t, int);
ssize_t recv(int, void *, size_t, int);
ssize_t sendto(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
ssize_t recvfrom(int, void *__restrict, size_t, int, struct sockaddr *__restrict, socklen_t *__restrict);
ssize_t sendmsg(int, const struct msghdr *, int);
ssize_t recvmsg(int, struct msghdr *, int);
int getsockopt(int, int, int, void *__restrict, socklen_t *__restrict);
int setsockopt(int, int, int, const void *, socklen_t);
int sockatmark(int);
#ifdef __cplusplus
}
#endif
#endif
