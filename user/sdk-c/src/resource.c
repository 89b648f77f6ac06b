/* Limits and usage. */
#include "vk.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

int getrlimit(int which, struct rlimit *out) {
    uint64_t k[2];
    if (vk_ret(vk_getrlimit((uint32_t)which, k)) < 0)
        return -1;
    *out = (struct rlimit){k[0], k[1]};
    return 0;
}
int setrlimit(int which, const struct rlimit *in) {
    return vk_ret(vk_setrlimit((uint32_t)which, (uint64_t[]){in->rlim_cur, in->rlim_max}));
}

static struct timeval timeval(uint64_t ns) {
    return (struct timeval){.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_usec = (suseconds_t)(ns % NS_PER_SEC / 1000)};
}
int getrusage(int who, struct rusage *out) {
    uint64_t k[3]; /* abi::types::Rusage: user, system, peak memory */
    if (vk_ret(vk_getrusage(who, k)) < 0)
        return -1;
    *out = (struct rusage){.ru_utime = timeval(k[0]), .ru_stime = timeval(k[1]), .ru_maxrss = (long)(k[2] / 1024)};
    return 0;
}

int getpriority(int which, id_t who) {
    int answer = vk_ret(vk_getpriority((uint32_t)which, (int)who)); /* from 1 to 40 */
    return answer < 0 ? -1 : 20 - answer;
}
int setpriority(int which, id_t who, int nice) {
    return vk_ret(vk_setpriority((uint32_t)which, (int)who, nice));
}
int nice(int more) {
    int now = getpriority(PRIO_PROCESS, 0), want = now + more;
    want = want < PRIO_MIN ? PRIO_MIN : want > PRIO_MAX - 1 ? PRIO_MAX - 1 : want;
    if (setpriority(PRIO_PROCESS, 0, want) < 0) {
        errno = errno == EACCES ? EPERM : errno; /* nice(2) */
        return -1;
    }
    return want;
}
int getloadavg(double *averages, int count) {
    (void)averages, (void)count;
    return vk_enosys();
}
int getdtablesize(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > 0x7fffffff ? 0x7fffffff : (int)r.rlim_cur;
}
