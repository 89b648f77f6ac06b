/* sigaction(2), sigprocmask(2), sigsuspend(2), sigpending(2), sigtimedwait(2), kill(2), alarm(2), setitimer(2). */
#include "../test.h"
#include <setjmp.h>
#include <sys/time.h>

static volatile sig_atomic_t got, count;
static volatile int code, sender;
static void handler(int s) {
    got = s;
    count++;
}
static void with_info(int s, siginfo_t *info, void *context) {
    got = s, code = info->si_code, sender = info->si_pid;
    (void)context;
}
static void set(int signal, void (*h)(int), int flags) {
    struct sigaction a = {.sa_flags = flags};
    a.sa_handler = h;
    sigemptyset(&a.sa_mask);
    sigaction(signal, &a, NULL);
    got = count = 0;
}
TEST(a_handler_runs_before_raise_returns) {
    set(SIGUSR1, handler, 0);
    CHECK(raise(SIGUSR1) == 0);
    SAME(got, SIGUSR1);
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(sigaction_answers_what_was_set) {
    struct sigaction a;
    set(SIGUSR1, handler, SA_RESTART);
    CHECK(sigaction(SIGUSR1, NULL, &a) == 0 && a.sa_handler == handler && a.sa_flags & SA_RESTART);
    CHECK(signal(SIGUSR1, SIG_IGN) == handler);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    FAILS(sigaction(SIGKILL, &a, NULL), EINVAL);
    FAILS(sigaction(0, NULL, &a), EINVAL);
    FAILS(sigaction(1000, NULL, &a), EINVAL);
}
TEST(SA_SIGINFO_tells_the_sender) {
    struct sigaction a = {.sa_flags = SA_SIGINFO};
    a.sa_sigaction = with_info;
    CHECK(sigaction(SIGUSR2, &a, NULL) == 0 && kill(getpid(), SIGUSR2) == 0);
    SAME(got, SIGUSR2);
    SAME(code, SI_USER);
    SAME(sender, getpid());
    set(SIGUSR2, SIG_DFL, 0);
}
TEST(blocked_signals_wait) {
    sigset_t s, old, pending;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    set(SIGUSR1, handler, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0 && raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0 && got == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGUSR2) == 0);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    SAME(count, 1);
    FAILS(sigprocmask(99, &s, NULL), EINVAL);
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(sigsuspend_waits_with_another_mask) {
    sigset_t s, old, now;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    set(SIGUSR1, handler, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0 && raise(SIGUSR1) == 0 && got == 0);
    FAILS(sigsuspend(&old), EINTR);
    SAME(got, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &old, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(SA_RESETHAND_is_once) {
    struct sigaction a;
    set(SIGUSR1, handler, (int)SA_RESETHAND);
    CHECK(raise(SIGUSR1) == 0 && count == 1 && sigaction(SIGUSR1, NULL, &a) == 0 && a.sa_handler == SIG_DFL);
}
static volatile int nested, deepest;
static void nest(int s) {
    nested++;
    deepest = nested > deepest ? nested : deepest;
    if (count++ == 0)
        raise(s);
    nested--;
}
TEST(a_handler_holds_its_own_signal_back) {
    set(SIGUSR1, nest, 0);
    deepest = 0;
    CHECK(raise(SIGUSR1) == 0);
    SAME(count, 2);
    SAME(deepest, 1);
    set(SIGUSR1, nest, (int)SA_NODEFER);
    deepest = 0;
    CHECK(raise(SIGUSR1) == 0);
    SAME(deepest, 2);
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(an_alarm_ends_a_sleep) {
    int p[2];
    char c;
    struct itimerval t = {{0, 0}, {0, 30000}}, left;
    set(SIGALRM, handler, 0);
    CHECK(pipe(p) == 0 && setitimer(ITIMER_REAL, &t, NULL) == 0);
    FAILS(read(p[0], &c, 1), EINTR);
    SAME(got, SIGALRM);
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
    SAME(alarm(100), 0);
    CHECK(alarm(0) >= 99);
    t.it_value.tv_usec = 30000;
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    FAILS(pause(), EINTR);
    close(p[0]), close(p[1]);
    set(SIGALRM, SIG_DFL, 0);
}
static int feed;
static void feeder(int s) {
    if (write(feed, "x", 1) == 1)
        got = s;
}
TEST(SA_RESTART_goes_on_reading) {
    int p[2];
    char c;
    struct itimerval t = {{0, 0}, {0, 30000}};
    set(SIGALRM, feeder, SA_RESTART);
    CHECK(pipe(p) == 0);
    feed = p[1];
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    SAME(read(p[0], &c, 1), 1);
    SAME(got, SIGALRM);
    close(p[0]), close(p[1]);
    set(SIGALRM, SIG_DFL, 0);
}
TEST(a_loop_without_calls_is_interrupted) {
    struct itimerval t = {{0, 0}, {0, 30000}};
    set(SIGALRM, handler, 0);
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    while (!got)
        ;
    SAME(got, SIGALRM);
    set(SIGALRM, SIG_DFL, 0);
}
static sigjmp_buf env;
static void jumper(int s) {
    siglongjmp(env, s);
}
TEST(a_handler_may_jump) {
    set(SIGUSR1, jumper, 0);
    for (volatile int i = 0; i < 3; i++) {
        int r = sigsetjmp(env, 1);
        if (r == 0) {
            raise(SIGUSR1);
            CHECK(!"reached");
        }
        SAME(r, SIGUSR1);
    }
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(fork_works_after_a_jump_out_of_a_handler) {
    set(SIGUSR1, jumper, 0);
    if (sigsetjmp(env, 1) == 0)
        raise(SIGUSR1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    int status = 0;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    SAME(WEXITSTATUS(status), 5);
    set(SIGUSR1, SIG_DFL, 0);
}
TEST(sigtimedwait_takes_one) {
    sigset_t s, old;
    siginfo_t info;
    struct timespec soon = {0, 20000000};
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0);
    FAILS(sigtimedwait(&s, &info, &soon), EAGAIN);
    CHECK(raise(SIGUSR1) == 0);
    SAME(sigtimedwait(&s, &info, &soon), SIGUSR1);
    SAME(info.si_signo, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}
TEST(the_end_of_a_child_is_told) {
    set(SIGCHLD, handler, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        ;
    SAME(got, SIGCHLD);
    set(SIGCHLD, SIG_DFL, 0);
}
TEST(SIGPIPE_comes_without_a_reader) {
    int p[2];
    set(SIGPIPE, handler, 0);
    CHECK(pipe(p) == 0);
    close(p[0]);
    FAILS(write(p[1], "x", 1), EPIPE);
    SAME(got, SIGPIPE);
    close(p[1]);
    set(SIGPIPE, SIG_DFL, 0);
}
TESTS = {T(a_handler_runs_before_raise_returns), T(sigaction_answers_what_was_set), T(SA_SIGINFO_tells_the_sender),
         T(blocked_signals_wait), T(sigsuspend_waits_with_another_mask), T(SA_RESETHAND_is_once),
         T(a_handler_holds_its_own_signal_back), T(an_alarm_ends_a_sleep), T(SA_RESTART_goes_on_reading),
         T(a_loop_without_calls_is_interrupted), T(a_handler_may_jump),
         T(fork_works_after_a_jump_out_of_a_handler), T(sigtimedwait_takes_one),
         T(the_end_of_a_child_is_told), T(SIGPIPE_comes_without_a_reader), END};
