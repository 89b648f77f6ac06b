/* poll(2), ppoll(2), select(2), pselect(2). */
#include "../test.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

static int p[2];
static int events(int fd, short asked) {
    struct pollfd f = {.fd = fd, .events = asked};
    int n = poll(&f, 1, 0);
    return n < 0 ? -1 : f.revents;
}
TEST(a_pipe_becomes_readable) {
    CHECK(pipe(p) == 0);
    SAME(events(p[0], POLLIN), 0);
    SAME(events(p[1], POLLOUT), POLLOUT);
    CHECK(write(p[1], "x", 1) == 1);
    SAME(events(p[0], POLLIN), POLLIN);
    SAME(events(p[0], 0), 0);
    close(p[0]), close(p[1]);
}
TEST(the_other_end_is_gone) {
    CHECK(pipe(p) == 0);
    close(p[1]);
    SAME(events(p[0], POLLIN) & POLLHUP, POLLHUP);
    close(p[0]);
    CHECK(pipe(p) == 0);
    close(p[0]);
    SAME(events(p[1], POLLOUT) & POLLERR, POLLERR);
    close(p[1]);
}
TEST(no_descriptor_is_POLLNVAL) {
    SAME(events(500, POLLIN), POLLNVAL);
    struct pollfd f = {.fd = -1, .events = POLLIN, .revents = 7};
    SAME(poll(&f, 1, 0), 0);
    SAME(f.revents, 0);
}
TEST(files_are_always_ready) {
    int fd = file("f", "x");
    SAME(events(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
    close(fd);
}
TEST(it_waits_as_long_as_it_is_told) {
    CHECK(pipe(p) == 0);
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    long long start = now_ms();
    SAME(poll(&f, 1, 50), 0);
    long long took = now_ms() - start;
    CHECK(took >= 49 && took < 5000);
    start = now_ms();
    SAME(poll(NULL, 0, 30), 0);
    CHECK(now_ms() - start >= 29);
    close(p[0]), close(p[1]);
}
TEST(ppoll_takes_a_timespec) {
    CHECK(pipe(p) == 0);
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    struct timespec t = {0, 20000000};
    long long start = now_ms();
    SAME(ppoll(&f, 1, &t, NULL), 0);
    CHECK(now_ms() - start >= 19);
    close(p[0]), close(p[1]);
}
TEST(a_full_pipe_cannot_be_written) {
    char page[4096] = "";
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    while (write(p[1], page, sizeof page) > 0)
        ;
    SAME(events(p[1], POLLOUT), 0);
    CHECK(read(p[0], page, sizeof page) == sizeof page);
    SAME(events(p[1], POLLOUT), POLLOUT);
    close(p[0]), close(p[1]);
}
TEST(select_leaves_what_is_ready) {
    fd_set r, w;
    struct timeval now = {0, 0};
    CHECK(pipe(p) == 0);
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r), FD_SET(p[1], &w);
    SAME(select(p[1] + 1, &r, &w, NULL, &now), 1);
    CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
    CHECK(write(p[1], "x", 1) == 1);
    FD_SET(p[0], &r);
    SAME(select(p[1] + 1, &r, &w, NULL, NULL), 2);
    FD_CLR(p[0], &r);
    CHECK(!FD_ISSET(p[0], &r));
    close(p[0]), close(p[1]);
}
TEST(select_of_a_closed_descriptor_is_EBADF) {
    fd_set r;
    struct timeval now = {0, 0};
    FD_ZERO(&r);
    int closed = dup(0);
    close(closed);
    FD_SET(closed, &r);
    FAILS(select(closed + 1, &r, NULL, NULL, &now), EBADF);
    FAILS(select(-1, NULL, NULL, NULL, &now), EINVAL);
}
TEST(select_sleeps) {
    struct timeval t = {0, 30000};
    long long start = now_ms();
    SAME(select(0, NULL, NULL, NULL, &t), 0);
    CHECK(now_ms() - start >= 29);
    struct timespec ts = {0, 10000000};
    SAME(pselect(0, NULL, NULL, NULL, &ts, NULL), 0);
}
static volatile sig_atomic_t came;
static void note(int signal) {
    (void)signal;
    came++;
}
/* The mask of ppoll(2) holds for the wait, and for what ends it. */
TEST(a_signal_that_waits_ends_ppoll_at_once) {
    sigset_t block, none, now;
    struct sigaction act = {.sa_handler = note};
    CHECK(pipe(p) == 0);
    sigemptyset(&none), sigemptyset(&block), sigaddset(&block, SIGUSR1);
    sigaction(SIGUSR1, &act, NULL);
    sigprocmask(SIG_BLOCK, &block, NULL);
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        came = 0;
        raise(SIGUSR1);
        SAME(came, 0);
        struct timespec zero = {0, 0}, long_time = {60, 0};
        FAILS(ppoll(&f, 1, i == 0 ? &zero : i == 1 ? &long_time : NULL, &none), EINTR);
        SAME(came, 1);
        CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
    }
    /* What is ready comes first, and the signal goes on waiting. */
    came = 0;
    raise(SIGUSR1);
    CHECK(write(p[1], "x", 1) == 1);
    SAME(ppoll(&f, 1, NULL, &none), 1);
    SAME(came, 0);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    SAME(came, 1);
    signal(SIGUSR1, SIG_DFL);
    close(p[0]), close(p[1]);
}
TEST(no_signal_slips_between_the_look_and_the_sleep) {
    sigset_t block, none;
    struct sigaction act = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&none), sigemptyset(&block), sigaddset(&block, SIGCHLD);
    sigaction(SIGCHLD, &act, NULL);
    sigprocmask(SIG_BLOCK, &block, NULL);
    came = 0;
    for (int i = 0; i < 30; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        while (came <= i) {
            struct timespec t = {20, 0};
            int n = pselect(0, NULL, NULL, NULL, &t, &none);
            int e = errno;
            CHECK(n == -1 && e == EINTR);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}
TEST(ppoll_refuses_times_that_are_none) {
    struct timespec t = {0, 1000000000};
    FAILS(ppoll(NULL, 0, &t, NULL), EINVAL);
    t = (struct timespec){-1, 0};
    FAILS(ppoll(NULL, 0, &t, NULL), EINVAL);
}
TESTS = {T(a_pipe_becomes_readable), T(the_other_end_is_gone), T(no_descriptor_is_POLLNVAL), T(files_are_always_ready),
         T(it_waits_as_long_as_it_is_told), T(ppoll_takes_a_timespec), T(a_full_pipe_cannot_be_written),
         T(select_leaves_what_is_ready), T(select_of_a_closed_descriptor_is_EBADF), T(select_sleeps), T(a_signal_that_waits_ends_ppoll_at_once), T(no_signal_slips_between_the_look_and_the_sleep), T(ppoll_refuses_times_that_are_none), END};
