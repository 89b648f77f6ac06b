/* Attributes and file actions of posix_spawn(3). Actions are kept as the kernel's request has them. */
#include "vk.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>

int posix_spawnattr_init(posix_spawnattr_t *a) {
    *a = (posix_spawnattr_t){0};
    return 0;
}
int posix_spawnattr_destroy(posix_spawnattr_t *a) {
    (void)a;
    return 0;
}
int posix_spawnattr_setflags(posix_spawnattr_t *a, short flags) {
    a->__flags = flags;
    return 0;
}
int posix_spawnattr_getflags(const posix_spawnattr_t *restrict a, short *restrict flags) {
    *flags = (short)a->__flags;
    return 0;
}
int posix_spawnattr_setpgroup(posix_spawnattr_t *a, pid_t pgroup) {
    a->__pgroup = pgroup;
    return 0;
}
int posix_spawnattr_getpgroup(const posix_spawnattr_t *restrict a, pid_t *restrict pgroup) {
    *pgroup = a->__pgroup;
    return 0;
}
int posix_spawnattr_setsigmask(posix_spawnattr_t *restrict a, const sigset_t *restrict mask) {
    a->__mask = *mask;
    return 0;
}
int posix_spawnattr_getsigmask(const posix_spawnattr_t *restrict a, sigset_t *restrict mask) {
    *mask = a->__mask;
    return 0;
}
int posix_spawnattr_setsigdefault(posix_spawnattr_t *restrict a, const sigset_t *restrict set) {
    a->__default = *set;
    return 0;
}
int posix_spawnattr_getsigdefault(const posix_spawnattr_t *restrict a, sigset_t *restrict set) {
    *set = a->__default;
    return 0;
}
int posix_spawnattr_setschedparam(posix_spawnattr_t *restrict a, const struct sched_param *restrict p) {
    a->__priority = p->sched_priority;
    return 0;
}
int posix_spawnattr_getschedparam(const posix_spawnattr_t *restrict a, struct sched_param *restrict p) {
    p->sched_priority = a->__priority;
    return 0;
}
int posix_spawnattr_setschedpolicy(posix_spawnattr_t *a, int policy) {
    a->__policy = policy;
    return 0;
}
int posix_spawnattr_getschedpolicy(const posix_spawnattr_t *restrict a, int *restrict policy) {
    *policy = a->__policy;
    return 0;
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *f) {
    *f = (posix_spawn_file_actions_t){0};
    return 0;
}
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *f) {
    free(f->__bytes);
    *f = (posix_spawn_file_actions_t){0};
    return 0;
}

/* abi::types::spawn: the kind, its words, and for some a path. */
enum { OPEN = 1, CLOSE, DUP2, CHDIR, FCHDIR, TCSETPGRP };

static int add(posix_spawn_file_actions_t *f, const uint32_t *words, size_t count, const char *path) {
    size_t len = path ? strlen(path) : 0, size = 4 * count + (path ? 4 + len : 0);
    if (f->__used + size > f->__room) {
        size_t room = (f->__used + size) * 2;
        unsigned char *bytes = realloc(f->__bytes, room);
        if (!bytes)
            return ENOMEM;
        f->__bytes = bytes, f->__room = room;
    }
    memcpy(f->__bytes + f->__used, words, 4 * count);
    if (path) {
        memcpy(f->__bytes + f->__used + 4 * count, &(uint32_t){(uint32_t)len}, 4);
        memcpy(f->__bytes + f->__used + 4 * count + 4, path, len);
    }
    f->__used += size;
    f->__count++;
    return 0;
}
#define WORDS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict f, int fd, const char *restrict path,
                                     int flags, mode_t mode) {
    return fd < 0 ? EBADF : add(f, WORDS(OPEN, (uint32_t)fd, __vk_oflags(flags), mode), path);
}
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *f, int fd) {
    return fd < 0 ? EBADF : add(f, WORDS(CLOSE, (uint32_t)fd), NULL);
}
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *f, int from, int to) {
    return from < 0 || to < 0 ? EBADF : add(f, WORDS(DUP2, (uint32_t)from, (uint32_t)to), NULL);
}
int posix_spawn_file_actions_addchdir(posix_spawn_file_actions_t *restrict f, const char *restrict path) {
    return add(f, WORDS(CHDIR), path);
}
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *restrict f, const char *restrict path) {
    return posix_spawn_file_actions_addchdir(f, path);
}
int posix_spawn_file_actions_addfchdir(posix_spawn_file_actions_t *f, int fd) {
    return fd < 0 ? EBADF : add(f, WORDS(FCHDIR, (uint32_t)fd), NULL);
}
int posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *f, int fd) {
    return posix_spawn_file_actions_addfchdir(f, fd);
}
int posix_spawn_file_actions_addtcsetpgrp_np(posix_spawn_file_actions_t *f, int fd) {
    return fd < 0 ? EBADF : add(f, WORDS(TCSETPGRP, (uint32_t)fd), NULL);
}
