/* Job control: POSIX 11.1.4, tcsetpgrp(3), and the keys that send signals. */
#include "terminal.h"

/* A child in a group of its own, in the foreground or not, does this and exits. */
static pid_t job(int foreground, int (*what)(void)) {
    int pipes[2];
    char b;
    MUST(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        close(pipes[1]);
        MUST(read(pipes[0], &b, 1) == 0);
        _exit(what());
    }
    setpgid(pid, pid);
    if (foreground)
        MUST(tcsetpgrp(0, pid) == 0);
    close(pipes[0]), close(pipes[1]);
    return pid;
}
static int stops_with(pid_t pid) {
    int status;
    return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}
/* The shell: takes the terminal back, though it is in the background. */
static void take_back(void) {
    signal(SIGTTOU, SIG_IGN);
    MUST(tcsetpgrp(0, getpgrp()) == 0);
    signal(SIGTTOU, SIG_DFL);
}
static int reads(void) {
    char b[8];
    return read(0, b, sizeof b) == 2 ? 0 : 1;
}
static int writes(void) {
    return write(1, "job", 3) == 3 ? 0 : errno;
}
static int changes(void) {
    struct termios t;
    return tcgetattr(0, &t) == 0 && tcsetattr(0, TCSANOW, &t) == 0 ? 0 : errno;
}
static int waits(void) {
    MUST(write(1, "w", 1) == 1);
    for (;;)
        pause();
}
static int ignores(void) {
    char b;
    signal(SIGTTIN, SIG_IGN);
    return read(0, &b, 1) == -1 ? errno : 0;
}

/* The test is a session's leader on a new terminal; `typed` is what is typed when it has said `!`. */
static int session(void (*leader)(void), const char *typed) {
    done();
    pid_t pid = forkpty(&m, NULL, NULL, NULL);
    if (pid == 0) {
        leader();
        _exit(0);
    }
    if (typed) {
        char b = 0;
        while (b != '!' && read(m, &b, 1) == 1)
            ;
        type(typed);
    }
    char b[64];
    while (read(m, b, sizeof b) > 0)
        ;
    return end_of(pid);
}

