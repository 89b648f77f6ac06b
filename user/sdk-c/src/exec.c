/*
 * Other programs: the exec family and posix_spawn(3). Both send the kernel one request, laid out as
 * abi::types::spawn says.
 */
#include "vk.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <wasi/libc-environ.h>

/* abi::types::spawn */
enum {
    SEARCH_PATH = 1,
    SETPGROUP = 2,
    SETSID = 4,
    RESETIDS = 8,
    SETMASK = 64,
    SETDEF = 128,
};
static char *put_u32(char *to, uint32_t value) {
    memcpy(to, &value, 4);
    return to + 4;
}
static char *put_string(char *to, const char *s) {
    uint32_t len = VK_LEN(s);
    memcpy(put_u32(to, len), s, len);
    return to + 4 + len;
}
static size_t list_size(char *const list[]) {
    size_t size = 4;
    for (; *list; list++)
        size += 4 + strlen(*list);
    return size;
}
static char *put_list(char *to, char *const list[]) {
    uint32_t count = 0;
    while (list[count])
        count++;
    to = put_u32(to, count);
    for (; *list; list++)
        to = put_string(to, *list);
    return to;
}

struct request {
    uint32_t flags;
    pid_t pgroup;
    uint64_t mask, defaults;
    const posix_spawn_file_actions_t *actions;
};

/* Sends it by one of the two calls; answers as that does. */
static int send(int (*call)(const void *, uint32_t), const char *path, char *const argv[], char *const envp[],
                struct request r) {
    static char *const nothing[] = {NULL};
    argv = argv ? argv : nothing, envp = envp ? envp : nothing;
    size_t tail = r.actions ? r.actions->__used : 0;
    size_t size = 8 + 16 + 4 + strlen(path) + list_size(argv) + list_size(envp) + 4 + tail;
    char *buf = malloc(size);
    if (!buf)
        return -ENOMEM;
    char *at = put_u32(put_u32(buf, r.flags), (uint32_t)r.pgroup);
    if (r.flags & SETMASK)
        memcpy(at, &r.mask, 8), at += 8;
    if (r.flags & SETDEF)
        memcpy(at, &r.defaults, 8), at += 8;
    at = put_list(put_list(put_string(at, path), argv), envp);
    at = put_u32(at, r.actions ? r.actions->__count : 0);
    if (tail)
        memcpy(at, r.actions->__bytes, tail);
    int answer = call(buf, (uint32_t)(at + tail - buf));
    free(buf);
    return answer;
}

/* Where a program without a path is looked for; the kernel would take the PATH of the new environment. */
static const char *search_path(void) {
    const char *path = getenv("PATH");
    return path ? path : "/bin:/usr/bin";
}

/*
 * Calls `run` with each place where `file` may be, until it answers anything but "not here".
 * EACCES is kept: POSIX says it if nothing else was found.
 */
static int in_path(const char *file, int (*run)(const char *, void *), void *arg) {
    if (!*file)
        return -ENOENT;
    if (strchr(file, '/'))
        return run(file, arg);
    char name[PATH_MAX];
    int answer = -ENOENT, denied = 0;
    for (const char *p = search_path(), *end; p; p = *end ? end + 1 : NULL) {
        end = strchrnul(p, ':');
        size_t dir = (size_t)(end - p), len = strlen(file);
        if (dir + len + 2 > sizeof name)
            continue;
        memcpy(name, p, dir);
        if (dir)
            name[dir++] = '/';
        memcpy(name + dir, file, len + 1);
        answer = run(name, arg);
        if (answer == -EACCES)
            denied = 1;
        else if (answer != -ENOENT && answer != -ENOTDIR)
            return answer;
    }
    return denied ? -EACCES : -ENOENT;
}

int execve(const char *path, char *const argv[], char *const envp[]) {
    return vk_ret(send(vk_exec, path, argv, envp, (struct request){0}));
}
int execv(const char *path, char *const argv[]) {
    return execve(path, argv, __wasilibc_get_environ());
}
int fexecve(int fd, char *const argv[], char *const envp[]) {
    (void)fd, (void)argv, (void)envp;
    return vk_enosys();
}

struct exec {
    char *const *argv, *const *envp;
};

