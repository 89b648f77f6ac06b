/* Core dumps: which signals ask for one, and who has to allow it. */
#include "../test.h"
#include <sys/resource.h>

/* Where the machine puts them may be its own affair; that is then not looked at. */
static int plain(void) {
    char pattern[64] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    if (fd < 0)
        return 1;
    ssize_t n = read(fd, pattern, sizeof pattern - 1);
    close(fd);
    return n > 0 && strcmp(pattern, "core\n") == 0;
}

/* How a child ends that gets this signal and may dump so much. */
static int ends(int signal, rlim_t limit) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit r;
        if (getrlimit(RLIMIT_CORE, &r) != 0)
            _exit(1);
        r.rlim_cur = limit < r.rlim_max ? limit : r.rlim_max;
        if (setrlimit(RLIMIT_CORE, &r) != 0)
            _exit(2);
        raise(signal);
        _exit(3);
    }
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static int allowed(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max != 0;
}

TEST(nobody_who_may_not_leaves_one) {
    int status = ends(SIGABRT, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
    CHECK(access("core", F_OK) == -1);
}
TEST(the_signals_that_do) {
    static const int dump[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ};
    if (!plain() || !allowed())
        SKIP("core dumps go elsewhere, or may not be had");
    for (size_t i = 0; i < sizeof dump / sizeof *dump; i++) {
        int status = ends(dump[i], RLIM_INFINITY);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == dump[i] && WCOREDUMP(status));
        struct stat st;
        CHECK(stat("core", &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600);
        CHECK(st.st_size > 0 && st.st_uid == geteuid());
        CHECK(unlink("core") == 0);
    }
}
TEST(the_signals_that_do_not) {
    static const int others[] = {SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGVTALRM};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int status = ends(others[i], RLIM_INFINITY);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == others[i] && !WCOREDUMP(status));
    }
    CHECK(access("core", F_OK) == -1);
}
TEST(the_limit_is_the_most_it_has) {
    if (!plain() || !allowed())
        SKIP("core dumps go elsewhere, or may not be had");
    int status = ends(SIGABRT, 8192);
    struct stat st;
    CHECK(WIFSIGNALED(status) && stat("core", &st) == 0 && st.st_size <= 8192);
    unlink("core");
}
TEST(waitid_tells) {
    if (!plain() || !allowed())
        SKIP("core dumps go elsewhere, or may not be had");
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit r;
        getrlimit(RLIMIT_CORE, &r);
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_CORE, &r);
        abort();
    }
    siginfo_t info = {0};
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
    CHECK(info.si_code == CLD_DUMPED && info.si_status == SIGABRT);
    unlink("core");
}

TESTS = {T(nobody_who_may_not_leaves_one), T(the_signals_that_do), T(the_signals_that_do_not),
         T(the_limit_is_the_most_it_has), T(waitid_tells), END};
