/* sigqueue(3): a value with a signal, in order, and how many may wait. */
#include "../test.h"

static int values[8];
static volatile sig_atomic_t count;
static pid_t sender;
static void take(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (count < 8)
        values[count] = info->si_value.sival_int;
    count++;
    sender = info->si_code == SI_QUEUE ? info->si_pid : 0;
}
TEST(values_come_in_order) {
    struct sigaction a = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};
    sigset_t set;
    CHECK(sigaction(SIGRTMIN, &a, NULL) == 0);
    sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 3; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i * 11}) == 0);
    SAME(count, 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    SAME(count, 3);
    CHECK(values[0] == 11 && values[1] == 22 && values[2] == 33 && sender == getpid());
}
TEST(a_value_is_waited_for) {
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5}) == 0);
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_QUEUE && info.si_value.sival_int == 5);
}
TEST(wrong_signals_and_processes) {
    union sigval v = {0};
    FAILS(sigqueue(getpid(), 65, v), EINVAL);
    FAILS(sigqueue(0x7ffffff0, 0, v), ESRCH);
    CHECK(sigqueue(getpid(), 0, v) == 0);
}
TESTS = {T(values_come_in_order), T(a_value_is_waited_for), T(wrong_signals_and_processes), END};
