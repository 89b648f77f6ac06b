/* posix_spawn(3), its attributes and file actions; waitpid(2). */
#include "../test.h"
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

/* What this program does when it is run again. */
int child(int argc, char **argv) {
    const char *what = argv[1];
    if (!strcmp(what, "exit"))
        return atoi(argv[2]);
    if (!strcmp(what, "args"))
        for (int i = 2; i < argc; i++)
            printf("[%s]", argv[i]);
    if (!strcmp(what, "env"))
        printf("%s", getenv(argv[2]) ? getenv(argv[2]) : "none");
    if (!strcmp(what, "cwd"))
        printf("%d", access(argv[2], F_OK));
    if (!strcmp(what, "fd"))
        printf("%d", fcntl(atoi(argv[2]), F_GETFD));
    if (!strcmp(what, "cat"))
        printf("%s", text_of(0));
    if (!strcmp(what, "group"))
        printf("%d %d %d", getpgrp() == getpid(), getpgrp() == atoi(argv[2]), getsid(0) == getpid());
    if (!strcmp(what, "kill"))
        raise(atoi(argv[2]));
    if (!strcmp(what, "blocked")) {
        sigset_t set;
        sigprocmask(SIG_BLOCK, NULL, &set);
        printf("%d", sigismember(&set, SIGUSR1));
    }
    if (!strcmp(what, "ignored")) {
        struct sigaction a;
        sigaction(SIGUSR2, NULL, &a);
        printf("%d", a.sa_handler == SIG_IGN);
    }
    if (!strcmp(what, "ids"))
        printf("%d %d", geteuid() == getuid(), getegid() == getgid());
    if (!strcmp(what, "sleep"))
        sleep(20);
    if (!strcmp(what, "stop"))
        raise(SIGSTOP);
    return 0;
}

static posix_spawn_file_actions_t actions;
static posix_spawnattr_t attr;

