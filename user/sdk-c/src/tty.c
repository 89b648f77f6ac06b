/* Terminals: termios(3), window sizes, process groups, pairs of terminals. */
#include "vk.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

_Static_assert(sizeof(struct termios) == 60, "abi::types::termios::SIZE");

int tcgetattr(int fd, struct termios *t) {
    return ioctl(fd, TCGETS, t);
}
int tcsetattr(int fd, int when, const struct termios *t) {
    if (when < TCSANOW || when > TCSAFLUSH)
        return vk_ret(-EINVAL);
    return ioctl(fd, TCSETS + when, t);
}
int tcdrain(int fd) {
    return ioctl(fd, TCSBRK, 1);
}
int tcsendbreak(int fd, int duration) {
    (void)duration;
    return ioctl(fd, TCSBRK, 0);
}
int tcflush(int fd, int queue) {
    return ioctl(fd, TCFLSH, queue);
}
int tcflow(int fd, int action) {
    return ioctl(fd, TCXONC, action);
}
pid_t tcgetpgrp(int fd) {
    pid_t pgid;
    return ioctl(fd, TIOCGPGRP, &pgid) < 0 ? -1 : pgid;
}
int tcsetpgrp(int fd, pid_t pgid) {
    return ioctl(fd, TIOCSPGRP, &pgid);
}
pid_t tcgetsid(int fd) {
    pid_t sid;
    return ioctl(fd, TIOCGSID, &sid) < 0 ? -1 : sid;
}

speed_t cfgetospeed(const struct termios *t) {
    return t->c_cflag & CBAUD;
}
speed_t cfgetispeed(const struct termios *t) {
    return cfgetospeed(t);
}
int cfsetospeed(struct termios *t, speed_t speed) {
    if (speed & ~(speed_t)CBAUD)
        return vk_ret(-EINVAL);
    t->c_cflag = (t->c_cflag & ~(tcflag_t)CBAUD) | speed;
    return 0;
}
int cfsetispeed(struct termios *t, speed_t speed) {
    return speed ? cfsetospeed(t, speed) : 0;
}
int cfsetspeed(struct termios *t, speed_t speed) {
    return cfsetospeed(t, speed);
}
void cfmakeraw(struct termios *t) {
    t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_oflag &= ~(tcflag_t)OPOST;
    t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    t->c_cflag |= CS8;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

int __isatty(int fd) {
    struct winsize size;
    int answer = vk_ioctl(fd, TIOCGWINSZ, &size);
    if (answer >= 0)
        return 1;
    errno = answer == -EBADF ? EBADF : ENOTTY;
    return 0;
}
int isatty(int fd) {
    return __isatty(fd);
}

/* The first of the kernel's terminals with this device number. */
static int find_tty(const struct stat *want, char *buf, size_t size) {
    static const char *const plain[] = {"/dev/console", "/dev/tty1"};
    struct stat st;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (stat(plain[i], &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == want->st_rdev)
            return strlcpy(buf, plain[i], size) < size ? 0 : ERANGE;
    }
    for (int i = 0; i < 1024; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, i & 1 ? "/dev/pts/%d" : "/dev/tty%d", i / 2);
        if (stat(name, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == want->st_rdev)
            return strlcpy(buf, name, size) == (size_t)len && (size_t)len < size ? 0 : ERANGE;
    }
    return ENODEV;
}
int ttyname_r(int fd, char *buf, size_t size) {
    struct stat st;
    int saved = errno;
    if (!isatty(fd) || fstat(fd, &st) < 0)
        return errno;
    int wrong = find_tty(&st, buf, size);
    errno = saved;
    return wrong;
}
char *ttyname(int fd) {
    static char name[32];
    int wrong = ttyname_r(fd, name, sizeof name);
    if (!wrong)
        return name;
    errno = wrong;
    return NULL;
}
char *ctermid(char *buf) {
    static char name[L_ctermid];
    return strcpy(buf ? buf : name, "/dev/tty");
}

int posix_openpt(int flags) {
    return open("/dev/ptmx", flags);
}
int grantpt(int fd) {
    unsigned unit;
    return ioctl(fd, TIOCGPTN, &unit);
}
int unlockpt(int fd) {
    int unlock = 0;
    return ioctl(fd, TIOCSPTLCK, &unlock);
}
int ptsname_r(int fd, char *buf, size_t size) {
    unsigned unit;
    if (ioctl(fd, TIOCGPTN, &unit) < 0)
        return errno;
    return (size_t)snprintf(buf, size, "/dev/pts/%u", unit) < size ? 0 : ERANGE;
}
char *ptsname(int fd) {
    static char name[24];
    int wrong = ptsname_r(fd, name, sizeof name);
    if (!wrong)
        return name;
    errno = wrong;
    return NULL;
}
int openpty(int *master, int *slave, char *name, const struct termios *t, const struct winsize *size) {
    char buf[24];
    int m = posix_openpt(O_RDWR | O_NOCTTY);
    if (m < 0)
        return -1;
    int wrong = grantpt(m) < 0 || unlockpt(m) < 0 ? errno : ptsname_r(m, buf, sizeof buf);
    int s = wrong ? -1 : open(buf, O_RDWR | O_NOCTTY);
    if (s < 0) {
        wrong = wrong ? wrong : errno;
        close(m);
        errno = wrong;
        return -1;
    }
    if (t)
        tcsetattr(s, TCSANOW, t);
    if (size)
        ioctl(s, TIOCSWINSZ, size);
    if (name)
        strcpy(name, buf);
    *master = m, *slave = s;
    return 0;
}
int login_tty(int fd) {
    setsid();
    if (ioctl(fd, TIOCSCTTY, 0) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(fd, i) < 0)
            return -1;
    if (fd > 2)
        close(fd);
    return 0;
}
int forkpty(int *master, char *name, const struct termios *t, const struct winsize *size) {
    int m, s;
    if (openpty(&m, &s, name, t, size) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(m);
        if (login_tty(s) < 0)
            _exit(1);
        return 0;
    }
    int saved = errno;
    close(s);
    if (pid < 0) {
        close(m);
        errno = saved;
        return -1;
    }
    *master = m;
    return pid;
}
