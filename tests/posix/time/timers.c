/* timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2). */
#include "../test.h"
#include <sys/resource.h>

static volatile sig_atomic_t handled, code, value, overrun;
static void on(int signal) {
    (void)signal;
    handled++;
}
static void on_info(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    handled++;
    code = info->si_code;
    value = info->si_value.sival_int;
    overrun = info->si_overrun;
}
static void handle(int signal) {
    struct sigaction a = {.sa_handler = on};
    sigaction(signal, &a, NULL);
    handled = 0;
}
static void handle_info(int signal) {
    struct sigaction a = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};
    sigaction(signal, &a, NULL);
    handled = code = value = overrun = 0;
}
static struct itimerspec in_ms(long value, long interval) {
    return (struct itimerspec){{interval / 1000, interval % 1000 * 1000000}, {value / 1000, value % 1000 * 1000000}};
}
static long ms(struct timespec t) {
    return (long)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}
static timer_t make(clockid_t clock, int notify, int signal, int number) {
    struct sigevent e = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = number};
    timer_t t;
    return timer_create(clock, &e, &t) < 0 ? (timer_t)-1 : t;
}
static void nap(long for_ms) {
    long long end = now_ms() + for_ms;
    for (long long left; (left = end - now_ms()) > 0;)
        usleep((useconds_t)left * 1000);
}

TEST(one_expiry_ends_a_sleep) {
    handle_info(SIGUSR1);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 77);
    CHECK(t != (timer_t)-1);
    struct itimerspec new = in_ms(30, 0), old;
    long long begin = now_ms();
    CHECK(timer_settime(t, 0, &new, &old) == 0 && ms(old.it_value) == 0);
    FAILS(usleep(2000000), EINTR);
    CHECK(now_ms() - begin >= 29 && now_ms() - begin < 1500);
    SAME(handled, 1);
    SAME(code, SI_TIMER);
    SAME(value, 77);
    SAME(overrun, 0);
    CHECK(timer_gettime(t, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    CHECK(timer_delete(t) == 0);
    FAILS(timer_delete(t), EINVAL);
    FAILS(timer_gettime(t, &old), EINVAL);
    FAILS(timer_settime(t, 0, &new, NULL), EINVAL);
    FAILS(timer_getoverrun(t), EINVAL);
}
TEST(again_and_again_until_it_is_disarmed) {
    handle(SIGUSR1);
    timer_t t = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec new = in_ms(10, 20), off = in_ms(0, 5), old;
    long long begin = now_ms();
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    while (handled < 3)
        pause();
    CHECK(now_ms() - begin >= 49);
    CHECK(timer_settime(t, 0, &off, &old) == 0);
    CHECK(ms(old.it_value) <= 20 && ms(old.it_interval) == 20);
    int before = handled;
    nap(60);
    SAME(handled, before);
    CHECK(timer_gettime(t, &old) == 0 && ms(old.it_value) == 0 && timer_delete(t) == 0);
}
TEST(one_that_computes_is_told) {
    handle(SIGUSR1);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec new = in_ms(20, 0);
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    for (long long begin = now_ms(); !handled && now_ms() - begin < 2000;)
        ;
    SAME(handled, 1);
    CHECK(timer_delete(t) == 0);
}
TEST(what_is_held_back_counts_as_overrun) {
    handle_info(SIGUSR1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 5);
    struct itimerspec new = in_ms(10, 10), now, off = in_ms(0, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    nap(105);
    CHECK(timer_gettime(t, &now) == 0 && ms(now.it_value) <= 10 && ms(now.it_interval) == 10);
    siginfo_t info;
    SAME(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 5);
    CHECK(info.si_overrun >= 8 && info.si_overrun < 60);
    SAME(timer_getoverrun(t), info.si_overrun);
    nap(55);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    SAME(handled, 1);
    CHECK(overrun >= 3 && overrun < 60 && timer_getoverrun(t) == overrun);
    CHECK(timer_settime(t, 0, &off, NULL) == 0 && timer_delete(t) == 0);
}
TEST(each_timer_has_a_signal_of_its_own) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_t t[3];
    struct itimerspec new = in_ms(5, 0);
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        t[i] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i);
        CHECK(t[i] != (timer_t)-1 && timer_settime(t[i], 0, &new, NULL) == 0);
    }
    nap(30);
    for (int i = 0; i < 3; i++) {
        siginfo_t info;
        struct timespec none = {0, 0};
        SAME(sigtimedwait(&set, &info, &none), SIGUSR1);
        seen |= 1 << info.si_value.sival_int;
        CHECK(timer_delete(t[i]) == 0);
    }
    SAME(seen, 7);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