static pid_t start(char *a, char *b, char *c) {
    char *argv[] = {(char *)self, a, b, c, NULL};
    pid_t pid = -1;
    int e = posix_spawn(&pid, self, &actions, &attr, argv, environ);
    errno = e;
    return e ? -1 : pid;
}
static int status_of(pid_t pid) {
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}
/* What the child writes. */
static const char *says(char *a, char *b, char *c) {
    int fd = open("said", O_RDWR | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    if (status_of(start(a, b, c)) != 0)
        return "failed";
    lseek(fd, 0, SEEK_SET);
    const char *text = text_of(fd);
    close(fd);
    return text;
}
static void fresh(void) {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
}

TEST(exit_statuses) {
    fresh();
    SAME(status_of(start("exit", "0", NULL)), 0);
    int s = status_of(start("exit", "7", NULL));
    CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 7 && !WIFSIGNALED(s) && !WIFSTOPPED(s));
    s = status_of(start("exit", "258", NULL));
    SAME(WEXITSTATUS(s), 2);
}
TEST(death_by_signal) {
    fresh();
    int s = status_of(start("kill", "9", NULL));
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL && !WIFEXITED(s));
    s = status_of(start("kill", "15", NULL));
    SAME(WTERMSIG(s), SIGTERM);
}
TEST(arguments_arrive_as_they_are) {
    fresh();
    const char *text = says("args", "a b", "");
    CHECK(strcmp(text, "[a b][]") == 0);
}
TEST(the_environment_is_the_one_given) {
    fresh();
    char *argv[] = {(char *)self, "env", "HELLO", NULL}, *envp[] = {"HELLO=world", NULL};
    int fd = file("env", "");
    pid_t pid;
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    SAME(posix_spawn(&pid, self, &actions, NULL, argv, envp), 0);
    SAME(status_of(pid), 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && is_text(fd, "world"));
    close(fd);
    CHECK(setenv("HELLO", "inherited", 1) == 0);
    fresh();
    CHECK(strcmp(says("env", "HELLO", NULL), "inherited") == 0);
}
TEST(a_program_that_is_not_there_is_an_error) {
    fresh();
    char *argv[] = {"x", NULL};
    pid_t pid;
    SAME(posix_spawn(&pid, "./missing", NULL, NULL, argv, environ), ENOENT);
    SAME(posix_spawnp(&pid, "no-such-program-anywhere", NULL, NULL, argv, environ), ENOENT);
    close(file("plain", "text"));
    SAME(posix_spawn(&pid, "./plain", NULL, NULL, argv, environ), EACCES);
    FAILS(waitpid(-1, NULL, 0), ECHILD);
}
TEST(posix_spawnp_looks_in_PATH) {
    char *argv[] = {"true", NULL};
    pid_t pid;
    SAME(posix_spawnp(&pid, "true", NULL, NULL, argv, environ), 0);
    SAME(status_of(pid), 0);
}
TEST(file_actions_are_done_in_order) {
    fresh();
    close(file("input", "from a file"));
    posix_spawn_file_actions_addopen(&actions, 0, "input", O_RDONLY, 0);
    CHECK(strcmp(says("cat", NULL, NULL), "from a file") == 0);
    fresh();
    posix_spawn_file_actions_addopen(&actions, 8, "input", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 8, 0);
    posix_spawn_file_actions_addclose(&actions, 8);
    CHECK(strcmp(says("cat", NULL, NULL), "from a file") == 0);
    fresh();
    posix_spawn_file_actions_addopen(&actions, 5, "input", O_RDONLY, 0);
    posix_spawn_file_actions_addclose(&actions, 5);
    CHECK(strcmp(says("fd", "5", NULL), "-1") == 0);
    fresh();
    posix_spawn_file_actions_addopen(&actions, 0, "missing", O_RDONLY, 0);
    FAILS(start("cat", NULL, NULL), ENOENT);
}
TEST(dup2_onto_itself_clears_cloexec) {
    fresh();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char number[8];
    snprintf(number, sizeof number, "%d", fd);
    CHECK(strcmp(says("fd", number, NULL), "-1") == 0);
    fresh();
    posix_spawn_file_actions_adddup2(&actions, fd, fd);
    CHECK(strcmp(says("fd", number, NULL), "0") == 0);
    close(fd);
}
TEST(chdir_action) {
    fresh();
    CHECK(mkdir("sub", 0755) == 0);
    close(file("sub/only-here", ""));
    posix_spawn_file_actions_addchdir_np(&actions, "sub");
    CHECK(strcmp(says("cwd", "only-here", NULL), "0") == 0);
}
TEST(groups_and_sessions) {
    char number[16];
    snprintf(number, sizeof number, "%d", (int)getpgrp());
    fresh();
    CHECK(strcmp(says("group", number, NULL), "0 1 0") == 0);
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);
    CHECK(strcmp(says("group", number, NULL), "1 0 0") == 0);
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    CHECK(strcmp(says("group", number, NULL), "1 0 1") == 0);
}
TEST(masks_are_inherited_or_set) {
    sigset_t usr1, old, none;
    sigemptyset(&usr1), sigemptyset(&none);
    sigaddset(&usr1, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &usr1, &old) == 0);
    fresh();
    const char *text = says("blocked", NULL, NULL);
    int inherited = !strcmp(text, "1");
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    int cleared = !strcmp(says("blocked", NULL, NULL), "0");
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &usr1);
    CHECK(inherited && cleared);
    CHECK(strcmp(says("blocked", NULL, NULL), "1") == 0);
}
TEST(ignored_signals_are_inherited_or_reset) {
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    signal(SIGUSR2, SIG_IGN);
    fresh();
    int inherited = !strcmp(says("ignored", NULL, NULL), "1");
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attr, &usr2);
    int reset = !strcmp(says("ignored", NULL, NULL), "0");
    signal(SIGUSR2, SIG_DFL);
    CHECK(inherited && reset);
}
TEST(only_the_signals_of_the_set_are_reset) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR2, SIG_IGN);
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_RESETIDS);
    posix_spawnattr_setsigdefault(&attr, &set);
    int kept = !strcmp(says("ignored", NULL, NULL), "1");
    signal(SIGUSR2, SIG_DFL);
    CHECK(kept);
    CHECK(strcmp(says("ids", NULL, NULL), "1 1") == 0);
}
TEST(scheduling_attributes) {
    fresh();
    struct sched_param p = {.sched_priority = 0};
    int policy = -1;
    SAME(posix_spawnattr_setschedparam(&attr, &p), 0);
    SAME(posix_spawnattr_setschedpolicy(&attr, SCHED_OTHER), 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSCHEDPARAM | POSIX_SPAWN_SETSCHEDULER);
    CHECK(posix_spawnattr_getschedpolicy(&attr, &policy) == 0 && policy == SCHED_OTHER);
    SAME(status_of(start("exit", "0", NULL)), 0);
    p.sched_priority = 5;
    posix_spawnattr_setschedparam(&attr, &p);
    FAILS(start("exit", "0", NULL), EINVAL);
}
TEST(fchdir_action) {
    fresh();
    CHECK(mkdir("below", 0755) == 0);
    close(file("below/there", ""));
    int dir = open("below", O_RDONLY | O_DIRECTORY);
    posix_spawn_file_actions_addfchdir_np(&actions, dir);
    CHECK(strcmp(says("cwd", "there", NULL), "0") == 0);
    close(dir);
}
TEST(a_file_is_no_terminal_for_tcsetpgrp) {
    fresh();
    int fd = file("no-tty", "");
    posix_spawn_file_actions_addtcsetpgrp_np(&actions, fd);
    FAILS(start("exit", "0", NULL), ENOTTY);
    close(fd);
}
TEST(WNOHANG_does_not_wait) {
    fresh();
    pid_t pid = start("sleep", NULL, NULL);
    int status;
    SAME(waitpid(pid, &status, WNOHANG), 0);
    CHECK(kill(pid, SIGKILL) == 0);
    SAME(waitpid(pid, &status, 0), pid);
    FAILS(waitpid(pid, &status, 0), ECHILD);
    FAILS(kill(pid, 0), ESRCH);
}
TEST(stopped_and_continued_children_are_told) {
    fresh();
    int status;
    pid_t pid = start("stop", NULL, NULL);
    SAME(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP && !WIFEXITED(status) && !WIFSIGNALED(status));
    SAME(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
    CHECK(kill(pid, SIGCONT) == 0);
    SAME(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    SAME(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
}
TEST(waiting_for_a_group) {
    fresh();
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    pid_t a = start("exit", "1", NULL);
    fresh();
    pid_t b = start("exit", "2", NULL);
    int status;
    SAME(waitpid(-a, &status, 0), a);
    SAME(WEXITSTATUS(status), 1);
    FAILS(waitpid(-a, &status, 0), ECHILD);
    SAME(waitpid(0, &status, 0), b);
}
TEST(wait4_tells_usage) {
    fresh();
    struct rusage u;
    int status;
    pid_t pid = start("exit", "0", NULL);
    memset(&u, 0xff, sizeof u);
    SAME(wait4(pid, &status, 0, &u), pid);
    CHECK(u.ru_utime.tv_sec >= 0 && u.ru_utime.tv_sec < 100 && u.ru_utime.tv_usec < 1000000 && u.ru_maxrss > 0);
    CHECK(getrusage(RUSAGE_CHILDREN, &u) == 0 && u.ru_maxrss > 0);
}
TEST(waitid_tells_what_has_happened) {
    fresh();
    siginfo_t info;
    pid_t pid = start("exit", "5", NULL);
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
    CHECK(info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 5);
    CHECK(info.si_uid == getuid());
    pid = start("kill", "9", NULL);
    SAME(waitid(P_ALL, 0, &info, WEXITED), 0);
    CHECK(info.si_code == CLD_KILLED && info.si_pid == pid && info.si_status == SIGKILL);
    FAILS(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    FAILS(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    FAILS(waitid(P_ALL, 0, &info, WEXITED | 0x40), EINVAL);
}
TEST(waitid_can_leave_the_child) {
    fresh();
    siginfo_t info;
    pid_t pid = start("exit", "3", NULL);
    for (int i = 0; i < 3; i++) {
        memset(&info, 0, sizeof info);
        SAME(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        CHECK(info.si_pid == pid && info.si_status == 3);
    }
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    SAME(WEXITSTATUS(status), 3);
}
TEST(waitid_takes_only_what_it_is_asked_for) {
    fresh();
    siginfo_t info;
    pid_t pid = start("stop", NULL, NULL);
    SAME(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    SAME(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
    info.si_pid = 7;
    SAME(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOHANG), 0);
    SAME(info.si_pid, 0);
    CHECK(kill(pid, SIGCONT) == 0);
    SAME(waitid(P_PID, (id_t)pid, &info, WCONTINUED), 0);
    CHECK(info.si_code == CLD_CONTINUED && info.si_status == SIGCONT);
    SAME(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WNOWAIT), 0);
    CHECK(info.si_code == CLD_EXITED);
    FAILS(waitid(P_PID, (id_t)pid, &info, WSTOPPED), ECHILD);
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
}
TEST(many_children_end_in_any_order) {
    fresh();
    long sum = 0;
    for (int i = 0; i < 20; i++) {
        char n[8];
        snprintf(n, sizeof n, "%d", i);
        CHECK(start("exit", n, NULL) > 0);
    }
    for (int i = 0, status; i < 20; i++) {
        CHECK(wait(&status) > 0);
        sum += WEXITSTATUS(status);
    }
    SAME(sum, 190);
    FAILS(wait(NULL), ECHILD);
}
TESTS = {T(exit_statuses), T(death_by_signal), T(arguments_arrive_as_they_are), T(the_environment_is_the_one_given),
         T(a_program_that_is_not_there_is_an_error), T(posix_spawnp_looks_in_PATH), T(file_actions_are_done_in_order),
         T(dup2_onto_itself_clears_cloexec), T(chdir_action), T(groups_and_sessions), T(masks_are_inherited_or_set),
         T(ignored_signals_are_inherited_or_reset), T(WNOHANG_does_not_wait), T(stopped_and_continued_children_are_told),
         T(only_the_signals_of_the_set_are_reset), T(scheduling_attributes), T(fchdir_action),
         T(a_file_is_no_terminal_for_tcsetpgrp),
         T(waiting_for_a_group), T(wait4_tells_usage), T(waitid_tells_what_has_happened), T(waitid_can_leave_the_child),
         T(waitid_takes_only_what_it_is_asked_for), T(many_children_end_in_any_order), END};
