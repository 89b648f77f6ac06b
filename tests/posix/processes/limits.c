/* getrlimit(2), setrlimit(2), and what the limits do. */
#include "../test.h"
#include <sys/resource.h>

static int status_of(pid_t pid) {
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST(limits_are_kept_and_checked) {
    struct rlimit r, old;
    CHECK(getrlimit(RLIMIT_CORE, &old) == 0);
    r = (struct rlimit){0, old.rlim_max};
    CHECK(setrlimit(RLIMIT_CORE, &r) == 0 && getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0);
    CHECK(setrlimit(RLIMIT_CORE, &old) == 0);
    r = (struct rlimit){5, 4};
    FAILS(setrlimit(RLIMIT_CORE, &r), EINVAL);
    FAILS(getrlimit(99, &r), EINVAL);
}
static volatile sig_atomic_t seen;
static void note(int signal) {
    (void)signal;
    seen++;
}
TEST(a_file_may_not_grow_past_RLIMIT_FSIZE) {
    pid_t pid = fork();
    if (pid == 0) {
        int fd = file("big", "");
        signal(SIGXFSZ, note);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){10, 10});
        int ok = write(fd, "0123456789abcdef", 16) == 10 && !seen;
        ok = ok && write(fd, "x", 1) == -1 && errno == EFBIG && seen == 1;
        ok = ok && ftruncate(fd, 11) == -1 && errno == EFBIG && seen == 2;
        ok = ok && ftruncate(fd, 5) == 0;
        _exit(!ok);
    }
    SAME(status_of(pid), 0);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
        int fd = file("none", "");
        _exit(write(fd, "x", 1) != 0);
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}
TEST(RLIMIT_CPU_sends_SIGXCPU) {
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){1, 4});
        for (;;)
            ;
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}
TEST(and_SIGKILL_in_the_end) {
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXCPU, note);
        setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2});
        for (;;)
            ;
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
TEST(RLIMIT_NPROC_holds_back_users) {
    if (getuid() != 0)
        SKIP("wants a user with no processes");
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1});
        if (setuid(54321) < 0)
            _exit(2);
        pid_t more = fork();
        if (more == 0)
            _exit(0);
        _exit(!(more == -1 && errno == EAGAIN));
    }
    SAME(status_of(pid), 0);
}
TESTS = {T(limits_are_kept_and_checked), T(a_file_may_not_grow_past_RLIMIT_FSIZE), T(RLIMIT_CPU_sends_SIGXCPU),
         T(and_SIGKILL_in_the_end), T(RLIMIT_NPROC_holds_back_users), END};
