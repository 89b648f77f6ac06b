/* sys/stat.h: WASI's, and modes, which WASI lacks. */
#ifndef _VK_SYS_STAT_H
#define _VK_SYS_STAT_H
#define __NEED_mode_t
#define __NEED_dev_t
#include_next <sys/stat.h>
#include <bits/alltypes.h>
#ifdef __cplusplus
extern "C" {
#endif
int chmod(const char *, mode_t);
int fchmod(int, mode_t);
int lchmod(const char *, mode_t);
int fchmodat(int, const char *, mode_t, int);
mode_t umask(mode_t);
int mkfifo(const char *, mode_t);
int mkfifoat(int, const char *, mode_t);
int mknod(const char *, mode_t, dev_t);
int mknodat(int, const char *, mode_t, dev_t);
#define S_IREAD S_IRUSR
#define S_IWRITE S_IWUSR
#define S_IEXEC S_IXUSR
#define ACCESSPERMS 0777
#define ALLPERMS 07777
#define DEFFILEMODE 0666
#ifdef __cplusplus
}
#endif
#endif
