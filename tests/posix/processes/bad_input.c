/* Programs that are wrong, and files that are no programs: a signal or an error for whoever did it, and nothing more. */
#include "../test.h"

#include <limits.h>
#include <setjmp.h>
#include <stdint.h>

/* The wait status of a child that does this. */
static int status_of(void (*f)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        /* No core file. */
        close(2);
        f();
        _exit(0);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}
static int dies_of(int status, int signal) {
    return status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static volatile int depth, zero, least = INT_MIN, minus = -1;
static int deeper(volatile char *above) {
    volatile char here[64];
    here[0] = above[0];
    return ++depth == INT_MAX ? 0 : deeper(here) + here[0];
}
static void recurse(void) {
    volatile char first[1] = {0};
    deeper(first);
}
TEST(recursion_without_end_is_a_fault) {
    CHECK(dies_of(status_of(recurse), SIGSEGV));
}

static void read_wildly(void) {
    zero = *(volatile int *)(UINTPTR_MAX - 63);
}
static void write_wildly(void) {
    *(volatile int *)(UINTPTR_MAX - 63) = 1;
}
TEST(memory_that_is_not_there_is_a_fault) {
    CHECK(dies_of(status_of(read_wildly), SIGSEGV));
    CHECK(dies_of(status_of(write_wildly), SIGSEGV));
}

static void divide_by_zero(void) {
    zero = least / zero;
}
static void divide_too_far(void) {
    zero = least / minus;
}
TEST(divisions_without_a_result) {
    CHECK(dies_of(status_of(divide_by_zero), SIGFPE));
    CHECK(dies_of(status_of(divide_too_far), SIGFPE));
}

static void call_wildly(void) {
    ((void (*)(void))(uintptr_t)0x7ffffff0)();
}
TEST(a_function_that_is_none) {
    int status = status_of(call_wildly);
    /* Which of the two is the machine's to say. */
    CHECK(dies_of(status, SIGSEGV) || dies_of(status, SIGILL));
}

static void handle_wildly(void) {
    struct sigaction sa = {.sa_handler = (void (*)(int))(uintptr_t)0x7ffffff0};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    _exit(1);
}
TEST(a_handler_that_is_no_function) {
    int status = status_of(handle_wildly);
    CHECK(dies_of(status, SIGSEGV) || dies_of(status, SIGILL));
}

static long of_another_type(long a, double b, char *c) {
    return a + (long)b + (c != NULL);
}
static void handle_by_another_type(void) {
    struct sigaction sa = {.sa_handler = (void (*)(int))(uintptr_t)of_another_type};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
}
TEST(a_handler_of_another_type_harms_nobody_else) {
    int status = status_of(handle_by_another_type);
    CHECK(status == 0 || dies_of(status, SIGSEGV) || dies_of(status, SIGILL));
}

static void fault_again(int signal) {
    (void)signal;
    write_wildly();
}
static void fault_twice(void) {
    struct sigaction sa = {.sa_handler = fault_again};
    sigaction(SIGSEGV, &sa, NULL);
    read_wildly();
}
TEST(a_fault_in_the_handler_of_faults) {
    CHECK(dies_of(status_of(fault_twice), SIGSEGV));
}

static void recurse_in_a_handler(int signal) {
    (void)signal;
    recurse();
}
static void overflow_in_a_handler(void) {
    struct sigaction sa = {.sa_handler = recurse_in_a_handler};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
}
TEST(recursion_in_a_handler_is_a_fault) {
    CHECK(dies_of(status_of(overflow_in_a_handler), SIGSEGV));
}

/* A file of these bytes that may be executed. */
static int program(const char *name, const void *bytes, size_t len) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    int wrong = fd < 0 || write(fd, bytes, len) != (ssize_t)len;
    close(fd);
    return wrong ? -1 : 0;
}
static int run(const char *name) {
    char *argv[] = {(char *)name, NULL};
    return execv(name, argv);
}

