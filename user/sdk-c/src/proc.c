/* Processes: who they are, fork(2), waiting, the end. */
#include "vk.h"

#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The loader makes a program that imports it carry its own stack: doc/man/man2/fork.2. */
VK_CALL(fork) int vk_fork(void);

void (*__vk_at_fork)(enum vk_fork);

pid_t _Fork(void) {
    return vk_ret(vk_fork());
}
pid_t fork(void) {
    if (!__vk_at_fork)
        return _Fork();
    __vk_at_fork(VK_FORK_BEFORE);
    pid_t pid = _Fork();
    int saved = errno;
    __vk_at_fork(pid == 0 ? VK_FORK_CHILD : VK_FORK_PARENT);
    errno = saved;
    return pid;
}
/* The parent isn't held and memory isn't shared: POSIX lets vfork be fork. */
pid_t vfork(void) {
    return fork();
}

pid_t getpid(void) {
    return vk_getpid();
}
pid_t gettid(void) {
    return vk_getpid();
}
pid_t getppid(void) {
    return vk_getppid();
}
pid_t getpgid(pid_t pid) {
    return vk_ret(vk_getpgid(pid));
}
pid_t getpgrp(void) {
    return vk_getpgid(0);
}
int setpgid(pid_t pid, pid_t pgid) {
    return vk_ret(vk_setpgid(pid, pgid));
}
pid_t setpgrp(void) {
    return setpgid(0, 0);
}
pid_t getsid(pid_t pid) {
    return vk_ret(vk_getsid(pid));
}
pid_t setsid(void) {
    return vk_ret(vk_setsid());
}

uid_t getuid(void) {
    return (uid_t)vk_getuid();
}
uid_t geteuid(void) {
    return (uid_t)vk_geteuid();
}
gid_t getgid(void) {
    return (gid_t)vk_getgid();
}
gid_t getegid(void) {
    return (gid_t)vk_getegid();
}
int issetugid(void) {
    return getuid() != geteuid() || getgid() != getegid();
}
int setuid(uid_t uid) {
    return vk_ret(vk_setuid(uid));
}
int seteuid(uid_t uid) {
    return vk_ret(vk_seteuid(uid));
}
int setgid(gid_t gid) {
    return vk_ret(vk_setgid(gid));
}
int setegid(gid_t gid) {
    return vk_ret(vk_setegid(gid));
}
int setreuid(uid_t real, uid_t effective) {
    return vk_ret(vk_setreuid(real, effective));
}
int setregid(gid_t real, gid_t effective) {
    return vk_ret(vk_setregid(real, effective));
}
int setresuid(uid_t real, uid_t effective, uid_t saved) {
    return vk_ret(vk_setresuid(real, effective, saved));
}
int setresgid(gid_t real, gid_t effective, gid_t saved) {
    return vk_ret(vk_setresgid(real, effective, saved));
}
int getresuid(uid_t *real, uid_t *effective, uid_t *saved) {
    return vk_ret(vk_getresuid(real, effective, saved));
}
int getresgid(gid_t *real, gid_t *effective, gid_t *saved) {
    return vk_ret(vk_getresgid(real, effective, saved));
}
int getgroups(int count, gid_t groups[]) {
    return count < 0 ? vk_ret(-EINVAL) : vk_ret(vk_getgroups((uint32_t)count, groups));
}
int setgroups(size_t count, const gid_t *groups) {
    return vk_ret(vk_setgroups((uint32_t)count, groups));
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) {
    uint64_t k[3]; /* abi::types::Rusage */
    pid_t who = vk_ret(vk_wait4(pid, status, (uint32_t)options, usage ? k : NULL));
    if (who > 0 && usage) {
        *usage = (struct rusage){
            .ru_utime = {.tv_sec = (time_t)(k[0] / NS_PER_SEC), .tv_usec = (suseconds_t)(k[0] % NS_PER_SEC / 1000)},
            .ru_stime = {.tv_sec = (time_t)(k[1] / NS_PER_SEC), .tv_usec = (suseconds_t)(k[1] % NS_PER_SEC / 1000)},
            .ru_maxrss = (long)(k[2] / 1024),
        };
    }
    return who;
}
pid_t wait3(int *status, int options, struct rusage *usage) {
    return wait4(-1, status, options, usage);
}
pid_t waitpid(pid_t pid, int *status, int options) {
    return vk_ret(vk_wait4(pid, status, (uint32_t)options, NULL));
}
pid_t wait(int *status) {
    return waitpid(-1, status, 0);
}

int waitid(idtype_t kind, id_t id, siginfo_t *info, int options) {
    int32_t k[8]; /* abi::types::Siginfo: signal, code, pid, uid, status */
    if (vk_ret(vk_waitid(kind, (int)id, k, (uint32_t)options, NULL)) < 0)
        return -1;
    if (info)
        *info = (siginfo_t){.si_signo = k[0], .si_code = k[1], .si_pid = k[2], .si_uid = (uid_t)k[3], .si_status = k[4]};
    return 0;
}

int daemon(int keep_directory, int keep_output) {
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid > 0)
        _exit(0);
    if (setsid() < 0 || (!keep_directory && chdir("/") < 0))
        return -1;
    return keep_output ? 0 : __vk_null_stdio();
}
