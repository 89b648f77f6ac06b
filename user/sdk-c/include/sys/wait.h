/* sys/wait.h: waiting for children. */
#ifndef _SYS_WAIT_H
#define _SYS_WAIT_H
#include <__vk_wait.h>
#define __NEED_pid_t
#define __NEED_id_t
#define __NEED_uid_t
#include <bits/alltypes.h>
#include <signal.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef enum { P_ALL = 0, P_PID = 1, P_PGID = 2 } idtype_t;
#define WEXITED 4
#define WSTOPPED 2
#define WNOWAIT 0x1000000
struct rusage;
pid_t wait(int *);
pid_t waitpid(pid_t, int *, int);
pid_t wait3(int *, int, struct rusage *);
pid_t wait4(pid_t, int *, int, struct rusage *);
int waitid(idtype_t, id_t, siginfo_t *, int);
#ifdef __cplusplus
}
#endif
#endif