/* execvp(3): what is no program and has no `#!` is a script of the shell's. */
static int as_script(const char *path, const struct exec *e) {
    size_t argc = 0;
    while (e->argv[argc])
        argc++;
    char **argv = malloc((argc + 3) * sizeof *argv);
    if (!argv)
        return -ENOMEM;
    argv[0] = "sh", argv[1] = (char *)path;
    for (size_t i = 1; i <= argc; i++)
        argv[i + 1] = e->argv[i];
    if (argc == 0)
        argv[2] = NULL;
    int answer = send(vk_exec, "/bin/sh", argv, e->envp, (struct request){0});
    free(argv);
    return answer;
}
static int try_exec(const char *path, void *arg) {
    const struct exec *e = arg;
    int answer = send(vk_exec, path, e->argv, e->envp, (struct request){0});
    return answer == -ENOEXEC ? as_script(path, e) : answer;
}
int execvpe(const char *file, char *const argv[], char *const envp[]) {
    return vk_ret(in_path(file, try_exec, &(struct exec){argv, envp}));
}
int execvp(const char *file, char *const argv[]) {
    return execvpe(file, argv, __wasilibc_get_environ());
}

/* The arguments of execl and its kin as a vector on the caller's stack. */
#define ARGUMENTS(argv, first, ap)                                 \
    size_t argc = 1;                                               \
    va_start(ap, first);                                           \
    while (va_arg(ap, const char *))                               \
        argc++;                                                    \
    va_end(ap);                                                    \
    char *argv[argc + 1];                                          \
    argv[0] = (char *)first;                                       \
    va_start(ap, first);                                           \
    for (size_t i = 1; i <= argc; i++)                             \
        argv[i] = va_arg(ap, char *)

int execl(const char *path, const char *arg, ...) {
    va_list ap;
    ARGUMENTS(argv, arg, ap);
    va_end(ap);
    return execv(path, argv);
}
int execle(const char *path, const char *arg, ...) {
    va_list ap;
    ARGUMENTS(argv, arg, ap);
    char *const *envp = va_arg(ap, char *const *);
    va_end(ap);
    return execve(path, argv, envp);
}
int execlp(const char *file, const char *arg, ...) {
    va_list ap;
    ARGUMENTS(argv, arg, ap);
    va_end(ap);
    return execvp(file, argv);
}

static int flags_of(const posix_spawnattr_t *a, struct request *r) {
    if (!a)
        return 0;
    /* There is one policy, whose one priority is 0: what sched_setparam(2) says of SCHED_OTHER. */
    if (a->__flags & POSIX_SPAWN_SETSCHEDULER && a->__policy != SCHED_OTHER)
        return EPERM;
    if (a->__flags & (POSIX_SPAWN_SETSCHEDPARAM | POSIX_SPAWN_SETSCHEDULER) && a->__priority != 0)
        return EINVAL;
    r->flags |= (a->__flags & POSIX_SPAWN_SETPGROUP ? SETPGROUP : 0) | (a->__flags & POSIX_SPAWN_SETSID ? SETSID : 0) |
                (a->__flags & POSIX_SPAWN_RESETIDS ? RESETIDS : 0) |
                (a->__flags & POSIX_SPAWN_SETSIGMASK ? SETMASK : 0) | (a->__flags & POSIX_SPAWN_SETSIGDEF ? SETDEF : 0);
    r->pgroup = a->__pgroup, r->mask = a->__mask.__bits, r->defaults = a->__default.__bits;
    return 0;
}

struct spawn {
    struct request request;
    struct exec exec;
};
static int try_spawn(const char *path, void *arg) {
    const struct spawn *s = arg;
    return send(vk_spawn, path, s->exec.argv, s->exec.envp, s->request);
}
static int spawn(pid_t *pid, const char *path, struct spawn s, const posix_spawnattr_t *attr, int search) {
    int wrong = flags_of(attr, &s.request);
    if (wrong)
        return wrong;
    int answer = search ? in_path(path, try_spawn, &s) : try_spawn(path, &s);
    if (answer < 0)
        return -answer;
    if (pid)
        *pid = answer;
    return 0;
}
int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[]) {
    return spawn(pid, path, (struct spawn){{.actions = actions}, {argv, envp}}, attr, 0);
}
int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[]) {
    return spawn(pid, file, (struct spawn){{.actions = actions}, {argv, envp}}, attr, 1);
}
