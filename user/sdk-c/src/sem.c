/*
 * Semaphores of one process: sem_overview(7). There is one thread, so whoever waits is woken by a handler of a
 * signal or by nobody; signals are held between the look and the sleep. Named ones would be shared: ENOSYS.
 */
#include "vk.h"

#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

int sem_init(sem_t *s, int shared, unsigned value) {
    if (value > SEM_VALUE_MAX)
        return vk_ret(-EINVAL);
    if (shared)
        return vk_enosys();
    s->__val[0] = (int)value;
    return 0;
}
int sem_destroy(sem_t *s) {
    (void)s;
    return 0;
}
int sem_getvalue(sem_t *restrict s, int *restrict value) {
    *value = s->__val[0];
    return 0;
}
/* Also from a handler: an addition that a signal comes into the middle of would lose one. */
int sem_post(sem_t *s) {
    if (__atomic_load_n(&s->__val[0], __ATOMIC_SEQ_CST) == SEM_VALUE_MAX)
        return vk_ret(-EOVERFLOW);
    __atomic_add_fetch(&s->__val[0], 1, __ATOMIC_SEQ_CST);
    return 0;
}
int sem_trywait(sem_t *s) {
    int value = __atomic_load_n(&s->__val[0], __ATOMIC_SEQ_CST);
    while (value > 0)
        if (__atomic_compare_exchange_n(&s->__val[0], &value, value - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return 0;
    return vk_ret(-EAGAIN);
}

/* A handler without SA_RESTART ends the wait with EINTR; which it was can't be seen, so all do. */
static int wait_until(sem_t *s, const struct timespec *until) {
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    int answer = sem_trywait(s), wrong = 0;
    if (answer < 0) {
        struct timespec now, left, *limit = NULL;
        if (until) {
            clock_gettime(CLOCK_REALTIME, &now);
            long long ns = (until->tv_sec - now.tv_sec) * NS_PER_SEC + until->tv_nsec - now.tv_nsec;
            ns = ns < 0 ? 0 : ns;
            left = (struct timespec){.tv_sec = ns / NS_PER_SEC, .tv_nsec = (long)(ns % NS_PER_SEC)};
            limit = &left;
        }
        wrong = ppoll(NULL, 0, limit, &old) == 0 ? ETIMEDOUT : errno;
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (answer < 0 && sem_trywait(s) < 0)
        return vk_ret(-wrong);
    return 0;
}
int sem_wait(sem_t *s) {
    return wait_until(s, NULL);
}
int sem_timedwait(sem_t *restrict s, const struct timespec *restrict until) {
    if (sem_trywait(s) == 0)
        return 0;
    if (until->tv_nsec < 0 || until->tv_nsec >= NS_PER_SEC)
        return vk_ret(-EINVAL);
    return wait_until(s, until);
}

sem_t *sem_open(const char *name, int flags, ...) {
    (void)name, (void)flags;
    vk_enosys();
    return SEM_FAILED;
}
int sem_close(sem_t *s) {
    (void)s;
    return vk_ret(-EINVAL);
}
int sem_unlink(const char *name) {
    (void)name;
    return vk_enosys();
}
