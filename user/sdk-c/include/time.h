/* time.h: WASI's, with the clocks of CPU time, timers and POSIX's unit of clock(). */
#ifndef _VK_TIME_H
#define _VK_TIME_H
#ifndef _WASI_EMULATED_PROCESS_CLOCKS
#define _WASI_EMULATED_PROCESS_CLOCKS /* so that WASI's header declares clock() */
#endif
#define __NEED_pid_t
#define __NEED_timer_t
#include_next <time.h>
#include <bits/alltypes.h>
#ifdef __cplusplus
extern "C" {
#endif
#undef CLOCKS_PER_SEC
#define CLOCKS_PER_SEC 1000000L
extern const struct __clockid _CLOCK_PROCESS_CPUTIME_ID;
extern const struct __clockid _CLOCK_THREAD_CPUTIME_ID;
#undef CLOCK_PROCESS_CPUTIME_ID
#undef CLOCK_THREAD_CPUTIME_ID
#define CLOCK_PROCESS_CPUTIME_ID (&_CLOCK_PROCESS_CPUTIME_ID)
#define CLOCK_THREAD_CPUTIME_ID (&_CLOCK_THREAD_CPUTIME_ID)
extern int daylight;
extern long timezone;
extern char *tzname[2];
void tzset(void);
int clock_settime(clockid_t, const struct timespec *);
int clock_getcpuclockid(pid_t, clockid_t *);
struct sigevent;
int timer_create(clockid_t, struct sigevent *__restrict, timer_t *__restrict);
int timer_delete(timer_t);
int timer_settime(timer_t, int, const struct itimerspec *__restrict, struct itimerspec *__restrict);
int timer_gettime(timer_t, struct itimerspec *);
int timer_getoverrun(timer_t);
#ifdef __cplusplus
}
#endif
#endif
