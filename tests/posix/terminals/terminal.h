/* For tests that drive a terminal from its other end. */
#ifndef TERMINAL_H
#define TERMINAL_H
#include "../test.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <utmp.h>

/* The pair of a test. */
static int m = -1, s = -1;

static void done(void) {
    if (m >= 0)
        close(m);
    if (s >= 0)
        close(s);
    m = s = -1;
}
/* A new pair, with these flags on and those off. */
__attribute__((unused)) static int fresh(tcflag_t on, tcflag_t off) {
    struct termios t;
    done();
    if (openpty(&m, &s, NULL, NULL, NULL) < 0 || tcgetattr(s, &t) < 0)
        return 0;
    t.c_lflag = (t.c_lflag | on) & ~off;
    return tcsetattr(s, TCSANOW, &t) == 0;
}
__attribute__((unused)) static int set_cc(int which, int value) {
    struct termios t;
    if (tcgetattr(s, &t) < 0)
        return 0;
    t.c_cc[which] = (cc_t)value;
    return tcsetattr(s, TCSANOW, &t) == 0;
}
__attribute__((unused)) static int set_io(tcflag_t iflag, tcflag_t oflag) {
    struct termios t;
    if (tcgetattr(s, &t) < 0)
        return 0;
    t.c_iflag = iflag, t.c_oflag = oflag;
    return tcsetattr(s, TCSANOW, &t) == 0;
}
/* Bytes without echo and signals, VMIN and VTIME. */
__attribute__((unused)) static int raw(int min, int time) {
    return fresh(0, ICANON | ECHO | ISIG) && set_cc(VMIN, min) && set_cc(VTIME, time);
}
__attribute__((unused)) static int type(const char *keys) {
    return write(m, keys, strlen(keys)) == (ssize_t)strlen(keys);
}
/* True when that comes from a descriptor, and no more for the moment; says what came otherwise. */
__attribute__((unused)) static int comes(int fd, const char *want) {
    static char text[512];
    size_t have = 0, len = strlen(want);
    struct pollfd p = {fd, POLLIN, 0};
    while (have < sizeof text - 1 && poll(&p, 1, have < len ? 3000 : 30) == 1 && p.revents & POLLIN) {
        ssize_t n = read(fd, text + have, sizeof text - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    text[have] = '\0';
    if (have == len && memcmp(text, want, len) == 0)
        return 1;
    printf("# wanted");
    for (size_t i = 0; i < len; i++)
        printf(" %02x", (unsigned char)want[i]);
    printf(", have");
    for (size_t i = 0; i < have; i++)
        printf(" %02x", (unsigned char)text[i]);
    printf("\n");
    return 0;
}
/* Some time for a system that passes keys on later. */
__attribute__((unused)) static void pause_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* In a child: what must be so, or it exits with the line's number. */
#define MUST(what)                 \
    do {                           \
        if (!(what))               \
            _exit(__LINE__ & 255); \
    } while (0)
/* The child's exit status, or 1000 + its signal. */
__attribute__((unused)) static int end_of(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static volatile sig_atomic_t caught;
__attribute__((unused)) static void catcher(int signal) {
    caught = signal;
}
/* The signal is caught and ends calls with EINTR. */
__attribute__((unused)) static void catch_signal(int signal) {
    struct sigaction a = {.sa_flags = 0};
    a.sa_handler = catcher;
    sigemptyset(&a.sa_mask);
    sigaction(signal, &a, NULL);
    caught = 0;
}
#endif
