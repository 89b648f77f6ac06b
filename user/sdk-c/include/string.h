/* string.h: WASI's, and the names of signals. */
#ifndef _VK_STRING_H
#define _VK_STRING_H
#include_next <string.h>
#ifdef __cplusplus
extern "C" {
#endif
char *strsignal(int);
#ifdef __cplusplus
}
#endif
#endif
