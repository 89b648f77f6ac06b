/*
 * What the library is made of: the kernel's native calls, as abi/src/syscalls.rs lists them (xtask's
 * tests compare the two), and the few helpers that all files use.
 *
 * A native call answers its result or minus an errno, and its errnos are the C library's own numbers.
 * Paths are a pointer and a length.
 */
#ifndef VK_H
#define VK_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VK_CALL(name) __attribute__((import_module("vkernel"), import_name(#name)))

VK_CALL(getpid) int vk_getpid(void);
VK_CALL(getppid) int vk_getppid(void);
VK_CALL(spawn) int vk_spawn(const void *request, uint32_t len);
VK_CALL(exec) int vk_exec(const void *request, uint32_t len);
VK_CALL(wait4) int vk_wait4(int pid, void *status, uint32_t options, void *usage);
VK_CALL(waitid) int vk_waitid(uint32_t kind, int id, void *info, uint32_t options, void *usage);
VK_CALL(getpriority) int vk_getpriority(uint32_t which, int who);
VK_CALL(setpriority) int vk_setpriority(uint32_t which, int who, int nice);
VK_CALL(socket) int vk_socket(uint32_t domain, uint32_t kind, uint32_t protocol);
VK_CALL(socketpair) int vk_socketpair(uint32_t domain, uint32_t kind, uint32_t protocol, void *fds);
VK_CALL(bind) int vk_bind(int fd, const void *addr, uint32_t len);
VK_CALL(listen) int vk_listen(int fd, int backlog);
VK_CALL(accept4) int vk_accept4(int fd, void *addr, void *len, uint32_t flags);
VK_CALL(connect) int vk_connect(int fd, const void *addr, uint32_t len);
VK_CALL(getsockname) int vk_getsockname(int fd, void *addr, void *len);
VK_CALL(getpeername) int vk_getpeername(int fd, void *addr, void *len);
VK_CALL(sendmsg) int vk_sendmsg(int fd, const void *message, uint32_t flags);
VK_CALL(recvmsg) int vk_recvmsg(int fd, void *message, uint32_t flags);
VK_CALL(shutdown) int vk_shutdown(int fd, uint32_t how);
VK_CALL(getsockopt) int vk_getsockopt(int fd, uint32_t level, uint32_t name, void *value, void *len);
VK_CALL(setsockopt) int vk_setsockopt(int fd, uint32_t level, uint32_t name, const void *value, uint32_t len);
VK_CALL(sendto)
int vk_sendto(int fd, const void *buf, uint32_t len, uint32_t flags, const void *addr, uint32_t addr_len);
VK_CALL(recvfrom) int vk_recvfrom(int fd, void *buf, uint32_t len, uint32_t flags, void *addr, void *addr_len);
VK_CALL(kill) int vk_kill(int pid, uint32_t signal);
VK_CALL(getpgid) int vk_getpgid(int pid);
VK_CALL(setpgid) int vk_setpgid(int pid, int pgid);
VK_CALL(getsid) int vk_getsid(int pid);
VK_CALL(setsid) int vk_setsid(void);
VK_CALL(getuid) int vk_getuid(void);
VK_CALL(geteuid) int vk_geteuid(void);
VK_CALL(getgid) int vk_getgid(void);
VK_CALL(getegid) int vk_getegid(void);
VK_CALL(setuid) int vk_setuid(uint32_t uid);
VK_CALL(setgid) int vk_setgid(uint32_t gid);
VK_CALL(seteuid) int vk_seteuid(uint32_t uid);
VK_CALL(setegid) int vk_setegid(uint32_t gid);
VK_CALL(getgroups) int vk_getgroups(uint32_t count, void *groups);
VK_CALL(setgroups) int vk_setgroups(uint32_t count, const void *groups);
VK_CALL(setreuid) int vk_setreuid(uint32_t real, uint32_t effective);
VK_CALL(setregid) int vk_setregid(uint32_t real, uint32_t effective);
VK_CALL(setresuid) int vk_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
VK_CALL(setresgid) int vk_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
VK_CALL(getresuid) int vk_getresuid(void *real, void *effective, void *saved);
VK_CALL(getresgid) int vk_getresgid(void *real, void *effective, void *saved);
VK_CALL(umask) int vk_umask(uint32_t mask);
VK_CALL(getrlimit) int vk_getrlimit(uint32_t resource, void *limits);
VK_CALL(setrlimit) int vk_setrlimit(uint32_t resource, const void *limits);
VK_CALL(getrusage) int vk_getrusage(int who, void *usage);
VK_CALL(clock_gettime) int vk_clock_gettime(uint32_t clock, void *time);
VK_CALL(clock_nanosleep) int vk_clock_nanosleep(uint32_t clock, uint32_t flags, uint64_t ns);
VK_CALL(getrandom) int vk_getrandom(void *buf, uint32_t len);
VK_CALL(uname) int vk_uname(void *buf, uint32_t len);
VK_CALL(read) int vk_read(int fd, void *buf, uint32_t len);
VK_CALL(write) int vk_write(int fd, const void *buf, uint32_t len);
VK_CALL(pread) int vk_pread(int fd, void *buf, uint32_t len, int64_t offset);
VK_CALL(pwrite) int vk_pwrite(int fd, const void *buf, uint32_t len, int64_t offset);
VK_CALL(lseek) int64_t vk_lseek(int fd, int64_t offset, uint32_t whence);
VK_CALL(close) int vk_close(int fd);
VK_CALL(dup) int vk_dup(int fd);
VK_CALL(dup3) int vk_dup3(int from, int to, uint32_t flags);
VK_CALL(fcntl) int vk_fcntl(int fd, uint32_t cmd, int arg);
VK_CALL(fcntl_lock) int vk_fcntl_lock(int fd, uint32_t cmd, void *lock);
VK_CALL(flock) int vk_flock(int fd, uint32_t how);
VK_CALL(pipe2) int vk_pipe2(void *fds, uint32_t flags);
VK_CALL(poll) int vk_poll(void *fds, uint32_t count, int timeout_ms);
VK_CALL(ppoll) int vk_ppoll(void *fds, uint32_t count, uint64_t timeout_ns, const void *mask);
VK_CALL(close_range) int vk_close_range(uint32_t first, uint32_t last, uint32_t flags);
VK_CALL(ioctl) int vk_ioctl(int fd, uint32_t request, void *arg);
VK_CALL(fsync) int vk_fsync(int fd);
VK_CALL(ftruncate) int vk_ftruncate(int fd, int64_t size);
VK_CALL(openat) int vk_openat(int dir, const char *path, uint32_t len, uint32_t flags, uint32_t mode);
VK_CALL(fstatat) int vk_fstatat(int dir, const char *path, uint32_t len, void *stat, uint32_t flags);
VK_CALL(faccessat) int vk_faccessat(int dir, const char *path, uint32_t len, uint32_t mode, uint32_t flags);
VK_CALL(mkdirat) int vk_mkdirat(int dir, const char *path, uint32_t len, uint32_t mode);
VK_CALL(mknodat) int vk_mknodat(int dir, const char *path, uint32_t len, uint32_t mode, uint64_t dev);
VK_CALL(unlinkat) int vk_unlinkat(int dir, const char *path, uint32_t len, uint32_t flags);
VK_CALL(renameat)
int vk_renameat(int from, const char *old, uint32_t old_len, int to, const char *path, uint32_t len, uint32_t flags);
VK_CALL(linkat)
int vk_linkat(int from, const char *old, uint32_t old_len, int to, const char *path, uint32_t len, uint32_t flags);
VK_CALL(symlinkat)
int vk_symlinkat(const char *target, uint32_t target_len, int dir, const char *path, uint32_t len);
VK_CALL(readlinkat) int vk_readlinkat(int dir, const char *path, uint32_t len, char *buf, uint32_t size);
VK_CALL(fchmodat) int vk_fchmodat(int dir, const char *path, uint32_t len, uint32_t mode, uint32_t flags);
VK_CALL(fchownat)
int vk_fchownat(int dir, const char *path, uint32_t len, uint32_t uid, uint32_t gid, uint32_t flags);
VK_CALL(utimensat) int vk_utimensat(int dir, const char *path, uint32_t len, const void *times, uint32_t flags);
VK_CALL(chdir) int vk_chdir(const char *path, uint32_t len);
VK_CALL(chroot) int vk_chroot(const char *path, uint32_t len);
VK_CALL(fchdir) int vk_fchdir(int fd);
VK_CALL(getcwd) int vk_getcwd(char *buf, uint32_t size);
VK_CALL(fstat) int vk_fstat(int fd, void *stat);
VK_CALL(fstatvfs) int vk_fstatvfs(int fd, void *buf);
VK_CALL(mount) int vk_mount(const char *kind, uint32_t kind_len, const char *path, uint32_t len, uint32_t flags);
VK_CALL(unmount) int vk_unmount(const char *path, uint32_t len, uint32_t flags);
VK_CALL(sync) int vk_sync(void);

