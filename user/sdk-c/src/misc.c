/* The system as a whole: uname(2), sysconf(3), random bytes; and small things of stdio. */
#include "vk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

int uname(struct utsname *u) {
    char buf[sizeof *u], *field[] = {u->sysname, u->nodename, u->release, u->version, u->machine};
    int len = vk_ret(vk_uname(buf, sizeof buf));
    if (len < 0)
        return -1;
    *u = (struct utsname){0};
    const char *at = buf;
    for (int i = 0; i < 5 && at < buf + len; i++) {
        strlcpy(field[i], at, sizeof u->sysname);
        at += strlen(at) + 1;
    }
    return 0;
}
int gethostname(char *buf, size_t size) {
    struct utsname u;
    if (uname(&u) < 0)
        return -1;
    return strlcpy(buf, u.nodename, size) < size ? 0 : vk_ret(-ENAMETOOLONG);
}
int sethostname(const char *name, size_t len) {
    (void)name, (void)len;
    return vk_enosys();
}

/* As proc_cpuinfo(5) lists them. */
static long processors(void) {
    char line[128];
    long count = 0;
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f)
        return 1;
    while (fgets(line, sizeof line, f))
        count += !strncmp(line, "processor\t", 10);
    fclose(f);
    return count > 0 ? count : 1;
}

long sysconf(int what) {
    switch (what) {
    case _SC_ARG_MAX:
        return 2 << 20;
    case _SC_CLK_TCK:
        return 100;
    case _SC_NGROUPS_MAX:
        return NGROUPS_MAX;
    case _SC_OPEN_MAX:
        return getdtablesize();
    case _SC_CHILD_MAX: {
        struct rlimit r;
        return getrlimit(RLIMIT_NPROC, &r) < 0 || r.rlim_cur > LONG_MAX ? -1 : (long)r.rlim_cur;
    }
    case _SC_PAGESIZE:
        return 65536;
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
        return processors();
    case _SC_JOB_CONTROL:
    case _SC_SAVED_IDS:
    case _SC_SHELL:
    case _SC_REGEXP:
        return 1;
    case _SC_VERSION:
    case _SC_2_VERSION:
    case _SC_SPAWN:
    case _SC_FSYNC:
    case _SC_MONOTONIC_CLOCK:
    case _SC_TIMERS:
        return _POSIX_VERSION;
    case _SC_DELAYTIMER_MAX:
        return DELAYTIMER_MAX;
    case _SC_IOV_MAX:
        return IOV_MAX;
    case _SC_LINE_MAX:
        return LINE_MAX;
    case _SC_HOST_NAME_MAX:
        return HOST_NAME_MAX;
    case _SC_LOGIN_NAME_MAX:
        return LOGIN_NAME_MAX;
    case _SC_TTY_NAME_MAX:
        return TTY_NAME_MAX;
    case _SC_SYMLOOP_MAX:
        return 40;
    case _SC_STREAM_MAX:
        return -1;
    case _SC_GETPW_R_SIZE_MAX:
    case _SC_GETGR_R_SIZE_MAX:
        return 4096;
    case _SC_TZNAME_MAX:
        return 6;
    case _SC_ATEXIT_MAX:
        return -1;
    case _SC_RE_DUP_MAX:
        return 255;
    default:
        errno = EINVAL;
        return -1;
    }
}

ssize_t getrandom(void *buf, size_t len, unsigned flags) {
    (void)flags;
    return vk_ret(vk_getrandom(buf, (uint32_t)len)) < 0 ? -1 : (ssize_t)len;
}

/* One thread: nobody to lock against. */
void flockfile(FILE *f) {
    (void)f;
}
int ftrylockfile(FILE *f) {
    (void)f;
    return 0;
}
void funlockfile(FILE *f) {
    (void)f;
}

/* For daemon(3): standard descriptors on /dev/null. */
int __vk_null_stdio(void) {
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(fd, i) < 0)
            return -1;
    return fd > 2 ? close(fd) : 0;
}

char *getpass(const char *prompt) {
    static char password[128];
    struct termios old, quiet;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    int tty = tcgetattr(fd, &old) == 0;
    if (tty) {
        quiet = old;
        quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)(ECHO | ISIG)) | ICANON;
        tcsetattr(fd, TCSAFLUSH, &quiet);
    }
    dprintf(fd, "%s", prompt);
    ssize_t len = read(fd, password, sizeof password - 1);
    if (tty)
        tcsetattr(fd, TCSAFLUSH, &old);
    dprintf(fd, "\n");
    close(fd);
    if (len < 0)
        return NULL;
    if (len > 0 && password[len - 1] == '\n')
        len--;
    password[len] = '\0';
    return password;
}