TEST(a_time_of_the_clock) {
    handle(SIGUSR1);
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (int i = 0; i < 2; i++) {
        struct itimerspec new = {{0, 0}, {0, 0}};
        timer_t t = make(clocks[i], SIGEV_SIGNAL, SIGUSR1, 0);
        clock_gettime(clocks[i], &new.it_value);
        new.it_value.tv_sec--;
        handled = 0;
        CHECK(timer_settime(t, TIMER_ABSTIME, &new, NULL) == 0);
        long long begin = now_ms();
        while (!handled && now_ms() - begin < 2000)
            usleep(1000);
        SAME(handled, 1);
        clock_gettime(clocks[i], &new.it_value);
        new.it_value.tv_nsec += 30000000;
        if (new.it_value.tv_nsec >= 1000000000)
            new.it_value.tv_nsec -= 1000000000, new.it_value.tv_sec++;
        begin = now_ms();
        CHECK(timer_settime(t, TIMER_ABSTIME, &new, NULL) == 0);
        CHECK(timer_gettime(t, &new) == 0 && ms(new.it_value) <= 30 && new.it_value.tv_nsec > 0);
        FAILS(usleep(2000000), EINTR);
        CHECK(now_ms() - begin >= 28 && handled == 2 && timer_delete(t) == 0);
    }
}
TEST(cpu_time) {
    handle(SIGUSR1);
    timer_t t = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec new = in_ms(40, 0);
    CHECK(t != (timer_t)-1 && timer_settime(t, 0, &new, NULL) == 0);
    nap(100);
    SAME(handled, 0);
    for (long long begin = now_ms(); !handled && now_ms() - begin < 5000;)
        ;
    SAME(handled, 1);
    CHECK(timer_delete(t) == 0);
}
TEST(one_that_tells_nobody_can_be_asked) {
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
    struct itimerspec new = in_ms(20, 0), now;
    CHECK(t != (timer_t)-1 && timer_settime(t, 0, &new, NULL) == 0);
    CHECK(timer_gettime(t, &now) == 0 && ms(now.it_value) <= 20 && now.it_value.tv_nsec > 0);
    nap(40);
    CHECK(timer_gettime(t, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    SAME(timer_getoverrun(t), 0);
    CHECK(timer_delete(t) == 0);
}
TEST(without_an_event_it_is_sigalrm) {
    handle_info(SIGALRM);
    timer_t t;
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &t) == 0);
    struct itimerspec new = in_ms(10, 0);
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    FAILS(usleep(2000000), EINTR);
    CHECK(handled == 1 && code == SI_TIMER && timer_delete(t) == 0);
}
TEST(an_ignored_one_goes_on) {
    signal(SIGUSR1, SIG_IGN);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec new = in_ms(5, 5), now;
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    CHECK(usleep(30000) == 0);
    CHECK(timer_gettime(t, &now) == 0 && ms(now.it_value) <= 5 && now.it_value.tv_nsec > 0);
    handle(SIGUSR1);
    FAILS(usleep(2000000), EINTR);
    CHECK(handled >= 1 && timer_delete(t) == 0);
    /* One that is held back, and then ignored. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    nap(20);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    nap(20);
    handle(SIGUSR1);
    FAILS(usleep(2000000), EINTR);
    CHECK(handled >= 1 && timer_delete(t) == 0);
    signal(SIGUSR1, SIG_DFL);
}
static void a_child_has_none(void) {
    handle(SIGUSR1);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec new = in_ms(10, 10), now;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK(timer_settime(t, 0, &new, NULL) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        int ok = usleep(50000) == 0 && handled == 0 && timer_gettime(t, &now) == -1 && errno == EINVAL;
        _exit(!ok);
    }
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    SAME(status, 0);
}
TEST(fork_makes_none) {
    apart(a_child_has_none);
}
int child(int argc, char **argv) {
    (void)argc, (void)argv;
    /* What was pending and the timer are gone. */
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    struct itimerspec now;
    int ok = sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1);
    handle(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return !(ok && usleep(50000) == 0 && handled == 0 && timer_gettime((timer_t)0, &now) == -1 && errno == EINVAL);
}
TEST(exec_deletes_them) {
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
        struct itimerspec new = in_ms(5, 5);
        timer_settime(t, 0, &new, NULL);
        nap(20);
        execl(self, self, "exec", NULL);
        _exit(9);
    }
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    SAME(status, 0);
}
static void at_the_limit(void) {
    struct rlimit few = {3, 3};
    CHECK(setrlimit(RLIMIT_SIGPENDING, &few) == 0);
    timer_t t[4];
    int n = 0;
    while (n < 4 && timer_create(CLOCK_MONOTONIC, NULL, &t[n]) == 0)
        n++;
    int error = errno;
    SAME(error, EAGAIN);
    CHECK(n <= 3);
    if (n > 0) {
        CHECK(timer_delete(t[0]) == 0 && timer_create(CLOCK_MONOTONIC, NULL, &t[0]) == 0);
        FAILS(timer_create(CLOCK_MONOTONIC, NULL, &t[3]), EAGAIN);
    }
}
TEST(a_user_has_so_many) {
    apart(at_the_limit);
}
TEST(mistakes) {
    struct sigevent bad = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65}, how = {.sigev_notify = 99};
    timer_t t;
    FAILS(timer_create(CLOCK_MONOTONIC, &bad, &t), EINVAL);
    bad.sigev_signo = 0;
    FAILS(timer_create(CLOCK_MONOTONIC, &bad, &t), EINVAL);
    FAILS(timer_create(CLOCK_MONOTONIC, &how, &t), EINVAL);
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &t) == 0);
    struct itimerspec new = {{0, 0}, {0, 1000000000}};
    FAILS(timer_settime(t, 0, &new, NULL), EINVAL);
    new = (struct itimerspec){{0, 0}, {-1, 0}};
    FAILS(timer_settime(t, 0, &new, NULL), EINVAL);
    new = (struct itimerspec){{0, -1}, {1, 0}};
    FAILS(timer_settime(t, 0, &new, NULL), EINVAL);
    CHECK(timer_delete(t) == 0);
}
TESTS = {T(one_expiry_ends_a_sleep),
         T(again_and_again_until_it_is_disarmed),
         T(one_that_computes_is_told),
         T(what_is_held_back_counts_as_overrun),
         T(each_timer_has_a_signal_of_its_own),
         T(a_time_of_the_clock),
         T(cpu_time),
         T(one_that_tells_nobody_can_be_asked),
         T(without_an_event_it_is_sigalrm),
         T(an_ignored_one_goes_on),
         T(fork_makes_none),
         T(exec_deletes_them),
         T(a_user_has_so_many),
         T(mistakes),
         END};
