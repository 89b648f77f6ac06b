/* getpriority(2), setpriority(2), nice(3), and what they do; sched_getscheduler(2). */
#include "../test.h"
#include <sched.h>
#include <sys/resource.h>

static void values(void) {
    int before = getpriority(PRIO_PROCESS, 0);
    SAME(nice(0), before);
    SAME(nice(3), before + 3);
    SAME(getpriority(PRIO_PROCESS, 0), before + 3);
    SAME(getpriority(PRIO_PROCESS, (id_t)getpid()), before + 3);
    CHECK(setpriority(PRIO_PROCESS, 0, before + 4) == 0);
    SAME(getpriority(PRIO_PROCESS, 0), before + 4);
    CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0);
    SAME(getpriority(PRIO_PROCESS, 0), 19);
    FAILS(getpriority(7, 0), EINVAL);
    FAILS(setpriority(7, 0, 0), EINVAL);
    FAILS(getpriority(PRIO_PROCESS, 999999), ESRCH);
    FAILS(setpriority(PRIO_PROCESS, 999999, 0), ESRCH);
    FAILS(getpriority(PRIO_PGRP, 999999), ESRCH);
}
TEST(values_are_kept) {
    apart(values);
}

static void inherits(void) {
    CHECK(nice(5) >= 0);
    int mine = getpriority(PRIO_PROCESS, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0) == mine ? 0 : 1);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    SAME(status, 0);
}
TEST(children_inherit_it) {
    apart(inherits);
}

static void groups(void) {
    CHECK(setpgid(0, 0) == 0);
    int hold[2];
    CHECK(pipe(hold) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(hold[1]);
        _exit(read(hold[0], &c, 1) != 0);
    }
    close(hold[0]);
    /* Not less than it was: the tests may run at any nice value up to 16. */
    int mine = getpriority(PRIO_PROCESS, 0);
    CHECK(setpriority(PRIO_PROCESS, (id_t)pid, mine + 2) == 0);
    SAME(getpriority(PRIO_PROCESS, (id_t)pid), mine + 2);
    SAME(getpriority(PRIO_PGRP, 0), mine);
    CHECK(setpriority(PRIO_PGRP, 0, mine + 3) == 0);
    SAME(getpriority(PRIO_PROCESS, (id_t)pid), mine + 3);
    SAME(getpriority(PRIO_PROCESS, 0), mine + 3);
    SAME(getpriority(PRIO_PGRP, (id_t)getpgrp()), mine + 3);
    CHECK(getpriority(PRIO_USER, 0) <= mine + 3);
    close(hold[1]);
    SAME(waitpid(pid, NULL, 0), pid);
}
TEST(groups_have_the_lowest_of_their_members) {
    apart(groups);
}

static void others(void) {
    if (geteuid() != 0)
        return;
    CHECK(setpriority(PRIO_PROCESS, 0, -3) == 0);
    SAME(getpriority(PRIO_PROCESS, 0), -3);
    CHECK(nice(-100) == -20);
    CHECK(setpriority(PRIO_PROCESS, 0, 1) == 0);
    CHECK(setuid(12345) == 0);
    FAILS(setpriority(PRIO_PROCESS, 0, 0), EACCES);
    FAILS(nice(-1), EPERM);
    FAILS(setpriority(PRIO_PROCESS, (id_t)getppid(), 5), EPERM);
    CHECK(setpriority(PRIO_PROCESS, 0, 2) == 0);
}
TEST(only_root_takes_it_back) {
    apart(others);
}

/* As many of either kind: with the first before the second on every CPU, however many of them (up to this) there are. */
#define EACH 4

/* Processes of two nice values want all of the CPUs for a second; the seconds that those of either had. */
static void turns(const int nices[2], double had[2]) {
    int out[2 * EACH][2], go[2];
    long long start;
    pid_t pid[2 * EACH];
    CHECK(pipe(go) == 0);
    for (int i = 0; i < 2 * EACH; i++) {
        CHECK(pipe(out[i]) == 0);
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (pid[i] == 0) {
            setpriority(PRIO_PROCESS, 0, nices[i / EACH]);
            struct rusage before, after;
            /* When all of them are there, however long that takes. */
            if (read(go[0], &start, sizeof start) != sizeof start)
                _exit(2);
            while (now_ms() < start)
                ;
            getrusage(RUSAGE_SELF, &before);
            while (now_ms() < start + 1000)
                ;
            getrusage(RUSAGE_SELF, &after);
            double used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                          (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
            _exit(write(out[i][1], &used, sizeof used) != sizeof used);
        }
    }
    start = now_ms() + 100;
    for (int i = 0; i < 2 * EACH; i++)
        CHECK(write(go[1], &start, sizeof start) == sizeof start);
    for (int i = 0; i < 2 * EACH; i++) {
        double used;
        CHECK(read(out[i][0], &used, sizeof used) == sizeof used);
        had[i / EACH] += used;
        CHECK(waitpid(pid[i], NULL, 0) == pid[i]);
        close(out[i][0]), close(out[i][1]);
    }
    close(go[0]), close(go[1]);
}
TEST(the_nicer_gets_less_but_something) {
    double had[2] = {0, 0};
#ifdef __linux__
    /* All on one CPU. */
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        SKIP("can't be on one CPU");
#endif
    turns((int[]){0, 10}, had);
    /* 110 of 1134 would be fair: a tenth, with much room for what else this machine does. */
    CHECK(had[1] > 0.002);
    CHECK(had[0] > 2 * had[1]);
}
TEST(one_policy) {
    struct sched_param p = {.sched_priority = 9};
    SAME(sched_getscheduler(0), SCHED_OTHER);
    CHECK(sched_getparam(0, &p) == 0 && p.sched_priority == 0);
    SAME(sched_get_priority_max(SCHED_OTHER), 0);
    SAME(sched_get_priority_min(SCHED_OTHER), 0);
    p.sched_priority = 0;
    CHECK(sched_setscheduler(0, SCHED_OTHER, &p) == 0);
    FAILS(sched_get_priority_max(99), EINVAL);
    FAILS(sched_getscheduler(999999), ESRCH);
    CHECK(sched_yield() == 0);
}
TESTS = {T(values_are_kept), T(children_inherit_it), T(groups_have_the_lowest_of_their_members),
         T(only_root_takes_it_back), T(the_nicer_gets_less_but_something), T(one_policy), END};
