/* posix_openpt(3), grantpt(3), unlockpt(3), ptsname(3), openpty(3), forkpty(3), login_tty(3); pty(7). */
#include "terminal.h"
#include <dirent.h>
#include <sys/select.h>

TEST(what_is_typed_is_read_and_what_is_written_is_shown) {
    CHECK(fresh(0, 0) && isatty(m) && isatty(s));
    CHECK(type("hello\r") && comes(s, "hello\n") && comes(m, "hello\r\n"));
    CHECK(write(s, "a\nb", 3) == 3 && comes(m, "a\r\nb"));
}
TEST(a_slave_is_opened_by_its_name_once_it_is_unlocked) {
    char name[32];
    struct stat by_name, open_one;
    done();
    CHECK((m = posix_openpt(O_RDWR | O_NOCTTY)) >= 0);
    SAME(ptsname_r(m, name, sizeof name), 0);
    CHECK(strncmp(name, "/dev/pts/", 9) == 0 && strcmp(name, ptsname(m)) == 0);
    FAILS(open(name, O_RDWR | O_NOCTTY), EIO);
    CHECK(grantpt(m) == 0 && unlockpt(m) == 0 && (s = open(name, O_RDWR | O_NOCTTY)) >= 0);
    CHECK(stat(name, &by_name) == 0 && fstat(s, &open_one) == 0 && S_ISCHR(by_name.st_mode));
    CHECK(by_name.st_rdev == open_one.st_rdev && by_name.st_rdev >> 8 == 136);
    CHECK((by_name.st_mode & 0700) == 0600 && by_name.st_uid == getuid());
    CHECK(strcmp(ttyname(s), name) == 0);
    SAME(ptsname_r(m, name, 4), ERANGE);
    FAILS(ioctl(s, TIOCGPTN, name), ENOTTY);
    int pipes[2];
    CHECK(pipe(pipes) == 0 && !ptsname(pipes[0]) && !isatty(pipes[0]));
    close(pipes[0]), close(pipes[1]);
}
static int listed(const char *name) {
    DIR *d = opendir("/dev/pts");
    struct dirent *e;
    int found = 0;
    while (d && (e = readdir(d)))
        found |= strcmp(e->d_name, name + 9) == 0;
    if (d)
        closedir(d);
    return found;
}
TEST(names_go_with_the_master) {
    char name[32];
    CHECK(fresh(0, 0) && ptsname_r(m, name, sizeof name) == 0 && listed(name));
    close(m), m = -1;
    struct stat st;
    FAILS(stat(name, &st), ENOENT);
    CHECK(!listed(name));
}
TEST(each_opening_is_another_pty) {
    CHECK(fresh(0, 0));
    int m1 = m, s1 = s, m2, s2;
    char name[32];
    m = s = -1;
    CHECK(openpty(&m2, &s2, name, NULL, NULL) == 0 && strcmp(name, ptsname(m1)) != 0);
    CHECK(write(m2, "two\n", 4) == 4 && write(m1, "one\n", 4) == 4);
    CHECK(comes(s1, "one\n") && comes(s2, "two\n"));
    close(m1), close(s1), close(m2), close(s2);
}
TEST(openpty_sets_what_it_is_given) {
    struct termios t, now;
    struct winsize size = {.ws_row = 11, .ws_col = 22}, got;
    CHECK(fresh(0, 0) && tcgetattr(s, &t) == 0);
    done();
    t.c_lflag &= ~(tcflag_t)ECHO;
    CHECK(openpty(&m, &s, NULL, &t, &size) == 0 && tcgetattr(m, &now) == 0 && !(now.c_lflag & ECHO));
    CHECK(ioctl(s, TIOCGWINSZ, &got) == 0 && got.ws_row == 11 && got.ws_col == 22);
}
TEST(without_a_slave_the_master_reads_eio_until_there_is_one_again) {
    char name[32], b[8];
    struct pollfd p;
    CHECK(fresh(0, ECHO) && ptsname_r(m, name, sizeof name) == 0);
    CHECK(write(s, "bye", 3) == 3);
    close(s), s = -1;
    CHECK(read(m, b, sizeof b) == 3 && memcmp(b, "bye", 3) == 0);
    FAILS(read(m, b, sizeof b), EIO);
    p = (struct pollfd){m, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLHUP);
    CHECK(type("early\n") && (s = open(name, O_RDWR | O_NOCTTY)) >= 0);
    CHECK(poll(&p, 1, 0) == 0 && comes(s, "early\n"));
    CHECK(write(s, "back", 4) == 4 && comes(m, "back"));
}
TEST(before_the_first_open_a_master_waits) {
    char b[8];
    done();
    CHECK((m = posix_openpt(O_RDWR | O_NOCTTY)) >= 0 && fcntl(m, F_SETFL, O_NONBLOCK) == 0);
    FAILS(read(m, b, sizeof b), EAGAIN);
    struct pollfd p = {m, POLLIN | POLLOUT, 0};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
}
TEST(without_a_master_the_slave_is_hung_up) {
    char b[8];
    struct termios t;
    CHECK(fresh(0, 0) && type("lost\n"));
    close(m), m = -1;
    SAME(read(s, b, sizeof b), 0);
    FAILS(write(s, "x", 1), EIO);
    FAILS(tcgetattr(s, &t), EIO);
    struct pollfd p = {s, POLLIN, 0};
    CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
}
TEST(a_sleeping_reader_is_hung_up) {
    CHECK(fresh(0, 0));
    pid_t pid = fork();
    if (pid == 0) {
        char b[8];
        close(m);
        /* Linux answers EIO to who looks in between. */
        MUST(read(s, b, sizeof b) <= 0 && read(s, b, sizeof b) == 0);
        _exit(0);
    }
    close(s), s = -1;
    pause_ms(30);
    close(m), m = -1;
    SAME(end_of(pid), 0);
}
TEST(forkpty_gives_a_session_of_its_own) {
    done();
    struct winsize size = {.ws_row = 5, .ws_col = 6};
    pid_t pid = forkpty(&m, NULL, NULL, &size);
    if (pid == 0) {
        int tty = open("/dev/tty", O_RDWR);
        struct winsize got;
        struct stat a, b;
        MUST(getsid(0) == getpid() && tcgetpgrp(0) == getpid() && tcgetsid(1) == getpid() && tty > 2);
        MUST(fstat(0, &a) == 0 && fstat(tty, &b) == 0 && isatty(0) && isatty(2) && isatty(tty));
        MUST(ioctl(0, TIOCGWINSZ, &got) == 0 && got.ws_row == 5 && got.ws_col == 6);
        MUST(write(tty, "up", 2) == 2);
        MUST(read(0, &got, 1) == 1);
        _exit(0);
    }
    CHECK(pid > 0 && comes(m, "up"));
    SAME(tcgetpgrp(m), pid);
    SAME(tcgetsid(m), pid);
    CHECK(type("\n"));
    SAME(end_of(pid), 0);
}
TEST(the_leader_is_told_of_a_hangup) {
    done();
    int pipes[2];
    char b;
    CHECK(pipe(pipes) == 0);
    pid_t pid = forkpty(&m, NULL, NULL, NULL);
    if (pid == 0) {
        MUST(write(pipes[1], "!", 1) == 1);
        for (;;)
            pause();
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &b, 1) == 1);
    close(pipes[0]);
    close(m), m = -1;
    SAME(end_of(pid), 1000 + SIGHUP);
}
TEST(a_leader_can_live_through_a_hangup) {
    done();
    int pipes[2];
    char b;
    CHECK(pipe(pipes) == 0);
    pid_t pid = forkpty(&m, NULL, NULL, NULL);
    if (pid == 0) {
        catch_signal(SIGHUP);
        MUST(write(pipes[1], "!", 1) == 1);
        MUST(read(0, &b, 1) <= 0 && read(0, &b, 1) == 0 && caught == SIGHUP);
        _exit(0);
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &b, 1) == 1);
    close(pipes[0]);
    pause_ms(20);
    close(m), m = -1;
    SAME(end_of(pid), 0);
}
TEST(a_new_size_is_a_signal_to_the_foreground) {
    done();
    pid_t pid = forkpty(&m, NULL, NULL, NULL);
    if (pid == 0) {
        struct winsize got;
        sigset_t winch;
        int which;
        sigemptyset(&winch);
        sigaddset(&winch, SIGWINCH);
        MUST(sigprocmask(SIG_BLOCK, &winch, NULL) == 0);
        catch_signal(SIGWINCH);
        MUST(write(1, "!", 1) == 1);
        which = sigwaitinfo(&winch, NULL);
        MUST(which == SIGWINCH && ioctl(0, TIOCGWINSZ, &got) == 0 && got.ws_row == 40 && got.ws_col == 132);
        _exit(0);
    }
    struct winsize size = {.ws_row = 40, .ws_col = 132}, got;
    CHECK(comes(m, "!") && ioctl(m, TIOCSWINSZ, &size) == 0);
    CHECK(ioctl(m, TIOCGWINSZ, &got) == 0 && got.ws_row == 40 && got.ws_col == 132);
    SAME(end_of(pid), 0);
}
/* Writes without waiting until there is no more room: how much it was, or -1 if the end was another. */
static long flood(int fd) {
    static char block[1000];
    long all = 0;
    ssize_t n = 0;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    for (int i = 0; i < 10000 && (n = write(fd, block, sizeof block)) > 0; i++)
        all += n;
    return n == -1 && errno == EAGAIN ? all : -1;
}
static long drain(int fd) {
    static char block[1000];
    struct pollfd p = {fd, POLLIN, 0};
    long got = 0;
    ssize_t n;
    while (poll(&p, 1, 100) == 1 && (n = read(fd, block, sizeof block)) > 0)
        got += n;
    return got;
}
TEST(a_flood_of_output_is_bounded) {
    CHECK(raw(1, 0) && set_io(0, 0));
    long all = flood(s);
    CHECK(all >= 4096 && all < 1 << 20);
    struct pollfd p = {s, POLLOUT, 0};
    CHECK(poll(&p, 1, 0) == 0);
    SAME(drain(m), all);
    CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLOUT);
}
TEST(a_flood_of_keys_is_bounded) {
    CHECK(raw(1, 0) && set_io(0, 0));
    long all = flood(m);
    CHECK(all >= 4000 && all < 1 << 20);
    SAME(drain(s), all);
    CHECK(fcntl(m, F_SETFL, 0) == 0 && write(m, "x", 1) == 1 && comes(s, "x"));
}
TEST(blocked_writers_go_on_when_there_is_room) {
    static char block[40000];
    CHECK(raw(1, 0) && set_io(0, 0));
    pid_t pid = fork();
    if (pid == 0) {
        MUST(write(s, block, sizeof block) == sizeof block);
        _exit(0);
    }
    close(s), s = -1;
    long got = 0;
    ssize_t n;
    while ((n = read(m, block, 777)) > 0)
        got += n;
    SAME(got, sizeof block);
    SAME(end_of(pid), 0);
}
TEST(poll_and_select_see_both_ends) {
    CHECK(fresh(0, ECHO));
    struct pollfd p[2] = {{m, POLLIN | POLLOUT, 0}, {s, POLLIN | POLLOUT, 0}};
    CHECK(poll(p, 2, 0) == 2 && p[0].revents == POLLOUT && p[1].revents == POLLOUT);
    CHECK(type("half") && (pause_ms(20), poll(p, 2, 0)) == 2 && p[1].revents == POLLOUT);
    CHECK(type("\n") && (p[1].events = POLLIN, poll(p + 1, 1, 1000)) == 1);
    CHECK(write(s, "x", 1) == 1 && (p[0].events = POLLIN, poll(p, 1, 1000)) == 1);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(m, &set), FD_SET(s, &set);
    CHECK(select((m > s ? m : s) + 1, &set, NULL, NULL, NULL) == 2 && FD_ISSET(m, &set) && FD_ISSET(s, &set));
}
TEST(a_caught_signal_ends_a_read_of_either_end) {
    char b;
    CHECK(fresh(0, 0));
    catch_signal(SIGALRM);
    for (int i = 0; i < 2; i++) {
        alarm(1);
        FAILS(read(i ? s : m, &b, 1), EINTR);
        SAME(caught, SIGALRM);
    }
    signal(SIGALRM, SIG_DFL);
}
TEST(login_tty_wants_a_terminal) {
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(login_tty(pipes[0]) == -1 && errno == ENOTTY ? 0 : 1);
    SAME(end_of(pid), 0);
    close(pipes[0]), close(pipes[1]);
}
TESTS = {
    T(what_is_typed_is_read_and_what_is_written_is_shown),
    T(a_slave_is_opened_by_its_name_once_it_is_unlocked),
    T(names_go_with_the_master),
    T(each_opening_is_another_pty),
    T(openpty_sets_what_it_is_given),
    T(without_a_slave_the_master_reads_eio_until_there_is_one_again),
    T(before_the_first_open_a_master_waits),
    T(without_a_master_the_slave_is_hung_up),
    T(a_sleeping_reader_is_hung_up),
    T(forkpty_gives_a_session_of_its_own),
    T(the_leader_is_told_of_a_hangup),
    T(a_leader_can_live_through_a_hangup),
    T(a_new_size_is_a_signal_to_the_foreground),
    T(a_flood_of_output_is_bounded),
    T(a_flood_of_keys_is_bounded),
    T(blocked_writers_go_on_when_there_is_room),
    T(poll_and_select_see_both_ends),
    T(a_caught_signal_ends_a_read_of_either_end),
    T(login_tty_wants_a_terminal),
    END,
};
