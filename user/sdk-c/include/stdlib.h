/* stdlib.h: WASI's, and what it lacks of POSIX. */
#ifndef _VK_STDLIB_H
#define _VK_STDLIB_H
#include_next <stdlib.h>
#include <__vk_wait.h>
#ifdef __cplusplus
extern "C" {
#endif
int system(const char *);
int mkstemp(char *);
int mkstemps(char *, int);
int mkostemp(char *, int);
int mkostemps(char *, int, int);
char *mkdtemp(char *);
char *mktemp(char *);
int posix_openpt(int);
int grantpt(int);
int unlockpt(int);
char *ptsname(int);
int ptsname_r(int, char *, size_t);
int getloadavg(double *, int);
#ifdef __cplusplus
}
#endif
#endif
