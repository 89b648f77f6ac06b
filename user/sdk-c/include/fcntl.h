/* fcntl.h: WASI's values where it has them (its library was compiled with them), ours beside them. */
#ifndef _VK_FCNTL_H
#define _VK_FCNTL_H
#define __NEED_pid_t
#define __NEED_off_t
#define __NEED_mode_t
#include_next <fcntl.h>
#ifdef __cplusplus
extern "C" {
#endif
#undef O_CLOEXEC
#undef O_NOCTTY
#undef AT_EACCESS
#undef O_PATH
#define O_CLOEXEC 0x00100000
#define O_NOCTTY 0x00200000
#define O_PATH 0x00400000
#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif
#ifndef O_NDELAY
#define O_NDELAY O_NONBLOCK
#endif
#define AT_EACCESS 0x10
#undef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x20

#define F_DUPFD 0
#undef F_DUPFD_CLOEXEC
#define F_DUPFD_CLOEXEC 1030
#undef F_SETPIPE_SZ
#undef F_GETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#define F_SETOWN 8
#define F_GETOWN 9
#undef F_RDLCK
#undef F_WRLCK
#undef F_UNLCK
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#ifdef __cplusplus
}
#endif
#endif
