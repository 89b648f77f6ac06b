/* utmp.h: login_tty(3) alone; there is no record of logins. */
#ifndef _UTMP_H
#define _UTMP_H
#ifdef __cplusplus
extern "C" {
#endif
int login_tty(int);
#ifdef __cplusplus
}
#endif
#endif
