/*
 * Tests that need root, to be somebody else for a while: each in a child of its own, which tells what was wrong. One
 * who isn't root has no other identity to try, and tests that nothing is given to it.
 */
#include "../test.h"
#include <grp.h>

#define USER 1000
#define OTHER 1001

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
