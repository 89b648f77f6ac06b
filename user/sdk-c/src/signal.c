/* Signals: masks, sending, waiting, timers. Actions are in sigaction.c, which brings the export for handlers with it. */
#include "vk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

VK_CALL(sigaction) int vk_sigaction(uint32_t signal, const void *act, void *old);
VK_CALL(sigprocmask) int vk_sigprocmask(uint32_t how, const void *set, void *old);
VK_CALL(sigtimedwait) int vk_sigtimedwait(const void *set, void *info, uint64_t timeout_ns);
VK_CALL(sigsuspend) int vk_sigsuspend(const void *mask);
VK_CALL(sigpending) int vk_sigpending(void *set);
VK_CALL(sigqueue) int vk_sigqueue(int pid, uint32_t signal, uint64_t value);
VK_CALL(setitimer) int vk_setitimer(uint32_t which, const void *new, void *old);
VK_CALL(getitimer) int vk_getitimer(uint32_t which, void *now);

/* The signals that are ignored, for posix_spawn. */
uint64_t __vk_ignored_set;
uint64_t __vk_ignored(void) {
    return __vk_ignored_set;
}

int sigaltstack(const stack_t *restrict new, stack_t *restrict old) {
    /* There is one stack, of which a handler has what is left. */
    if (old)
        *old = (stack_t){.ss_flags = SS_DISABLE};
    (void)new;
    return 0;
}

int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old) {
    return vk_ret(vk_sigprocmask((uint32_t)how, set, old));
}
int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old) {
    return -vk_sigprocmask((uint32_t)how, set, old);
}
static int one(int how, int signal) {
    sigset_t set = {0};
    return sigaddset(&set, signal) < 0 ? -1 : sigprocmask(how, &set, NULL);
}
int sighold(int signal) {
    return one(SIG_BLOCK, signal);
}
int sigrelse(int signal) {
    return one(SIG_UNBLOCK, signal);
}

int kill(pid_t pid, int signal) {
    return vk_ret(vk_kill(pid, (uint32_t)signal));
}
int killpg(pid_t group, int signal) {
    return group < 0 ? vk_ret(-EINVAL) : kill(-group, signal);
}
int raise(int signal) {
    return kill(getpid(), signal);
}
int pthread_kill(pthread_t thread, int signal) {
    (void)thread;
    return -vk_kill(vk_getpid(), (uint32_t)signal);
}
int sigqueue(pid_t pid, int signal, union sigval value) {
    return vk_ret(vk_sigqueue(pid, (uint32_t)signal, (uintptr_t)value.sival_ptr));
}
_Noreturn void abort(void) {
    raise(SIGABRT);
    /* It was ignored, held back or caught: POSIX wants the process to end all the same. */
    sigset_t set = {1ULL << (SIGABRT - 1)};
    static const uint32_t by_default[4];
    vk_sigaction(SIGABRT, by_default, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(SIGABRT);
    __builtin_trap();
}

int sigpending(sigset_t *set) {
    return vk_ret(vk_sigpending(set));
}
int sigsuspend(const sigset_t *set) {
    return vk_ret(vk_sigsuspend(set));
}
int pause(void) {
    sigset_t mask;
    return sigprocmask(SIG_BLOCK, NULL, &mask) < 0 ? -1 : sigsuspend(&mask);
}
int sigpause(int signal) {
    sigset_t mask;
    return sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigdelset(&mask, signal) < 0 ? -1 : sigsuspend(&mask);
}
/* What the kernel knows of a signal: abi::types::Siginfo. */
void __vk_siginfo_from(siginfo_t *info, const unsigned char *raw) {
    int words[6];
    uint64_t value;
    memcpy(words, raw, sizeof words);
    memcpy(&value, raw + 24, sizeof value);
    *info = (siginfo_t){.si_signo = words[0], .si_code = words[1], .si_pid = words[2], .si_uid = (uid_t)words[3],
                        .si_status = words[4], .si_addr = (void *)(uintptr_t)value,
                        .si_value.sival_ptr = (void *)(uintptr_t)value};
    if (info->si_code == SI_TIMER) {
        info->si_timerid = words[2], info->si_overrun = words[3];
        info->si_pid = 0, info->si_uid = 0;
    }
}
int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info, const struct timespec *restrict t) {
    uint64_t ns = t ? (uint64_t)(t->tv_sec * NS_PER_SEC + t->tv_nsec) : UINT64_MAX;
    unsigned char raw[32];
    int signal = vk_ret(vk_sigtimedwait(set, raw, ns));
    if (signal > 0 && info)
        __vk_siginfo_from(info, raw);
    return signal;
}
int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info) {
    return sigtimedwait(set, info, NULL);
}
int sigwait(const sigset_t *restrict set, int *restrict signal) {
    int got;
    do
        got = vk_sigtimedwait(set, NULL, UINT64_MAX);
    while (got == -EINTR);
    if (got < 0)
        return -got;
    *signal = got;
    return 0;
}

static void to_timer(struct itimerval *to, const uint64_t ns[2]) {
    /* What is left is never told as nothing. */
    uint64_t us = (ns[0] + 999) / 1000;
    to->it_value = (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    to->it_interval = (struct timeval){(time_t)(ns[1] / NS_PER_SEC), (suseconds_t)(ns[1] % NS_PER_SEC / 1000)};
}
static uint64_t to_ns(const struct timeval *t) {
    return (uint64_t)t->tv_sec * NS_PER_SEC + (uint64_t)t->tv_usec * 1000;
}
int getitimer(int which, struct itimerval *now) {
    uint64_t ns[2];
    if (vk_ret(vk_getitimer((uint32_t)which, ns)) < 0)
        return -1;
    to_timer(now, ns);
    return 0;
}
int setitimer(int which, const struct itimerval *restrict new, struct itimerval *restrict old) {
    if (new->it_value.tv_usec < 0 || new->it_value.tv_usec > 999999 || new->it_value.tv_sec < 0 ||
        new->it_interval.tv_usec < 0 || new->it_interval.tv_usec > 999999 || new->it_interval.tv_sec < 0)
        return vk_ret(-EINVAL);
    uint64_t ns[2] = {to_ns(&new->it_value), to_ns(&new->it_interval)}, was[2];
    if (vk_ret(vk_setitimer((uint32_t)which, ns, was)) < 0)
        return -1;
    if (old)
        to_timer(old, was);
    return 0;
}
unsigned ualarm(unsigned us, unsigned interval) {
    struct itimerval new = {{interval / 1000000, interval % 1000000}, {us / 1000000, us % 1000000}}, old;
    if (setitimer(ITIMER_REAL, &new, &old) < 0)
        return 0;
    return (unsigned)(old.it_value.tv_sec * 1000000 + old.it_value.tv_usec);
}
unsigned alarm(unsigned seconds) {
    struct itimerval new = {.it_value = {.tv_sec = seconds}}, old = {0};
    setitimer(ITIMER_REAL, &new, &old);
    return (unsigned)old.it_value.tv_sec + (old.it_value.tv_usec != 0);
}
