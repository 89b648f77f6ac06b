/* Descriptors: reading, writing, duplicating, fcntl(2), ioctl(2), pipes. */
#include "vk.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* One transfer moves at most this much: its count is an int. */
#define TRANSFER_MAX 0x7ffff000u
#define LESS(n) ((uint32_t)((n) < TRANSFER_MAX ? (n) : TRANSFER_MAX))

ssize_t read(int fd, void *buf, size_t len) {
    return vk_ret(vk_read(fd, buf, LESS(len)));
}
ssize_t write(int fd, const void *buf, size_t len) {
    return vk_ret(vk_write(fd, buf, LESS(len)));
}
ssize_t pread(int fd, void *buf, size_t len, off_t offset) {
    return vk_ret(vk_pread(fd, buf, LESS(len), offset));
}
ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset) {
    return vk_ret(vk_pwrite(fd, buf, LESS(len), offset));
}

static off_t seek(int fd, off_t offset, int whence) {
    int64_t at = vk_lseek(fd, offset, (uint32_t)whence);
    if (at < 0) {
        errno = (int)-at;
        return -1;
    }
    return at;
}
off_t lseek(int fd, off_t offset, int whence) {
    return seek(fd, offset, whence);
}
off_t __lseek(int fd, off_t offset, int whence) {
    return seek(fd, offset, whence);
}
off_t __wasilibc_tell(int fd) {
    return seek(fd, 0, SEEK_CUR);
}

void (*__vk_at_close)(int);

/* A descriptor that was closed, or that another takes the place of. */
static int gone(int fd, int answer) {
    if (answer >= 0 && __vk_at_close)
        __vk_at_close(fd);
    return vk_ret(answer);
}
int close(int fd) {
    return gone(fd, vk_close(fd));
}
int posix_close(int fd, int flags) {
    (void)flags;
    return close(fd);
}
int fsync(int fd) {
    return vk_ret(vk_fsync(fd));
}
int fdatasync(int fd) {
    return fsync(fd);
}
void sync(void) {
    vk_sync();
}
int syncfs(int fd) {
    return fsync(fd);
}
int ftruncate(int fd, off_t size) {
    return vk_ret(vk_ftruncate(fd, size));
}
int truncate(const char *path, off_t size) {
    /* What is no file is not waited for: a FIFO without reader, a device without driver. */
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENXIO ? vk_ret(-EINVAL) : -1;
    int done = ftruncate(fd, size), saved = errno;
    close(fd);
    errno = saved;
    return done;
}

int dup(int fd) {
    return vk_ret(vk_dup(fd));
}
int dup2(int from, int to) {
    if (from == to) /* dup3(2) takes this for a mistake. */
        return vk_ret(vk_fcntl(from, F_GETFD, 0)) < 0 ? -1 : to;
    return gone(to, vk_dup3(from, to, 0));
}
int dup3(int from, int to, int flags) {
    if (from == to || flags & ~O_CLOEXEC)
        return vk_ret(-EINVAL);
    return gone(to, vk_dup3(from, to, __vk_oflags(flags) & K_CLOEXEC));
}
/* As gone, of many. No table of descriptors is larger. */
static int gone_range(unsigned first, unsigned last, int answer) {
    for (unsigned fd = first; answer >= 0 && __vk_at_close && fd <= last && fd < 65536; fd++)
        __vk_at_close((int)fd);
    return vk_ret(answer);
}
int close_range(unsigned first, unsigned last, int flags) {
    int answer = vk_close_range(first, last, (uint32_t)flags & ~(uint32_t)CLOSE_RANGE_UNSHARE);
    return flags & CLOSE_RANGE_CLOEXEC ? vk_ret(answer) : gone_range(first, last, answer);
}
void closefrom(int first) {
    unsigned from = first < 0 ? 0 : (unsigned)first;
    gone_range(from, UINT32_MAX, vk_close_range(from, UINT32_MAX, 0));
}
/* freopen(3) of libc.a: like dup2, and closes the first. */
int __wasilibc_fd_renumber(int from, int to) {
    if (dup2(from, to) < 0)
        return -1;
    return from == to ? 0 : close(from);
}

