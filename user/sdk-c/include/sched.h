/* sched.h: WASI's, and the one policy there is. */
#ifndef _VK_SCHED_H
#define _VK_SCHED_H
#include_next <sched.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef SCHED_OTHER
#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5
int sched_get_priority_max(int);
int sched_get_priority_min(int);
int sched_getscheduler(pid_t);
int sched_getparam(pid_t, struct sched_param *);
int sched_setscheduler(pid_t, int, const struct sched_param *);
int sched_setparam(pid_t, const struct sched_param *);
int sched_rr_get_interval(pid_t, struct timespec *);
#endif
#ifdef __cplusplus
}
#endif
#endif
