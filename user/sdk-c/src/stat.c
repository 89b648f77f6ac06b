/* What stands in an inode: stat(2), chmod(2), chown(2), utimensat(2), statvfs(3). */
#include "vk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

/* abi::types::Stat. */
struct kernel_stat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, size, blocks, blksize;
    int64_t atime_ns, mtime_ns, ctime_ns, birth_ns;
    uint64_t reserved;
};
_Static_assert(sizeof(struct kernel_stat) == 104, "abi::types::Stat::SIZE");

static struct timespec time_of(int64_t ns) {
    int64_t s = ns / NS_PER_SEC, rest = ns % NS_PER_SEC;
    if (rest < 0)
        s--, rest += NS_PER_SEC;
    return (struct timespec){.tv_sec = s, .tv_nsec = (long)rest};
}

static int filled(int answer, const struct kernel_stat *k, struct stat *st) {
    if (vk_ret(answer) < 0)
        return -1;
    *st = (struct stat){
        .st_dev = k->dev,
        .st_ino = k->ino,
        .st_nlink = k->nlink,
        .st_mode = k->mode,
        .st_uid = k->uid,
        .st_gid = k->gid,
        .st_rdev = k->rdev,
        .st_size = (off_t)k->size,
        .st_blksize = (blksize_t)k->blksize,
        .st_blocks = (blkcnt_t)k->blocks,
        .st_atim = time_of(k->atime_ns),
        .st_mtim = time_of(k->mtime_ns),
        .st_ctim = time_of(k->ctime_ns),
    };
    return 0;
}

int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags) {
    struct kernel_stat k;
    return filled(vk_fstatat(__vk_dir(dir), path, VK_LEN(path), &k, __vk_at(flags)), &k, st);
}
int stat(const char *restrict path, struct stat *restrict st) {
    return fstatat(AT_FDCWD, path, st, 0);
}
int lstat(const char *restrict path, struct stat *restrict st) {
    return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}
int fstat(int fd, struct stat *st) {
    struct kernel_stat k;
    return filled(vk_fstat(fd, &k), &k, st);
}
int __wasilibc_stat(const char *restrict path, struct stat *restrict st, int flags) {
    return fstatat(AT_FDCWD, path, st, flags);
}

int fchmodat(int dir, const char *path, mode_t mode, int flags) {
    return vk_ret(vk_fchmodat(__vk_dir(dir), path, VK_LEN(path), mode, __vk_at(flags)));
}
int chmod(const char *path, mode_t mode) {
    return fchmodat(AT_FDCWD, path, mode, 0);
}
int lchmod(const char *path, mode_t mode) {
    return fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
}
int fchmod(int fd, mode_t mode) {
    return fchmodat(fd, "", mode, AT_EMPTY_PATH);
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags) {
    return vk_ret(vk_fchownat(__vk_dir(dir), path, VK_LEN(path), uid, gid, __vk_at(flags)));
}
int chown(const char *path, uid_t uid, gid_t gid) {
    return fchownat(AT_FDCWD, path, uid, gid, 0);
}
int lchown(const char *path, uid_t uid, gid_t gid) {
    return fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
int fchown(int fd, uid_t uid, gid_t gid) {
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

/* The kernel's own values for "now" and "leave it" (vfs::syscalls::sys_utimensat). */
static int kernel_time(const struct timespec *t, int64_t *ns) {
    if (t->tv_nsec == UTIME_NOW)
        *ns = INT64_MIN;
    else if (t->tv_nsec == UTIME_OMIT)
        *ns = INT64_MIN + 1;
    else if (t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SEC)
        return -EINVAL;
    else
        *ns = t->tv_sec * NS_PER_SEC + t->tv_nsec;
    return 0;
}

static int set_times(int dir, const char *path, const struct timespec ts[2], uint32_t flags) {
    int64_t ns[2] = {INT64_MIN, INT64_MIN};
    for (int i = 0; ts && i < 2; i++) {
        int wrong = kernel_time(&ts[i], &ns[i]);
        if (wrong)
            return vk_ret(wrong);
    }
    return vk_ret(vk_utimensat(dir, path, VK_LEN(path), ns, flags));
}

int utimensat(int dir, const char *path, const struct timespec ts[2], int flags) {
    return set_times(__vk_dir(dir), path, ts, __vk_at(flags));
}
int futimens(int fd, const struct timespec ts[2]) {
    return set_times(fd, "", ts, K_EMPTY_PATH);
}
int __wasilibc_utimens(const char *path, const struct timespec ts[2], int flags) {
    return utimensat(AT_FDCWD, path, ts, flags);
}

static int with_timevals(int dir, const char *path, const struct timeval tv[2], uint32_t flags) {
    struct timespec ts[2];
    for (int i = 0; tv && i < 2; i++) {
        if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
            return vk_ret(-EINVAL);
        ts[i] = (struct timespec){.tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * 1000};
    }
    return set_times(dir, path, tv ? ts : NULL, flags);
}
int utimes(const char *path, const struct timeval tv[2]) {
    return with_timevals(K_FDCWD, path, tv, 0);
}
int lutimes(const char *path, const struct timeval tv[2]) {
    return with_timevals(K_FDCWD, path, tv, K_SYMLINK_NOFOLLOW);
}
int futimes(int fd, const struct timeval tv[2]) {
    return with_timevals(fd, "", tv, K_EMPTY_PATH);
}
int futimesat(int dir, const char *path, const struct timeval tv[2]) {
    return with_timevals(__vk_dir(dir), path, tv, 0);
}
int utime(const char *path, const struct utimbuf *t) {
    struct timespec ts[2];
    if (t)
        ts[0] = (struct timespec){.tv_sec = t->actime}, ts[1] = (struct timespec){.tv_sec = t->modtime};
    return set_times(K_FDCWD, path, t ? ts : NULL, 0);
}

int fstatvfs(int fd, struct statvfs *out) {
    uint64_t k[5]; /* abi::types::Statvfs: bsize, blocks, bfree, files, ffree */
    if (vk_ret(vk_fstatvfs(fd, k)) < 0)
        return -1;
    *out = (struct statvfs){
        .f_bsize = (unsigned long)k[0],
        .f_frsize = (unsigned long)k[0],
        .f_blocks = k[1],
        .f_bfree = k[2],
        .f_bavail = k[2],
        .f_files = k[3],
        .f_ffree = k[4],
        .f_favail = k[4],
        .f_namemax = 255,
    };
    return 0;
}
int statvfs(const char *restrict path, struct statvfs *restrict out) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int done = fstatvfs(fd, out), saved = errno;
    close(fd);
    errno = saved;
    return done;
}
mode_t umask(mode_t mask) {
    return (mode_t)vk_umask(mask);
}
