/*
 * Signals: actions, masks, sending and waiting.
 *
 * The kernel knows whether a signal has its default action, is ignored or is caught; there are no
 * handlers yet, so that setting one is ENOSYS.
 */
#include "vk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

VK_CALL(sigaction) int vk_sigaction(uint32_t signal, uint32_t disposition);
VK_CALL(sigprocmask) int vk_sigprocmask(uint32_t how, const void *set, void *old);
VK_CALL(sigtimedwait) int vk_sigtimedwait(const void *set, uint64_t timeout_ns);

static uint64_t ignored;
uint64_t __vk_ignored(void) {
    return ignored;
}

int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old) {
    if (signal <= 0 || signal >= NSIG)
        return vk_ret(-EINVAL);
    if (old)
        *old = (struct sigaction){.sa_handler = ignored >> signal & 1 ? SIG_IGN : SIG_DFL};
    if (!new)
        return 0;
    if (new->sa_handler != SIG_DFL && new->sa_handler != SIG_IGN)
        return vk_enosys();
    int ignore = new->sa_handler == SIG_IGN;
    if (vk_ret(vk_sigaction((uint32_t)signal, (uint32_t)ignore)) < 0)
        return -1;
    ignored = (ignored & ~(1ULL << signal)) | (uint64_t)ignore << signal;
    return 0;
}
void (*signal(int signal, void (*handler)(int)))(int) {
    struct sigaction new = {.sa_handler = handler, .sa_flags = (int)SA_RESTART}, old;
    return sigaction(signal, &new, &old) < 0 ? SIG_ERR : old.sa_handler;
}
int siginterrupt(int signal, int on) {
    struct sigaction a;
    if (sigaction(signal, NULL, &a) < 0)
        return -1;
    a.sa_flags = on ? a.sa_flags & ~SA_RESTART : a.sa_flags | SA_RESTART;
    return sigaction(signal, &a, NULL);
}
int sigignore(int signal) {
    return sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}
int sigaltstack(const stack_t *restrict new, stack_t *restrict old) {
    (void)new, (void)old;
    return vk_enosys();
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
    (void)pid, (void)signal, (void)value;
    return vk_enosys();
}
_Noreturn void abort(void) {
    raise(SIGABRT);
    /* It was ignored, held back or caught: POSIX wants the process to end all the same. */
    sigset_t set = {1ULL << SIGABRT};
    sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(SIGABRT);
    __builtin_trap();
}

int sigpending(sigset_t *set) {
    (void)set;
    return vk_enosys();
}
int sigsuspend(const sigset_t *set) {
    (void)set;
    return vk_enosys();
}
int pause(void) {
    return vk_enosys();
}
int sigpause(int signal) {
    (void)signal;
    return vk_enosys();
}
int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info, const struct timespec *restrict t) {
    uint64_t ns = t ? (uint64_t)(t->tv_sec * NS_PER_SEC + t->tv_nsec) : UINT64_MAX;
    int signal = vk_ret(vk_sigtimedwait(set, ns));
    if (signal > 0 && info)
        *info = (siginfo_t){.si_signo = signal};
    return signal;
}
int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info) {
    return sigtimedwait(set, info, NULL);
}
int sigwait(const sigset_t *restrict set, int *restrict signal) {
    int got;
    do
        got = vk_sigtimedwait(set, UINT64_MAX);
    while (got == -EINTR);
    if (got < 0)
        return -got;
    *signal = got;
    return 0;
}

int getitimer(int which, struct itimerval *now) {
    (void)which, (void)now;
    return vk_enosys();
}
int setitimer(int which, const struct itimerval *restrict new, struct itimerval *restrict old) {
    (void)which, (void)new, (void)old;
    return vk_enosys();
}
unsigned ualarm(unsigned us, unsigned interval) {
    struct itimerval new = {{interval / 1000000, interval % 1000000}, {us / 1000000, us % 1000000}}, old;
    if (setitimer(ITIMER_REAL, &new, &old) < 0)
        return 0;
    return (unsigned)(old.it_value.tv_sec * 1000000 + old.it_value.tv_usec);
}
/* POSIX gives alarm no way to fail; without timers it would have to lie. */
unsigned alarm(unsigned seconds) {
    struct itimerval new = {.it_value = {.tv_sec = seconds}}, old = {0};
    setitimer(ITIMER_REAL, &new, &old);
    return (unsigned)old.it_value.tv_sec + (old.it_value.tv_usec != 0);
}
