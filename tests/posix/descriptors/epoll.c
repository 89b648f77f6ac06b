/* epoll(7), level-triggered: epoll_create1(2), epoll_ctl(2), epoll_wait(2). Not POSIX, but what Linux's programs wait with. */
#include "../test.h"
#include <sys/epoll.h>
#include <sys/time.h>

static struct epoll_event got[8];

static int watch(int epfd, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e);
}

TEST(what_is_ready_is_told_until_it_is_not) {
    int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
    char c;
    CHECK(ep >= 0 && fcntl(ep, F_GETFD) == FD_CLOEXEC && pipe(p) == 0);
    CHECK(watch(ep, p[0], EPOLLIN) == 0 && watch(ep, p[1], EPOLLOUT) == 0);
    CHECK(epoll_wait(ep, got, 8, 0) == 1 && got[0].data.fd == p[1] && got[0].events == EPOLLOUT);
    CHECK(write(p[1], "x", 1) == 1);
    SAME(epoll_wait(ep, got, 8, -1), 2);
    SAME(epoll_wait(ep, got, 8, -1), 2);
    CHECK(read(p[0], &c, 1) == 1);
    SAME(epoll_wait(ep, got, 8, 0), 1);
    close(p[1]);
    CHECK(epoll_wait(ep, got, 8, 0) == 1 && got[0].data.fd == p[0] && got[0].events == EPOLLHUP);
    close(p[0]);
    SAME(epoll_wait(ep, got, 8, 0), 0);
    close(ep);
}
TEST(one_place_serves_all_in_turn) {
    int ep = epoll_create(1), p[2], q[2];
    CHECK(ep >= 0 && pipe(p) == 0 && pipe(q) == 0);
    CHECK(watch(ep, p[1], EPOLLOUT) == 0 && watch(ep, q[1], EPOLLOUT) == 0);
    SAME(epoll_wait(ep, got, 1, 0), 1);
    int first = got[0].data.fd;
    SAME(epoll_wait(ep, got, 1, 0), 1);
    CHECK(got[0].data.fd != first);
    close(p[0]), close(p[1]), close(q[0]), close(q[1]), close(ep);
}
TEST(one_shot) {
    int ep = epoll_create1(0), p[2];
    struct epoll_event e = {.events = EPOLLOUT | EPOLLONESHOT, .data.u64 = 0x123456789abcULL};
    CHECK(ep >= 0 && pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &e) == 0);
    CHECK(epoll_wait(ep, got, 8, 0) == 1 && got[0].data.u64 == 0x123456789abcULL);
    SAME(epoll_wait(ep, got, 8, 0), 0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e) == 0);
    SAME(epoll_wait(ep, got, 8, 0), 1);
    close(p[0]), close(p[1]), close(ep);
}
TEST(errors) {
    int ep = epoll_create1(0), p[2], fd = file("regular", "x");
    struct epoll_event e = {.events = EPOLLIN};
    CHECK(ep >= 0 && pipe(p) == 0);
    FAILS(epoll_create(0), EINVAL);
    FAILS(epoll_create1(0x40000000), EINVAL);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EPERM);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e), EBADF);
    FAILS(epoll_ctl(99, EPOLL_CTL_ADD, p[0], &e), EBADF);
    FAILS(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
    FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
    FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
    FAILS(epoll_wait(ep, got, 0, 0), EINVAL);
    FAILS(epoll_wait(p[0], got, 8, 0), EINVAL);
    FAILS(epoll_wait(99, got, 8, 0), EBADF);
    close(p[0]), close(p[1]), close(ep), close(fd);
}
static volatile sig_atomic_t rung;
static void ring(int signal) {
    rung = signal;
}
TEST(times_and_signals) {
    int ep = epoll_create1(0), p[2];
    struct sigaction a = {.sa_handler = ring, .sa_flags = SA_RESTART};
    struct itimerval t = {.it_value = {.tv_usec = 30000}};
    CHECK(ep >= 0 && pipe(p) == 0 && watch(ep, p[0], EPOLLIN) == 0);
    long long from = now_ms();
    SAME(epoll_wait(ep, got, 8, 50), 0);
    CHECK(now_ms() - from >= 49);
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    FAILS(epoll_wait(ep, got, 8, -1), EINTR);
    SAME(rung, SIGALRM);
    sigset_t block, none;
    sigemptyset(&none), sigemptyset(&block), sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    rung = 0, raise(SIGALRM);
    FAILS(epoll_pwait(ep, got, 8, -1, &none), EINTR);
    SAME(rung, SIGALRM);
    close(p[0]), close(p[1]), close(ep);
}
TESTS = {T(what_is_ready_is_told_until_it_is_not), T(one_place_serves_all_in_turn), T(one_shot), T(errors),
         T(times_and_signals), END};