TEST(files_that_are_no_programs) {
    static const char cut[] = "\0asm\1\0\0\0\1\xff\xff", elf[] = "\177ELF\2\1\1";
    CHECK(program("text", "echo hello\n", 11) == 0 && program("empty", "", 0) == 0);
    CHECK(program("cut", cut, sizeof cut - 1) == 0 && program("zeros", "\0\0\0\0", 4) == 0);
    CHECK(program("elf", elf, sizeof elf - 1) == 0 && program("one", "\0", 1) == 0);
    FAILS(run("text"), ENOEXEC);
    FAILS(run("empty"), ENOEXEC);
    FAILS(run("cut"), ENOEXEC);
    FAILS(run("zeros"), ENOEXEC);
    FAILS(run("one"), ENOEXEC);
    CHECK(run("elf") == -1 && (errno == ENOEXEC || errno == EIO || errno == EINVAL));
}
TEST(files_that_may_not_be_run) {
    CHECK(mkdir("dir", 0755) == 0 && file("plain", "#!/bin/sh\n") >= 0);
    FAILS(run("dir"), EACCES);
    FAILS(run("plain"), EACCES);
    FAILS(run("dir/none"), ENOENT);
    FAILS(run("plain/none"), ENOTDIR);
    FAILS(run(""), ENOENT);
    CHECK(mkfifo("fifo", 0755) == 0);
    FAILS(run("fifo"), EACCES);
    FAILS(run("/dev/null"), EACCES);
}
TEST(interpreters_that_are_not_there) {
    char path[PATH_MAX], line[PATH_MAX + 8];
    CHECK(program("gone", "#!/nowhere/sh\n", 14) == 0 && program("none", "#!\n", 3) == 0);
    CHECK(program("dot", "#!.\n", 4) == 0 && getcwd(path, sizeof path));
    FAILS(run("gone"), ENOENT);
    FAILS(run("none"), ENOEXEC);
    FAILS(run("dot"), EACCES);
    int len = snprintf(line, sizeof line, "#!%s/again\n", path);
    CHECK(program("again", line, (size_t)len) == 0);
    FAILS(run("again"), ELOOP);
}
TEST(a_large_file_that_is_no_program) {
    int fd = open("large", O_WRONLY | O_CREAT, 0755);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 200 << 20) == 0 || errno == EFBIG || errno == ENOSPC);
    close(fd);
    CHECK(run("large") == -1 && (errno == ENOEXEC || errno == EFBIG || errno == ENOMEM));
}
/* A module of WebAssembly that is all one section, so that a system which runs such files has to look. */
TEST(a_large_file_that_is_nearly_one) {
    static const unsigned char head[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x64, 1, 'x'};
    CHECK(program("module", head, sizeof head) == 0);
    if (truncate("module", 13 + (200 << 20)) != 0)
        SKIP("no file may be so large here");
    CHECK(run("module") == -1 && (errno == ENOEXEC || errno == EFBIG || errno == ENOMEM));
}
TEST(arguments_without_end) {
    size_t len = 64 << 20;
    char *one = malloc(len), *argv[] = {"true", one, NULL};
    CHECK(one);
    memset(one, 'x', len - 1);
    one[len - 1] = 0;
    FAILS(execvp("true", argv), E2BIG);
    free(one);
}

static void search_for_text(void) {
    char *argv[] = {"text", NULL};
    setenv("PATH", ".", 1);
    execvp("text", argv);
    _exit(99);
}
TEST(a_shell_runs_text) {
    CHECK(program("text", "exit 7\n", 7) == 0);
    SAME(WEXITSTATUS(system("./text")), 7);
    SAME(WEXITSTATUS(status_of(search_for_text)), 7);
}

int child(int argc, char **argv) {
    (void)argc;
    return argv[1][0] - '0';
}
static int copy_of_self(const char *to) {
    char buf[4096];
    int from = open(self, O_RDONLY), fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n;
    while ((n = read(from, buf, sizeof buf)) > 0)
        if (write(fd, buf, (size_t)n) != n)
            return -1;
    close(from);
    return fd;
}
TEST(a_program_that_is_being_written) {
    int fd = copy_of_self("busy");
    CHECK(fd >= 0);
    char *argv[] = {"busy", "5", NULL};
    FAILS(execv("./busy", argv), ETXTBSY);
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        execv("./busy", argv);
        _exit(99);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    SAME(WEXITSTATUS(status), 5);
}

TESTS = {T(recursion_without_end_is_a_fault), T(memory_that_is_not_there_is_a_fault), T(divisions_without_a_result),
    T(a_function_that_is_none), T(a_handler_that_is_no_function), T(a_handler_of_another_type_harms_nobody_else),
    T(a_fault_in_the_handler_of_faults), T(recursion_in_a_handler_is_a_fault), T(files_that_are_no_programs),
    T(files_that_may_not_be_run), T(interpreters_that_are_not_there), T(a_large_file_that_is_no_program), T(a_large_file_that_is_nearly_one),
    T(arguments_without_end), T(a_shell_runs_text), T(a_program_that_is_being_written), END};
