/* Scheduling: the one policy there is, SCHED_OTHER, whose one priority is 0. Nice values are in resource.c. */
#include "vk.h"

#include <sched.h>

static int is_known(int policy) {
    return policy >= SCHED_OTHER && policy <= SCHED_BATCH ? 0 : -EINVAL;
}
/* A process that is there. */
static int find(pid_t pid) {
    return pid < 0 ? -EINVAL : vk_getpgid(pid) < 0 ? -ESRCH : 0;
}
int sched_get_priority_max(int policy) {
    int wrong = is_known(policy);
    return wrong ? vk_ret(wrong) : policy == SCHED_FIFO || policy == SCHED_RR ? 99 : 0;
}
int sched_get_priority_min(int policy) {
    int wrong = is_known(policy);
    return wrong ? vk_ret(wrong) : policy == SCHED_FIFO || policy == SCHED_RR ? 1 : 0;
}
int sched_getscheduler(pid_t pid) {
    int wrong = find(pid);
    return wrong ? vk_ret(wrong) : SCHED_OTHER;
}
int sched_getparam(pid_t pid, struct sched_param *p) {
    p->sched_priority = 0;
    return vk_ret(find(pid));
}
int sched_setscheduler(pid_t pid, int policy, const struct sched_param *p) {
    int wrong = is_known(policy) ? -EINVAL : policy != SCHED_OTHER ? -EPERM : p->sched_priority ? -EINVAL : find(pid);
    return vk_ret(wrong);
}
int sched_setparam(pid_t pid, const struct sched_param *p) {
    return sched_setscheduler(pid, SCHED_OTHER, p);
}