/* The kernel's numbers where the C library has others (abi/src/types/). */
#define K_FDCWD (-100)
#define K_SYMLINK_NOFOLLOW 0x100
#define K_REMOVEDIR 0x200
#define K_EACCESS 0x200
#define K_SYMLINK_FOLLOW 0x400
#define K_EMPTY_PATH 0x1000
#define K_CLOEXEC 02000000

#define VK_LEN(path) ((uint32_t)strlen(path))
#define NS_PER_SEC 1000000000LL

/* An answer of the kernel's as C functions give it: -1 and errno, or the value. */
static inline int vk_ret(int answer) {
    if (answer < 0) {
        errno = -answer;
        return -1;
    }
    return answer;
}

/* A function that has no call under it; sdk-c/README.md lists them. */
static inline int vk_enosys(void) {
    errno = ENOSYS;
    return -1;
}

/* The C library's directory descriptor and flags as the kernel's. path.c */
int __vk_dir(int dir);
uint32_t __vk_at(int flags);
/* open(2) flags, both ways. path.c */
uint32_t __vk_oflags(int flags);
int __vk_oflags_back(uint32_t flags);
/* Signals that are ignored, a bit each. signal.c */
uint64_t __vk_ignored(void);
/* What pthread_atfork(3) has registered; NULL where nobody has. proc.c, threads.c */
enum vk_fork { VK_FORK_BEFORE, VK_FORK_PARENT, VK_FORK_CHILD };
extern void (*__vk_at_fork)(enum vk_fork);
/* What is told of closed descriptors; NULL where nobody asks. fd.c, epoll.c */
extern void (*__vk_at_close)(int fd);
/* The address of a host's name: a number, or one of /etc/hosts. hosts.c */
struct in_addr;
int __vk_host(const char *name, struct in_addr *addr);
/* misc.c */
int __vk_null_stdio(void);

#endif
