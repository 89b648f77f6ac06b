/* fork(2). */
#include "../test.h"
#include <setjmp.h>

static int status_of(pid_t pid) {
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST(it_returns_twice) {
    pid_t me = getpid(), pid = fork();
    if (pid == 0)
        _exit(getpid() != me && getppid() == me ? 7 : 1);
    int s = status_of(pid);
    CHECK(WIFEXITED(s));
    SAME(WEXITSTATUS(s), 7);
}
static int counter = 5;
TEST(memory_is_a_copy) {
    int local = 1, *heap = malloc(sizeof *heap);
    *heap = 10;
    pid_t pid = fork();
    if (pid == 0) {
        int as_before = counter == 5 && local == 1 && *heap == 10;
        counter++, local++, (*heap)++;
        _exit(as_before && counter == 6 && local == 2 && *heap == 11 ? 0 : 1);
    }
    SAME(status_of(pid), 0);
    CHECK(counter == 5 && local == 1 && *heap == 10);
    free(heap);
}
TEST(offsets_are_shared) {
    char c;
    int fd = file("f", "abc");
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(fd, &c, 1) == 1 && c == 'a' ? 0 : 1);
    SAME(status_of(pid), 0);
    CHECK(read(fd, &c, 1) == 1 && c == 'b');
    close(fd);
}
TEST(descriptors_are_copies) {
    int fd = file("g", "");
    pid_t pid = fork();
    if (pid == 0) {
        close(fd);
        _exit(0);
    }
    SAME(status_of(pid), 0);
    CHECK(fcntl(fd, F_GETFD) == 0);
    close(fd);
}
TEST(a_pipe_between_parent_and_child) {
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        _exit(write(p[1], "from the child", 14) == 14 ? 0 : 1);
    }
    close(p[1]);
    CHECK(is_text(p[0], "from the child"));
    close(p[0]);
    SAME(status_of(pid), 0);
}
static int depth(int n) {
    volatile char frame[100];
    frame[0] = (char)n;
    if (n == 0) {
        pid_t pid = fork();
        return pid == 0 ? 100 : status_of(pid) == 0 ? 1 : -1000;
    }
    int r = depth(n - 1);
    return r < 0 ? r : r + (frame[0] == (char)n);
}
TEST(deep_in_a_recursion) {
    int r = depth(50);
    if (r == 150)
        _exit(0);
    SAME(r, 51);
}
static int by_pointer(void) {
    return (int)fork();
}
TEST(through_a_function_pointer) {
    int (*volatile f)(void) = by_pointer;
    pid_t pid = f();
    if (pid == 0)
        _exit(3);
    SAME(WEXITSTATUS(status_of(pid)), 3);
}
TEST(a_child_of_a_child) {
    pid_t pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(9);
        _exit(WEXITSTATUS(status_of(grandchild)) + 1);
    }
    SAME(WEXITSTATUS(status_of(pid)), 10);
}
TEST(the_child_runs_another_program) {
    pid_t pid = fork();
    if (pid == 0) {
        execlp("sh", "sh", "-c", "exit 21", (char *)NULL);
        _exit(127);
    }
    SAME(WEXITSTATUS(status_of(pid)), 21);
}
TEST(stdio_buffers_are_copied) {
    FILE *f = fopen("buffered", "w");
    fprintf(f, "x");
    pid_t pid = fork();
    if (pid == 0) {
        fclose(f);
        _exit(0);
    }
    SAME(status_of(pid), 0);
    fclose(f);
    struct stat st;
    CHECK(stat("buffered", &st) == 0);
    SAME(st.st_size, 2);
}
TEST(the_environment_and_directory_are_inherited) {
    CHECK(setenv("FORKED", "yes", 1) == 0 && mkdir("in", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getenv("FORKED") && !strcmp(getenv("FORKED"), "yes") && chdir("in") == 0 ? 0 : 1);
    SAME(status_of(pid), 0);
    CHECK(access("in", F_OK) == 0);
}
TEST(masks_are_inherited) {
    sigset_t set, old, now;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_BLOCK, NULL, &now);
        _exit(sigismember(&now, SIGUSR1) ? 0 : 1);
    }
    int s = status_of(pid);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    SAME(s, 0);
}
TEST(pending_signals_are_not_inherited) {
    sigset_t set, old;
    struct timespec now = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && raise(SIGUSR1) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sigtimedwait(&set, NULL, &now) == -1 ? 0 : 1);
    int s = status_of(pid), mine = sigtimedwait(&set, NULL, &now);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    SAME(s, 0);
    SAME(mine, SIGUSR1);
}
TEST(many_at_once) {
    int sum = 0, status;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        CHECK(pid > 0);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(wait(&status) > 0);
        sum += WEXITSTATUS(status);
    }
    SAME(sum, 190);
}
TEST(in_a_function_with_setjmp) {
    jmp_buf env;
    volatile int jumped = 0;
    if (setjmp(env)) {
        jumped = 1;
    } else {
        pid_t pid = fork();
        if (pid == 0)
            longjmp(env, 1);
        SAME(status_of(pid), 0);
    }
    if (jumped)
        _exit(0);
}
TEST(vfork_and_exec) {
    pid_t pid = vfork();
    if (pid == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    SAME(status_of(pid), 0);
}
TESTS = {T(it_returns_twice), T(memory_is_a_copy), T(offsets_are_shared), T(descriptors_are_copies),
         T(a_pipe_between_parent_and_child), T(deep_in_a_recursion), T(through_a_function_pointer),
         T(a_child_of_a_child), T(the_child_runs_another_program), T(stdio_buffers_are_copied),
         T(the_environment_and_directory_are_inherited), T(masks_are_inherited), T(pending_signals_are_not_inherited),
         T(many_at_once), T(in_a_function_with_setjmp), T(vfork_and_exec), END};
