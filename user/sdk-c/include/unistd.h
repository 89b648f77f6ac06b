/* unistd.h: WASI's, and what it lacks of POSIX. */
#ifndef _VK_UNISTD_H
#define _VK_UNISTD_H
#ifndef _WASI_EMULATED_GETPID
#define _WASI_EMULATED_GETPID /* so that WASI's header says nothing about getpid */
#endif
#define __NEED_size_t
#define __NEED_ssize_t
#define __NEED_uid_t
#define __NEED_gid_t
#define __NEED_off_t
#define __NEED_pid_t
#define __NEED_useconds_t
#include_next <unistd.h>
#undef lseek
#ifdef __cplusplus
extern "C" {
#endif
#define _POSIX_JOB_CONTROL 1
#define _POSIX_SAVED_IDS 1
#define _POSIX_SHELL 1
#define _POSIX_SPAWN 200809L

extern char **environ;

pid_t fork(void);
pid_t _Fork(void);
pid_t vfork(void);
int execve(const char *, char *const[], char *const[]);
int execv(const char *, char *const[]);
int execvp(const char *, char *const[]);
int execvpe(const char *, char *const[], char *const[]);
int execl(const char *, const char *, ...);
int execle(const char *, const char *, ...);
int execlp(const char *, const char *, ...);
int fexecve(int, char *const[], char *const[]);

pid_t getpid(void);
pid_t getppid(void);
pid_t gettid(void);
pid_t getpgrp(void);
pid_t getpgid(pid_t);
int setpgid(pid_t, pid_t);
pid_t setpgrp(void);
pid_t setsid(void);
pid_t getsid(pid_t);
pid_t tcgetpgrp(int);
int tcsetpgrp(int, pid_t);
pid_t tcgetsid(int);
int daemon(int, int);

uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);
int setuid(uid_t);
int seteuid(uid_t);
int setgid(gid_t);
int setegid(gid_t);
int setreuid(uid_t, uid_t);
int setregid(gid_t, gid_t);
int setresuid(uid_t, uid_t, uid_t);
int setresgid(gid_t, gid_t, gid_t);
int getresuid(uid_t *, uid_t *, uid_t *);
int getresgid(gid_t *, gid_t *, gid_t *);
int getgroups(int, gid_t[]);
int setgroups(size_t, const gid_t *);
int issetugid(void);

int pipe(int[2]);
int pipe2(int[2], int);
int dup(int);
int dup2(int, int);
int dup3(int, int, int);
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
int close_range(unsigned, unsigned, int);
void closefrom(int);
ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned);
void sync(void);
int syncfs(int);
#undef F_ULOCK
#undef F_LOCK
#undef F_TLOCK
#undef F_TEST
#define F_ULOCK 0
#define F_LOCK 1
#define F_TLOCK 2
#define F_TEST 3
int lockf(int, int, off_t);

int chown(const char *, uid_t, gid_t);
int lchown(const char *, uid_t, gid_t);
int fchown(int, uid_t, gid_t);
int fchownat(int, const char *, uid_t, gid_t, int);
int fchdir(int);
int chroot(const char *);
char *get_current_dir_name(void);
char *getwd(char *);
int eaccess(const char *, int);
int euidaccess(const char *, int);

unsigned alarm(unsigned);
unsigned ualarm(unsigned, unsigned);
int pause(void);
int nice(int);
int getdtablesize(void);
int getpagesize(void);
int usleep(unsigned);

char *ttyname(int);
int ttyname_r(int, char *, size_t);
char *getlogin(void);
int getlogin_r(char *, size_t);
char *getpass(const char *);
int sethostname(const char *, size_t);
int gethostname(char *, size_t);
#define L_cuserid 20
#ifdef __cplusplus
}
#endif
#endif
