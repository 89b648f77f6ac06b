/* dirent.h: WASI's, and readdir_r(3). */
#ifndef _VK_DIRENT_H
#define _VK_DIRENT_H
#include_next <dirent.h>
#ifdef __cplusplus
extern "C" {
#endif
int readdir_r(DIR *__restrict, struct dirent *__restrict, struct dirent **__restrict);
#ifdef __cplusplus
}
#endif
#endif
