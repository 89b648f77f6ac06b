/* fork(2) in a signal handler: POSIX has it among the functions that are async-signal-safe (2.4.3, up to Issue 7). */
#include "../test.h"
#include <sys/time.h>

static volatile sig_atomic_t answers, wrong;

/* What a child ends with, or -1. */
static int end_of(pid_t pid) {
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    return pid > 0 && got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static void catch(int sig, void (*handler)(int), int flags) {
    answers = 0;
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&act.sa_mask);
    CHECK(sigaction(sig, &act, NULL) == 0);
}
static void forks(int sig) {
    int before = sig + 100;
    pid_t pid = fork();
    if (pid == 0)
        _exit(before == sig + 100 ? 5 : 6);
    answers += end_of(pid) == 5 && before == sig + 100;
}
TEST(in_a_call) {
    volatile int local = 17;
    catch(SIGUSR1, forks, 0);
    for (int i = 0; i < 3; i++)
        CHECK(raise(SIGUSR1) == 0);
    SAME(answers, 3);
    SAME(local, 17);
}
TEST(in_a_computation) {
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    double sum = 0;
    catch(SIGALRM, forks, 0);
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    for (unsigned i = 0; !answers && i < 4000000000u; i++)
        sum += i;
    SAME(answers, 1);
    CHECK(sum > 0);
}
TEST(in_a_sleep_that_ends) {
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    catch(SIGALRM, forks, 0);
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK(pause() == -1 && errno == EINTR);
    SAME(answers, 1);
}
TEST(in_a_call_that_is_made_again) {
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    catch(SIGUSR1, forks, SA_RESTART);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        struct timespec time = {.tv_nsec = 20000000};
        nanosleep(&time, NULL);
        kill(parent, SIGUSR1);
        nanosleep(&time, NULL);
        _exit(write(p[1], "x", 1) == 1 ? 0 : 1);
    }
    CHECK(read(p[0], &c, 1) == 1 && c == 'x');
    SAME(end_of(pid), 0);
    SAME(answers, 1);
}
static void execs(int sig) {
    (void)sig;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("sh", "sh", "-c", "exit 21", (char *)NULL);
        _exit(127);
    }
    answers += end_of(pid);
}
TEST(the_child_runs_another_program) {
    catch(SIGUSR1, execs, 0);
    CHECK(raise(SIGUSR1) == 0);
    SAME(answers, 21);
}
static int deep(int n) {
    volatile char frame[64];
    frame[0] = (char)n;
    if (n > 0)
        return deep(n - 1) + (frame[0] == (char)n);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(30);
        return end_of(grandchild) + 1;
    }
    return end_of(pid);
}
static void forks_deep(int sig) {
    (void)sig;
    pid_t me = getpid();
    int sum = deep(20);
    if (getpid() != me)
        _exit(sum);
    answers = sum;
}
TEST(a_child_of_a_child_deep_in_calls) {
    catch(SIGUSR1, forks_deep, 0);
    CHECK(raise(SIGUSR1) == 0);
    SAME(answers, 30 + 1 + 20 + 20);
}
TEST(and_again_outside_of_it) {
    catch(SIGUSR1, forks, 0);
    for (int i = 0; i < 3; i++) {
        CHECK(raise(SIGUSR1) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            answers = 0;
            raise(SIGUSR1);
            _exit(answers == 1 ? 40 + i : 1);
        }
        SAME(end_of(pid), 40 + i);
    }
    SAME(answers, 3);
}
static volatile sig_atomic_t left, ended;
static void replaces(int sig) {
    int saved = errno, status;
    (void)sig;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 9;
        ended++;
        if (left > 0) {
            left--;
            pid_t pid = fork();
            if (pid == 0)
                _exit(9);
            wrong += pid < 0;
        }
    }
    errno = saved;
}
/* The first end may come while the main program forks: the handler does so then, too. */
TEST(a_handler_that_replaces_dead_children) {
    struct timespec time = {.tv_nsec = 5000000};
    catch(SIGCHLD, replaces, SA_RESTART);
    left = 20;
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(9);
        CHECK(pid > 0);
    }
    for (int i = 0; i < 1000 && ended < 30; i++)
        nanosleep(&time, NULL);
    SAME(ended, 30);
    SAME(wrong, 0);
}
static void counts(int sig) {
    volatile char frame[2000];
    memset((char *)frame, sig, sizeof frame);
    answers++;
}
/* A handler of the child's that runs before it has done anything is on its stack, not over it. */
TEST(a_signal_to_a_child_that_has_not_begun) {
    volatile int local[64];
    catch(SIGCHLD, SIG_DFL, 0);
    catch(SIGUSR1, counts, 0);
    for (int i = 0; i < 64; i++)
        local[i] = i;
    for (int n = 0; n < 10; n++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0; i < 2000 && !answers; i++)
                usleep(1000);
            for (int i = 0; i < 64; i++)
                if (local[i] != i)
                    _exit(2);
            _exit(answers != 1);
        }
        CHECK(pid > 0 && kill(pid, SIGUSR1) == 0);
        SAME(end_of(pid), 0);
    }
}
static volatile sig_atomic_t in_child;
static void goes_back(int sig) {
    (void)sig;
    in_child = fork() == 0;
}
TEST(the_child_goes_back_to_what_was_interrupted) {
    int status;
    catch(SIGUSR1, goes_back, 0);
    catch(SIGCHLD, SIG_DFL, 0);
    CHECK(raise(SIGUSR1) == 0);
    if (in_child)
        _exit(8);
    CHECK(wait(&status) > 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);
}
TESTS = {T(in_a_call), T(in_a_computation), T(in_a_sleep_that_ends), T(in_a_call_that_is_made_again),
         T(the_child_runs_another_program), T(a_child_of_a_child_deep_in_calls), T(and_again_outside_of_it),
         T(a_handler_that_replaces_dead_children),
         T(a_signal_to_a_child_that_has_not_begun), T(the_child_goes_back_to_what_was_interrupted), END};
