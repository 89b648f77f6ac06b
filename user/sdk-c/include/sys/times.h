/* sys/times.h: CPU times in ticks of sysconf(_SC_CLK_TCK). */
#ifndef _SYS_TIMES_H
#define _SYS_TIMES_H
#include <__struct_tms.h>
#ifdef __cplusplus
extern "C" {
#endif
clock_t times(struct tms *);
#ifdef __cplusplus
}
#endif
#endif
