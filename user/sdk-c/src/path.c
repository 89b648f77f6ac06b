/*
 * Opening and naming files: open(2) and everything *at(2).
 *
 * WASI's library finds paths by way of directories that it was given ("preopens") and keeps a working
 * directory of its own. None of that is used here: a path goes to the kernel as it is, relative to the
 * process's own directory. All functions that members of libc.a would pull that machinery in for are
 * defined here, under their internal names, too.
 */
#include "vk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int __vk_dir(int dir) {
    return dir == AT_FDCWD ? K_FDCWD : dir;
}

uint32_t __vk_at(int flags) {
    return (flags & AT_SYMLINK_NOFOLLOW ? K_SYMLINK_NOFOLLOW : 0) | (flags & AT_SYMLINK_FOLLOW ? K_SYMLINK_FOLLOW : 0) |
           (flags & AT_REMOVEDIR ? K_REMOVEDIR : 0) | (flags & AT_EACCESS ? K_EACCESS : 0) |
           (flags & AT_EMPTY_PATH ? K_EMPTY_PATH : 0);
}

/* Pairs of the C library's bits and the kernel's. */
static const struct {
    uint32_t here, there;
} OFLAGS[] = {
    {O_APPEND, 02000},      {O_DSYNC, 010000},      {O_NONBLOCK, 04000},  {O_SYNC, 04010000},   {O_CREAT, 0100},
    {O_DIRECTORY, 0200000}, {O_EXCL, 0200},         {O_TRUNC, 01000},     {O_NOFOLLOW, 0400000}, {O_CLOEXEC, K_CLOEXEC},
    {O_NOCTTY, 0400},       {O_PATH, 010000000},
};
#define PAIRS (sizeof OFLAGS / sizeof OFLAGS[0])

uint32_t __vk_oflags(int flags) {
    uint32_t f = (uint32_t)flags;
    uint32_t out = 0;
    if ((f & O_RDWR) == O_RDWR)
        out = 2;
    else if (f & O_WRONLY)
        out = 1;
    else if (f & (O_EXEC | O_SEARCH))
        out = 010000000; /* A place to start from; POSIX asks no more of either. */
    for (size_t i = 0; i < PAIRS; i++)
        if ((f & OFLAGS[i].here) == OFLAGS[i].here)
            out |= OFLAGS[i].there;
    return out;
}

int __vk_oflags_back(uint32_t flags) {
    uint32_t out = (flags & 3) == 2 ? O_RDWR : (flags & 3) == 1 ? O_WRONLY : O_RDONLY;
    for (size_t i = 0; i < PAIRS; i++)
        if ((flags & OFLAGS[i].there) == OFLAGS[i].there)
            out |= OFLAGS[i].here;
    return (int)out;
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    return vk_ret(vk_openat(__vk_dir(dir), path, VK_LEN(path), __vk_oflags(flags), mode));
}

