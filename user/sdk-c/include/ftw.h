/* ftw.h: WASI's, and ftw(3). */
#ifndef _VK_FTW_H
#define _VK_FTW_H
#include_next <ftw.h>
#ifdef __cplusplus
extern "C" {
#endif
int ftw(const char *, int (*)(const char *, const struct stat *, int), int);
#ifdef __cplusplus
}
#endif
#endif
