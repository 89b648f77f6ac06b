/* Timers: timer_create(2) and its like. A timer_t is the kernel's number. */
#include "vk.h"

#include <limits.h>
#include <signal.h>
#include <time.h>

VK_CALL(timer_create) int vk_timer_create(uint32_t clock, uint32_t notify, uint32_t signal, uint64_t value);
VK_CALL(timer_settime) int vk_timer_settime(int timer, uint32_t flags, const void *new, void *old);
VK_CALL(timer_gettime) int vk_timer_gettime(int timer, void *now);
VK_CALL(timer_getoverrun) int vk_timer_getoverrun(int timer);
VK_CALL(timer_delete) int vk_timer_delete(int timer);

/* abi::types::timer: the timer's number is its value. */
#define NUMBERED 0x100

/* As time.c has it. */
struct __clockid {
    uint32_t id;
};

static int number(timer_t timer) {
    return (int)(intptr_t)timer;
}

int timer_create(clockid_t clock, struct sigevent *restrict event, timer_t *restrict timer) {
    uint32_t notify = event ? (uint32_t)event->sigev_notify : NUMBERED | SIGEV_SIGNAL;
    if (notify == SIGEV_THREAD) /* There is one thread. */
        return vk_ret(-ENOTSUP);
    uint32_t signal = event ? (uint32_t)event->sigev_signo : SIGALRM;
    uint64_t value = event ? (uintptr_t)event->sigev_value.sival_ptr : 0;
    int answer = vk_ret(vk_timer_create(clock->id, notify, signal, value));
    if (answer < 0)
        return -1;
    *timer = (timer_t)(intptr_t)answer;
    return 0;
}

/* A time as the kernel has it, or -1. What is too far away never comes. */
static int64_t to_ns(const struct timespec *t) {
    const int64_t far = 1LL << 62;
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SEC)
        return -1;
    return t->tv_sec >= far / NS_PER_SEC ? far : t->tv_sec * NS_PER_SEC + t->tv_nsec;
}
static struct timespec from_ns(uint64_t ns) {
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC)};
}
int __vk_timer_in(int64_t ns[2], const struct itimerspec *t) {
    ns[0] = to_ns(&t->it_value), ns[1] = to_ns(&t->it_interval);
    return ns[0] < 0 || ns[1] < 0 ? vk_ret(-EINVAL) : 0;
}
void __vk_timer_out(struct itimerspec *t, const uint64_t ns[2]) {
    if (t)
        *t = (struct itimerspec){.it_value = from_ns(ns[0]), .it_interval = from_ns(ns[1])};
}

int timer_settime(timer_t timer, int flags, const struct itimerspec *restrict new, struct itimerspec *restrict old) {
    int64_t ns[2];
    uint64_t was[2];
    if (__vk_timer_in(ns, new) < 0 || vk_ret(vk_timer_settime(number(timer), (uint32_t)flags, ns, was)) < 0)
        return -1;
    __vk_timer_out(old, was);
    return 0;
}
int timer_gettime(timer_t timer, struct itimerspec *now) {
    uint64_t ns[2];
    if (vk_ret(vk_timer_gettime(number(timer), ns)) < 0)
        return -1;
    __vk_timer_out(now, ns);
    return 0;
}
int timer_getoverrun(timer_t timer) {
    return vk_ret(vk_timer_getoverrun(number(timer)));
}
int timer_delete(timer_t timer) {
    return vk_ret(vk_timer_delete(number(timer)));
}
