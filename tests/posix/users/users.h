/*
 * Tests that need root, to be somebody else for a while: each in a child of its own, which tells what was wrong. One
 * who isn't root has no other identity to try, and tests that nothing is given to it.
 */
#include "../test.h"
#include <grp.h>

#define USER 1000
#define OTHER 1001

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

/* A test that only root can make, as `NAME_as_root`, and for others that they are refused. */
#define ROOT_TEST(name)                     \
    static void name##_as_root(void);       \
    TEST(name) {                            \
        if (geteuid() == 0)                 \
            apart(name##_as_root);          \
        else                                \
            FAILS(setgroups(0, NULL), EPERM); \
    }                                       \
    static void name##_as_root(void)

__attribute__((unused)) static int are_users(uid_t r, uid_t e, uid_t s) {
    uid_t a, b, c;
    return getresuid(&a, &b, &c) == 0 && a == r && b == e && c == s && getuid() == r && geteuid() == e;
}
__attribute__((unused)) static int are_groups(gid_t r, gid_t e, gid_t s) {
    gid_t a, b, c;
    return getresgid(&a, &b, &c) == 0 && a == r && b == e && c == s && getgid() == r && getegid() == e;
}
/* For good. */
__attribute__((unused)) static int become(uid_t id) {
    return setgroups(0, NULL) == 0 && setgid(id) == 0 && setuid(id) == 0;
}
