/* Bad input to fork(2): too many children, too much memory. Each gets its error, and the system goes on. */
#include "../test.h"
#include <sys/resource.h>

#define KIB 1024
#define MIB (1024 * KIB)

static int ends_well(pid_t pid) {
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
static int forks(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return ends_well(pid);
}

/* Forks until it can't, and so do the children. Answers 0 when the end was EAGAIN. */
static int explode(void) {
    for (;;) {
        pid_t pid = fork();
        if (pid < 0)
            return errno == EAGAIN ? 0 : 1;
    }
}

/* A user whom nobody else is, where one may become any. */
static int bomb(void) {
    if (setpgid(0, 0) != 0 || setrlimit(RLIMIT_NPROC, &(struct rlimit){24, 24}) != 0)
        return 1;
    if (geteuid() == 0 && setuid(54321) != 0)
        return 2;
    int exploded = explode();
    struct timespec moment = {0, 1000000};
    /* Those who were born last may still be at it. The one that says how it went is the first. */
    for (int i = 0; i < 50; i++)
        nanosleep(&moment, NULL);
    return exploded;
}

TEST(a_bomb_ends_at_the_limit_of_processes) {
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        pid_t first = getpid();
        int how = bomb();
        if (getpid() != first || getpgrp() != first)
            for (;;)
                pause();
        char c = (char)how;
        _exit(write(p[1], &c, 1) == 1 ? 0 : 3);
    }
    close(p[1]);
    char how = 9;
    SAME(read(p[0], &how, 1), 1);
    SAME(how, 0);
    CHECK(kill(-pid, SIGKILL) == 0);
    /* The first has said how it went; it may have come to its end since, or not. */
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    /* All of them hold the pipe. */
    SAME(read(p[0], &how, 1), 0);
    close(p[0]);
    CHECK(forks());
}
TEST(many_children_in_a_row) {
    for (int i = 0; i < 1000; i++)
        CHECK(forks());
}
TEST(dead_children_wait_for_their_parent) {
    for (int round = 0; round < 5; round++) {
        pid_t pids[40];
        for (int i = 0; i < 40; i++)
            if ((pids[i] = fork()) == 0)
                _exit(i);
        for (int i = 39; i >= 0; i--) {
            int status = -1;
            SAME(waitpid(pids[i], &status, 0), pids[i]);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i);
        }
    }
    FAILS(wait(NULL), ECHILD);
}
TEST(dead_children_that_nobody_wants_go_away) {
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        CHECK(pid > 0);
        if (i % 20 == 19)
            /* Until there is none. */
            FAILS(wait(NULL), ECHILD);
    }
    CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
    CHECK(forks());
}
/* There may be no room for two of them: then it is ENOMEM, and nothing is lost. */
TEST(a_process_with_a_gibibyte_forks_or_is_told) {
    size_t size = 1000 * (size_t)MIB;
    char *big;
    while (!(big = malloc(size)) && size > MIB)
        size /= 2;
    CHECK(big);
    for (size_t i = 0; i < size; i += 16 * MIB)
        big[i] = (char)(i / MIB);
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < size; i += 16 * MIB)
            if (big[i] != (char)(i / MIB) || big[i + 1] != 0)
                _exit(1);
        big[0] = 77;
        _exit(0);
    }
    CHECK(pid > 0 || errno == ENOMEM || errno == EAGAIN);
    CHECK(pid < 0 || ends_well(pid));
    for (size_t i = 0; i < size; i += 16 * MIB)
        CHECK(big[i] == (char)(i / MIB));
    free(big);
    FAILS(wait(NULL), ECHILD);
}

TESTS = {T(a_bomb_ends_at_the_limit_of_processes), T(many_children_in_a_row), T(dead_children_wait_for_their_parent),
         T(dead_children_that_nobody_wants_go_away), T(a_process_with_a_gibibyte_forks_or_is_told), END};