int pipe2(int fds[2], int flags) {
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return vk_ret(-EINVAL);
    return vk_ret(vk_pipe2(fds, __vk_oflags(flags)));
}
int pipe(int fds[2]) {
    return vk_ret(vk_pipe2(fds, 0));
}

/* abi::types::Flock is the same. */
_Static_assert(sizeof(struct flock) == 32 && offsetof(struct flock, l_start) == 8 && offsetof(struct flock, l_pid) == 24,
               "abi::types::Flock");
static int locks(int cmd) {
    return cmd == F_GETLK || cmd == F_SETLK || cmd == F_SETLKW || (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW);
}

int fcntl(int fd, int cmd, ...) {
    va_list ap;
    va_start(ap, cmd);
    if (locks(cmd)) {
        void *lock = va_arg(ap, void *);
        va_end(ap);
        return vk_ret(vk_fcntl_lock(fd, (uint32_t)cmd, lock));
    }
    int arg = va_arg(ap, int);
    va_end(ap);
    switch (cmd) {
    case F_SETFL:
        return vk_ret(vk_fcntl(fd, F_SETFL, (int)__vk_oflags(arg)));
    case F_GETFL: {
        int flags = vk_ret(vk_fcntl(fd, F_GETFL, 0));
        return flags < 0 ? -1 : __vk_oflags_back((uint32_t)flags);
    }
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_GETFD:
    case F_SETFD:
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return vk_ret(vk_fcntl(fd, (uint32_t)cmd, arg));
    default:
        return vk_ret(vk_fcntl(fd, F_GETFD, 0)) < 0 ? -1 : vk_ret(-EINVAL);
    }
}
int flock(int fd, int how) {
    return vk_ret(vk_flock(fd, (uint32_t)how));
}
int lockf(int fd, int how, off_t len) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_len = len};
    switch (how) {
    case F_TEST:
        if (vk_ret(vk_fcntl_lock(fd, F_GETLK, &lock)) < 0)
            return -1;
        return lock.l_type == F_UNLCK || lock.l_pid == vk_getpid() ? 0 : vk_ret(-EACCES);
    case F_ULOCK:
        lock.l_type = F_UNLCK;
        /* fallthrough */
    case F_TLOCK:
        return vk_ret(vk_fcntl_lock(fd, F_SETLK, &lock));
    case F_LOCK:
        return vk_ret(vk_fcntl_lock(fd, F_SETLKW, &lock));
    default:
        return vk_ret(-EINVAL);
    }
}

/* Between two files, by way of our memory. */
ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags) {
    char buf[8192];
    size_t done = 0;
    if (flags)
        return vk_ret(-EINVAL);
    while (done < len) {
        size_t want = len - done < sizeof buf ? len - done : sizeof buf;
        int got = in_at ? vk_pread(in, buf, (uint32_t)want, *in_at) : vk_read(in, buf, (uint32_t)want);
        if (got <= 0)
            return done || !got ? (ssize_t)done : vk_ret(got);
        int put = out_at ? vk_pwrite(out, buf, (uint32_t)got, *out_at) : vk_write(out, buf, (uint32_t)got);
        int moved = put < 0 ? 0 : put;
        if (in_at)
            *in_at += moved;
        else if (moved < got)
            vk_lseek(in, moved - got, SEEK_CUR);
        if (out_at)
            *out_at += moved;
        done += (size_t)moved;
        if (put < got)
            return done || put >= 0 ? (ssize_t)done : vk_ret(put);
    }
    return (ssize_t)done;
}

int ioctl(int fd, int request, ...) {
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if ((unsigned)request == FIONBIO) {
        int flags = vk_ret(vk_fcntl(fd, F_GETFL, 0));
        if (flags < 0)
            return -1;
        return vk_ret(vk_fcntl(fd, F_SETFL, *(int *)arg ? flags | 04000 : flags & ~04000));
    }
    return vk_ret(vk_ioctl(fd, (uint32_t)request, arg));
}