int open(const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_at(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* fopen(3) and truncate(2) of libc.a open with these. */
int __wasilibc_open_nomode(const char *path, int flags) {
    return open_at(AT_FDCWD, path, flags, 0666);
}
int __wasilibc_nocwd_openat_nomode(int dir, const char *path, int flags) {
    return open_at(dir, path, flags, 0666);
}
int __wasilibc_openat_nomode(int dir, const char *path, int flags) {
    return open_at(dir, path, flags, 0666);
}

int faccessat(int dir, const char *path, int mode, int flags) {
    return vk_ret(vk_faccessat(__vk_dir(dir), path, VK_LEN(path), (uint32_t)mode, __vk_at(flags)));
}
int access(const char *path, int mode) {
    return faccessat(AT_FDCWD, path, mode, 0);
}
int eaccess(const char *path, int mode) {
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}
int euidaccess(const char *path, int mode) {
    return eaccess(path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode) {
    return vk_ret(vk_mkdirat(__vk_dir(dir), path, VK_LEN(path), mode));
}
int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}
int mknodat(int dir, const char *path, mode_t mode, dev_t dev) {
    return vk_ret(vk_mknodat(__vk_dir(dir), path, VK_LEN(path), mode, dev));
}
int mknod(const char *path, mode_t mode, dev_t dev) {
    return mknodat(AT_FDCWD, path, mode, dev);
}
int mkfifoat(int dir, const char *path, mode_t mode) {
    return mknodat(dir, path, (mode & 07777) | S_IFIFO, 0);
}
int mkfifo(const char *path, mode_t mode) {
    return mkfifoat(AT_FDCWD, path, mode);
}

int unlinkat(int dir, const char *path, int flags) {
    return vk_ret(vk_unlinkat(__vk_dir(dir), path, VK_LEN(path), __vk_at(flags)));
}
int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
int remove(const char *path) {
    int saved = errno;
    if (unlink(path) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    errno = saved;
    return rmdir(path);
}
int __wasilibc_unlinkat(int dir, const char *path) {
    return unlinkat(dir, path, 0);
}
int __wasilibc_rmdirat(int dir, const char *path) {
    return unlinkat(dir, path, AT_REMOVEDIR);
}

int renameat(int from, const char *old, int to, const char *path) {
    return vk_ret(vk_renameat(__vk_dir(from), old, VK_LEN(old), __vk_dir(to), path, VK_LEN(path), 0));
}
int rename(const char *old, const char *path) {
    return renameat(AT_FDCWD, old, AT_FDCWD, path);
}
int linkat(int from, const char *old, int to, const char *path, int flags) {
    return vk_ret(vk_linkat(__vk_dir(from), old, VK_LEN(old), __vk_dir(to), path, VK_LEN(path), __vk_at(flags)));
}
int link(const char *old, const char *path) {
    return linkat(AT_FDCWD, old, AT_FDCWD, path, 0);
}
int symlinkat(const char *target, int dir, const char *path) {
    return vk_ret(vk_symlinkat(target, VK_LEN(target), __vk_dir(dir), path, VK_LEN(path)));
}
int symlink(const char *target, const char *path) {
    return symlinkat(target, AT_FDCWD, path);
}
ssize_t readlinkat(int dir, const char *restrict path, char *restrict buf, size_t size) {
    return vk_ret(vk_readlinkat(__vk_dir(dir), path, VK_LEN(path), buf, size));
}
ssize_t readlink(const char *restrict path, char *restrict buf, size_t size) {
    return readlinkat(AT_FDCWD, path, buf, size);
}

DIR *opendirat(int dir, const char *path) {
    int fd = open_at(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    DIR *d = fdopendir(fd);
    if (!d)
        close(fd);
    return d;
}
DIR *opendir(const char *path) {
    return opendirat(AT_FDCWD, path);
}

static int scan_into(DIR *d, struct dirent ***list, int (*select)(const struct dirent *)) {
    struct dirent **all = NULL, *e;
    size_t count = 0, room = 0;
    while ((errno = 0, e = readdir(d))) {
        if (select && !select(e))
            continue;
        if (count == room) {
            struct dirent **more = realloc(all, (room = room * 2 + 16) * sizeof *all);
            if (!more)
                goto fail;
            all = more;
        }
        size_t size = offsetof(struct dirent, d_name) + strlen(e->d_name) + 1;
        if (!(all[count] = malloc(size)))
            goto fail;
        memcpy(all[count++], e, size);
    }
    if (errno == 0) {
        *list = all;
        return (int)count;
    }
fail:
    while (count)
        free(all[--count]);
    free(all);
    return -1;
}

typedef int (*dirent_order)(const struct dirent **, const struct dirent **);

int scandirat(int dir, const char *path, struct dirent ***list, int (*select)(const struct dirent *),
              dirent_order order) {
    int saved = errno;
    DIR *d = opendirat(dir, path);
    if (!d)
        return -1;
    int count = scan_into(d, list, select);
    closedir(d);
    if (count < 0)
        return -1;
    if (order)
        qsort(*list, (size_t)count, sizeof **list, (int (*)(const void *, const void *))order);
    errno = saved;
    return count;
}
int scandir(const char *path, struct dirent ***list, int (*select)(const struct dirent *), dirent_order order) {
    return scandirat(AT_FDCWD, path, list, select, order);
}
