/*
 * A test program is a list of functions in a table, each of which leaves at its first wrong answer.
 * It runs in an empty directory of its own and says a line for each: `ok NAME`, `skip NAME: WHY` or
 * `not ok NAME: PLACE: WHAT`.
 *
 *     TEST(a_new_file_is_empty) { ... CHECK(st.st_size == 0); }
 *     TESTS = {T(a_new_file_is_empty), END};
 */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test {
    const char *name;
    void (*run)(void);
};

static char failure[512];
static const char *skipped;
/* The path of this program, for tests that run it again. */
static const char *self __attribute__((unused));

#define TEST(name) static void name(void)
#define TESTS static const struct test tests[]
#define T(name) {#name, name}
#define END {0, 0}

__attribute__((format(printf, 3, 4), unused)) static void fail(const char *file, int line, const char *what, ...) {
    const char *slash = strrchr(file, '/');
    int n = snprintf(failure, sizeof failure, "%s:%d: ", slash ? slash + 1 : file, line);
    va_list ap;
    va_start(ap, what);
    vsnprintf(failure + n, sizeof failure - (size_t)n, what, ap);
    va_end(ap);
}

/* True, or the test is over. */
#define CHECK(what)                                                        \
    do {                                                                   \
        errno = 0;                                                         \
        if (!(what)) {                                                     \
            fail(__FILE__, __LINE__, "%s (errno: %s)", #what, strerror(errno)); \
            return;                                                        \
        }                                                                  \
    } while (0)

/* Two numbers are the same. */
#define SAME(have, want)                                                                     \
    do {                                                                                     \
        errno = 0;                                                                           \
        long long have_ = (long long)(have), want_ = (long long)(want);                      \
        if (have_ != want_) {                                                                \
            fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno: %s)", #have, have_, want_, strerror(errno)); \
            return;                                                                          \
        }                                                                                    \
    } while (0)

/* The call answers -1 with this error. */
#define FAILS(call, error)                                                                      \
    do {                                                                                        \
        errno = 0;                                                                              \
        long long got_ = (long long)(call);                                                     \
        if (got_ != -1 || errno != (error)) {                                                   \
            fail(__FILE__, __LINE__, "%s answers %lld (errno: %s), not %s", #call, got_, strerror(errno), #error); \
            return;                                                                             \
        }                                                                                       \
    } while (0)

#define SKIP(why)      \
    do {               \
        skipped = why; \
        return;        \
    } while (0)

/* A file with this text. */
__attribute__((unused)) static int file(const char *path, const char *text) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return -1;
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

/* What a descriptor has, to its end. */
__attribute__((unused)) static const char *text_of(int fd) {
    static char buf[4096];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof buf - 1 && (n = read(fd, buf + len, sizeof buf - 1 - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
    return buf;
}

__attribute__((unused)) static int is_text(int fd, const char *want) {
    return strcmp(text_of(fd), want) == 0;
}

__attribute__((unused)) static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Runs a test in a child, which tells what was wrong: what it changes of itself can't be taken back. */
__attribute__((unused)) static void apart(void (*test)(void)) {
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(p[0]);
        test();
        size_t n = strlen(failure);
        _exit(write(p[1], failure, n) != (ssize_t)n);
    }
    close(p[1]);
    const char *text = text_of(p[0]);
    close(p[0]);
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    SAME(status, 0);
    if (*text)
        fail(__FILE__, __LINE__, "%s", text);
}

/* Defined by programs that run themselves with arguments. */
__attribute__((weak)) int child(int argc, char **argv);

static const struct test tests[];
int main(int argc, char **argv) {
    self = argv[0];
    if (argc > 1 && child)
        return child(argc, argv);
    /* A shell without job control starts `&` with these ignored, and tests make them end what they make. */
    signal(SIGINT, SIG_DFL), signal(SIGQUIT, SIG_DFL);
    int failed = 0;
    for (const struct test *t = tests; t->name; t++) {
        failure[0] = '\0', skipped = NULL;
        t->run();
        if (failure[0])
            printf("not ok %s: %s\n", t->name, failure), failed = 1;
        else if (skipped)
            printf("skip %s: %s\n", t->name, skipped);
        else
            printf("ok %s\n", t->name);
        fflush(stdout);
    }
    return failed;
}
#endif
