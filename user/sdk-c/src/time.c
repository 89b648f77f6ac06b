/* Clocks and sleeping. */
#include "vk.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

/* As libc.a has it: a clock is the address of its number. */
struct __clockid {
    uint32_t id;
};
const struct __clockid _CLOCK_PROCESS_CPUTIME_ID = {2};
const struct __clockid _CLOCK_THREAD_CPUTIME_ID = {3};

static int64_t now(uint32_t clock) {
    uint64_t ns = 0;
    vk_clock_gettime(clock, &ns);
    return (int64_t)ns;
}

/* clock_nanosleep(2) answers an error number. What is left is counted on the clock that was slept by. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left) {
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SEC || flags & ~TIMER_ABSTIME)
        return EINVAL;
    int64_t ns = t->tv_sec > INT64_MAX / NS_PER_SEC - 1 ? INT64_MAX : t->tv_sec * NS_PER_SEC + t->tv_nsec;
    int64_t end = flags || !left ? 0 : now(clock->id) + ns;
    int answer = vk_clock_nanosleep(clock->id, (uint32_t)flags, (uint64_t)ns);
    if (answer == -EINTR && left && !flags) {
        int64_t rest = end - now(clock->id);
        rest = rest < 0 ? 0 : rest;
        *left = (struct timespec){.tv_sec = rest / NS_PER_SEC, .tv_nsec = (long)(rest % NS_PER_SEC)};
    }
    return -answer;
}
int __clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left) {
    return clock_nanosleep(clock, flags, t, left);
}
int nanosleep(const struct timespec *t, struct timespec *left) {
    return vk_ret(-clock_nanosleep(CLOCK_REALTIME, 0, t, left));
}
unsigned sleep(unsigned seconds) {
    struct timespec t = {.tv_sec = seconds};
    if (nanosleep(&t, &t) == 0)
        return 0;
    return (unsigned)t.tv_sec + (t.tv_nsec != 0);
}
int usleep(unsigned us) {
    return nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

int clock_settime(clockid_t clock, const struct timespec *t) {
    (void)clock, (void)t;
    return vk_enosys();
}
int settimeofday(const struct timeval *tv, const void *zone) {
    (void)tv, (void)zone;
    return vk_enosys();
}
int clock_getcpuclockid(pid_t pid, clockid_t *clock) {
    if (pid != 0 && pid != getpid())
        return ENOSYS;
    *clock = CLOCK_PROCESS_CPUTIME_ID;
    return 0;
}
clock_t clock(void) {
    return now(2) / (NS_PER_SEC / CLOCKS_PER_SEC);
}

/* sysconf(_SC_CLK_TCK) is 100. */
#define TICK_NS (NS_PER_SEC / 100)
clock_t times(struct tms *t) {
    uint64_t self[3], children[3];
    if (t) {
        if (vk_ret(vk_getrusage(RUSAGE_SELF, self)) < 0 || vk_ret(vk_getrusage(RUSAGE_CHILDREN, children)) < 0)
            return -1;
        *t = (struct tms){(clock_t)(self[0] / TICK_NS), (clock_t)(self[1] / TICK_NS), (clock_t)(children[0] / TICK_NS),
                          (clock_t)(children[1] / TICK_NS)};
    }
    return now(1) / TICK_NS;
}

/* libc.a knows UTC alone. */
int daylight;
long timezone;
char *tzname[2] = {"UTC", "UTC"};
void tzset(void) {
}
