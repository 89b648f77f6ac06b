/* Of threads what one thread can have: C11's locks and keys, settings of POSIX's, and what fork(2) calls. */
#include "vk.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

int thrd_create(thrd_t *thread, thrd_start_t start, void *arg) {
    (void)thread, (void)start, (void)arg;
    return thrd_error;
}
/* The last thread's end is the process's. */
_Noreturn void thrd_exit(int result) {
    (void)result;
    exit(0);
}
int thrd_join(thrd_t thread, int *result) {
    (void)thread, (void)result;
    return thrd_error;
}
void thrd_yield(void) {
    sched_yield();
}
void call_once(once_flag *flag, void (*f)(void)) {
    if (!*flag) {
        *flag = 1;
        f();
    }
}
/* How often it is locked, and its type. Who waits for a lock that it holds, or for itself, would wait for ever. */
int mtx_init(mtx_t *m, int type) {
    m->__u.__i[0] = 0, m->__u.__i[1] = type;
    return thrd_success;
}
void mtx_destroy(mtx_t *m) {
    (void)m;
}
int mtx_trylock(mtx_t *m) {
    if (m->__u.__i[0] && !(m->__u.__i[1] & mtx_recursive))
        return thrd_busy;
    m->__u.__i[0]++;
    return thrd_success;
}
int mtx_lock(mtx_t *m) {
    return mtx_trylock(m) == thrd_success ? thrd_success : thrd_error;
}
static int sleep_until(const struct timespec *until) {
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, until, NULL) == 0 ? thrd_timedout : thrd_error;
}
int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict until) {
    return mtx_trylock(m) == thrd_success ? thrd_success : sleep_until(until);
}
int mtx_unlock(mtx_t *m) {
    if (!m->__u.__i[0])
        return thrd_error;
    m->__u.__i[0]--;
    return thrd_success;
}
int cnd_init(cnd_t *c) {
    (void)c;
    return thrd_success;
}
void cnd_destroy(cnd_t *c) {
    (void)c;
}
int cnd_signal(cnd_t *c) {
    (void)c;
    return thrd_success;
}
int cnd_broadcast(cnd_t *c) {
    (void)c;
    return thrd_success;
}
int cnd_wait(cnd_t *c, mtx_t *m) {
    (void)c, (void)m;
    return thrd_error;
}
int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict until) {
    (void)c, (void)m;
    return sleep_until(until);
}
int tss_create(tss_t *key, tss_dtor_t destroy) {
    return pthread_key_create((pthread_key_t *)key, destroy) == 0 ? thrd_success : thrd_error;
}
void tss_delete(tss_t key) {
    pthread_key_delete((pthread_key_t)key);
}
int tss_set(tss_t key, void *value) {
    return pthread_setspecific((pthread_key_t)key, value) == 0 ? thrd_success : thrd_nomem;
}

_Noreturn void pthread_exit(void *result) {
    (void)result;
    exit(0);
}
int pthread_getschedparam(pthread_t thread, int *restrict policy, struct sched_param *restrict p) {
    (void)thread;
    *policy = SCHED_OTHER;
    *p = (struct sched_param){0};
    return 0;
}
int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *p) {
    (void)thread;
    return sched_setscheduler(0, policy, p) < 0 ? errno : 0;
}
static int concurrency;
int pthread_getconcurrency(void) {
    return concurrency;
}
int pthread_setconcurrency(int level) {
    if (level < 0)
        return EINVAL;
    concurrency = level;
    return 0;
}

/* Newest first: POSIX has `prepare` called in that order, the others in the other. */
struct handlers {
    struct handlers *older, *newer;
    void (*prepare)(void), (*parent)(void), (*child)(void);
};
static struct handlers *newest, *oldest;

static void at_fork(enum vk_fork when) {
    if (when == VK_FORK_BEFORE) {
        for (struct handlers *h = newest; h; h = h->older)
            if (h->prepare)
                h->prepare();
        return;
    }
    for (struct handlers *h = oldest; h; h = h->newer) {
        void (*f)(void) = when == VK_FORK_CHILD ? h->child : h->parent;
        if (f)
            f();
    }
}
int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    struct handlers *h = malloc(sizeof *h);
    if (!h)
        return ENOMEM;
    *h = (struct handlers){newest, NULL, prepare, parent, child};
    if (newest)
        newest->newer = h;
    else
        oldest = h;
    newest = h;
    __vk_at_fork = at_fork;
    return 0;
}