static void background_reader_continues(void) {
    pid_t pid = job(0, reads);
    MUST(stops_with(pid) == SIGTTIN);
    MUST(write(1, "!", 1) == 1 && tcsetpgrp(0, pid) == 0 && kill(-pid, SIGCONT) == 0 && end_of(pid) == 0);
}
TEST(a_reader_in_the_background_is_stopped_until_it_has_the_terminal) {
    SAME(session(background_reader_continues, "x\n"), 0);
}
static void deaf_reader(void) {
    MUST(end_of(job(0, ignores)) == EIO);
}
TEST(who_ignores_SIGTTIN_gets_an_error) {
    SAME(session(deaf_reader, NULL), 0);
}
static void writer_in_the_background(void) {
    struct termios t;
    MUST(end_of(job(0, writes)) == 0);
    MUST(tcgetattr(0, &t) == 0);
    t.c_lflag |= TOSTOP;
    MUST(tcsetattr(0, TCSANOW, &t) == 0);
    pid_t pid = job(0, writes);
    MUST(stops_with(pid) == SIGTTOU);
    t.c_lflag &= ~(tcflag_t)TOSTOP;
    MUST(tcsetattr(0, TCSANOW, &t) == 0 && kill(-pid, SIGCONT) == 0 && end_of(pid) == 0);
}
TEST(a_writer_in_the_background_is_stopped_with_TOSTOP) {
    SAME(session(writer_in_the_background, NULL), 0);
}
static void setter_in_the_background(void) {
    pid_t pid = job(0, changes);
    MUST(stops_with(pid) == SIGTTOU);
    MUST(kill(-pid, SIGKILL) == 0 && end_of(pid) == 1000 + SIGKILL);
}
TEST(settings_in_the_background_stop) {
    SAME(session(setter_in_the_background, NULL), 0);
}
static void interrupted(void) {
    pid_t pid = job(1, waits);
    MUST(write(1, "!", 1) == 1 && end_of(pid) == 1000 + SIGINT);
    take_back();
}
TEST(the_interrupt_key_ends_the_foreground) {
    SAME(session(interrupted, "\003"), 0);
}
static void quit(void) {
    pid_t pid = job(1, waits);
    MUST(write(1, "!", 1) == 1 && end_of(pid) == 1000 + SIGQUIT);
}
TEST(the_quit_key_ends_the_foreground) {
    SAME(session(quit, "\034"), 0);
}
static void suspended(void) {
    pid_t pid = job(1, waits);
    MUST(write(1, "!", 1) == 1 && stops_with(pid) == SIGTSTP);
    take_back();
    MUST(kill(-pid, SIGKILL) == 0 && kill(-pid, SIGCONT) == 0 && end_of(pid) == 1000 + SIGKILL);
}
TEST(the_suspend_key_stops_the_foreground) {
    SAME(session(suspended, "\032"), 0);
}
static void errors(void) {
    pid_t self_group = getpgrp();
    int other_m, other_s, which;
    MUST(tcsetpgrp(0, 0x3fffffff) == -1 && (errno == EPERM || errno == ESRCH));
    MUST(tcsetpgrp(0, -1) == -1 && errno == EINVAL);
    MUST(openpty(&other_m, &other_s, NULL, NULL, NULL) == 0);
    MUST(tcsetpgrp(other_s, self_group) == -1 && errno == ENOTTY);
    MUST(tcgetpgrp(other_s) == -1 && errno == ENOTTY);
    MUST(tcgetsid(other_s) == -1 && errno == ENOTTY);
    MUST(ioctl(other_s, TIOCSCTTY, 0) == -1 && errno == EPERM);
    MUST(ioctl(0, TIOCSCTTY, 0) == 0 && tcgetpgrp(0) == self_group);
    which = tcgetpgrp(other_m);
    MUST(which == 0);
}
TEST(a_session_has_one_terminal) {
    SAME(session(errors, NULL), 0);
}
static void gives_up(void) {
    signal(SIGHUP, SIG_IGN);
    MUST(ioctl(0, TIOCNOTTY, 0) == 0);
    MUST(tcgetpgrp(0) == -1 && errno == ENOTTY);
    MUST(ioctl(0, TIOCSCTTY, 0) == 0 && tcgetpgrp(0) == getpgrp());
}
TEST(a_leader_gives_its_terminal_up) {
    SAME(session(gives_up, NULL), 0);
}
static int orphan_reads(void) {
    pid_t parent = getpid();
    char b;
    if (fork() == 0) {
        while (getppid() == parent)
            pause_ms(5);
        ssize_t n = read(0, &b, 1);
        char said = n == -1 && errno == EIO ? 'Y' : 'N';
        MUST(write(30, &said, 1) == 1);
        _exit(0);
    }
    return 0;
}
static void orphans(void) {
    int pipes[2];
    char b = 0;
    MUST(pipe(pipes) == 0 && dup2(pipes[1], 30) == 30);
    MUST(end_of(job(0, orphan_reads)) == 0);
    MUST(read(pipes[0], &b, 1) == 1 && b == 'Y');
}
TEST(an_orphaned_group_gets_an_error) {
    SAME(session(orphans, NULL), 0);
}
static volatile sig_atomic_t hups, conts;
static void count(int signal) {
    if (signal == SIGHUP)
        hups++;
    else
        conts++;
}
/* What a session's leader leaves behind: a process of the group in the foreground. */
static void leaves_one(void) {
    pid_t leader = getpid();
    struct sigaction a = {.sa_handler = count};
    sigaction(SIGHUP, &a, NULL);
    sigaction(SIGCONT, &a, NULL);
    if (fork() != 0)
        _exit(0);
    while (getppid() == leader || !hups)
        pause_ms(5);
    pause_ms(50);
    pid_t group;
    char line[16], said[64];
    /* The terminal is there, and nobody's. */
    int of_none = tcgetpgrp(0) == -1 && errno == ENOTTY && ioctl(0, TIOCGSID, &group) == -1 && errno == ENOTTY;
    int none = open("/dev/tty", O_RDWR) == -1 && errno == ENXIO;
    snprintf(said, sizeof said, "%d%d%d%d!", (int)hups, (int)conts, of_none, none);
    MUST(write(1, said, strlen(said)) == (ssize_t)strlen(said));
    MUST(read(0, line, sizeof line) == 5 && memcmp(line, "rest\n", 5) == 0);
    MUST(write(1, "read", 4) == 4);
    _exit(0);
}
/* As on Linux: a pty is not hung up by the end of its session. */
TEST(a_leaders_end_leaves_a_pty_to_others) {
    done();
    pid_t pid = forkpty(&m, NULL, NULL, NULL);
    if (pid == 0)
        leaves_one();
    SAME(end_of(pid), 0);
    CHECK(comes(m, "1011!"));
    CHECK(type("rest\n") && comes(m, "rest\r\nread"));
}
TESTS = {
    T(a_reader_in_the_background_is_stopped_until_it_has_the_terminal),
    T(who_ignores_SIGTTIN_gets_an_error),
    T(a_writer_in_the_background_is_stopped_with_TOSTOP),
    T(settings_in_the_background_stop),
    T(the_interrupt_key_ends_the_foreground),
    T(the_quit_key_ends_the_foreground),
    T(the_suspend_key_stops_the_foreground),
    T(a_session_has_one_terminal),
    T(a_leader_gives_its_terminal_up),
    T(an_orphaned_group_gets_an_error),
    T(a_leaders_end_leaves_a_pty_to_others),
    END,
};
