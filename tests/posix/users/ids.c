/* setuid(2), seteuid(2), setreuid(2), setresuid(2) and the same of groups; getgroups(2), setgroups(2), initgroups(3). */
#include "users.h"
#include <limits.h>

#define KEEP ((uid_t)-1)

TEST(ones_own_ids_may_be_set) {
    uid_t r, e, s;
    CHECK(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid());
    CHECK(setresuid(KEEP, KEEP, KEEP) == 0 && setreuid(KEEP, KEEP) == 0 && setresuid(r, e, s) == 0);
    CHECK(setuid(e) == 0 && seteuid(e) == 0 && are_users(r, e, s));
    gid_t rg, eg, sg;
    CHECK(getresgid(&rg, &eg, &sg) == 0 && rg == getgid() && eg == getegid());
    CHECK(setresgid(KEEP, KEEP, KEEP) == 0 && setregid(KEEP, KEEP) == 0 && setgid(eg) == 0 && setegid(eg) == 0);
    FAILS(setuid(KEEP), EINVAL);
    FAILS(setgid(KEEP), EINVAL);
}
ROOT_TEST(root_gives_itself_away_for_good) {
    CHECK(setuid(USER) == 0 && are_users(USER, USER, USER));
    FAILS(setuid(0), EPERM);
    FAILS(seteuid(0), EPERM);
    FAILS(setreuid(0, KEEP), EPERM);
    FAILS(setreuid(KEEP, 0), EPERM);
    FAILS(setresuid(KEEP, KEEP, 0), EPERM);
    FAILS(setgid(USER), EPERM);
    FAILS(setgroups(0, NULL), EPERM);
    CHECK(are_users(USER, USER, USER));
}
ROOT_TEST(root_comes_back_by_its_saved_id) {
    CHECK(seteuid(USER) == 0 && are_users(0, USER, 0));
    FAILS(setgid(5), EPERM);
    CHECK(seteuid(0) == 0 && are_users(0, 0, 0));
    CHECK(setresuid(USER, OTHER, 0) == 0 && are_users(USER, OTHER, 0));
    CHECK(setuid(USER) == 0 && are_users(USER, USER, 0));
    FAILS(setuid(OTHER), EPERM);
    CHECK(seteuid(0) == 0 && are_users(USER, 0, 0));
}
ROOT_TEST(setresuid_takes_any_of_ones_three) {
    CHECK(setresuid(1, 2, 3) == 0);
    FAILS(setresuid(4, KEEP, KEEP), EPERM);
    FAILS(setresuid(KEEP, 4, KEEP), EPERM);
    FAILS(setresuid(KEEP, KEEP, 4), EPERM);
    CHECK(setresuid(3, 1, 2) == 0 && are_users(3, 1, 2));
    /* All or nothing. */
    FAILS(setresuid(1, 1, 4), EPERM);
    CHECK(are_users(3, 1, 2));
    CHECK(setresuid(3, 3, 3) == 0);
    FAILS(seteuid(1), EPERM);
}
ROOT_TEST(setreuid_sets_the_saved_one_as_well) {
    CHECK(setreuid(USER, KEEP) == 0 && are_users(USER, 0, 0));
    CHECK(setresuid(USER, 0, 0) == 0 && setreuid(KEEP, USER) == 0);
    /* The effective one is the real one: the saved one stays. */
    CHECK(are_users(USER, USER, 0));
    CHECK(setresuid(KEEP, 0, KEEP) == 0 && setreuid(KEEP, OTHER) == 0 && are_users(USER, OTHER, OTHER));
    /* Others may swap the two. */
    CHECK(setreuid(OTHER, USER) == 0 && are_users(OTHER, USER, USER));
    CHECK(setreuid(USER, USER) == 0 && are_users(USER, USER, USER));
    FAILS(setreuid(OTHER, KEEP), EPERM);
}
ROOT_TEST(the_real_id_is_never_the_saved_one_by_setreuid) {
    CHECK(setresuid(1, 2, 3) == 0);
    FAILS(setreuid(3, KEEP), EPERM);
    CHECK(setreuid(KEEP, 3) == 0 && are_users(1, 3, 3));
}
ROOT_TEST(groups_go_the_same_way) {
    CHECK(setresgid(1, 2, 3) == 0 && are_groups(1, 2, 3));
    CHECK(setregid(KEEP, 4) == 0 && are_groups(1, 4, 4));
    CHECK(setgid(USER) == 0 && are_groups(USER, USER, USER));
    CHECK(setresgid(1, 2, 3) == 0 && setuid(USER) == 0);
    FAILS(setgid(2), EPERM);
    CHECK(setgid(3) == 0 && are_groups(1, 3, 3));
    CHECK(setegid(1) == 0 && are_groups(1, 1, 3));
    FAILS(setresgid(KEEP, KEEP, 4), EPERM);
    FAILS(setregid(4, KEEP), EPERM);
    CHECK(setresgid(3, 3, 1) == 0 && are_groups(3, 3, 1));
}
ROOT_TEST(supplementary_groups) {
    gid_t some[] = {7, 8, 9}, got[NGROUPS_MAX];
    CHECK(setgroups(3, some) == 0);
    SAME(getgroups(0, NULL), 3);
    SAME(getgroups(3, got), 3);
    CHECK(!memcmp(some, got, sizeof some));
    FAILS(getgroups(2, got), EINVAL);
    volatile int less = -1;
    FAILS(getgroups(less, got), EINVAL);
    FAILS(setgroups(NGROUPS_MAX + 1, got), EINVAL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(setgroups(0, NULL) == 0 && getgroups(0, NULL) == 0 ? 0 : 1);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    SAME(getgroups(0, NULL), 3);
    CHECK(initgroups("root", 5) == 0);
    int n = getgroups(NGROUPS_MAX, got);
    CHECK(n >= 1);
    int is_there = 0;
    for (int i = 0; i < n; i++)
        is_there |= got[i] == 5;
    CHECK(is_there);
}
ROOT_TEST(a_supplementary_group_opens_files) {
    close(file("groups", "x"));
    CHECK(chown("groups", 0, 7) == 0 && chmod("groups", 0040) == 0 && chmod(".", 0755) == 0);
    gid_t seven = 7;
    CHECK(setgroups(1, &seven) == 0 && setgid(USER) == 0 && setuid(USER) == 0);
    int fd = open("groups", O_RDONLY);
    CHECK(fd >= 0);
    FAILS(open("groups", O_WRONLY), EACCES);
}
ROOT_TEST(without_the_group_they_stay_closed) {
    close(file("groups2", "x"));
    CHECK(chown("groups2", 0, 7) == 0 && chmod("groups2", 0040) == 0 && chmod(".", 0755) == 0 && become(USER));
    FAILS(open("groups2", O_RDONLY), EACCES);
}
ROOT_TEST(access_asks_for_the_real_user) {
    close(file("roots", "x"));
    CHECK(chmod("roots", 0600) == 0 && chmod(".", 0755) == 0);
    CHECK(setresuid(USER, 0, 0) == 0);
    FAILS(access("roots", R_OK), EACCES);
    CHECK(faccessat(AT_FDCWD, "roots", R_OK, AT_EACCESS) == 0);
    CHECK(setresuid(0, USER, 0) == 0);
    CHECK(access("roots", R_OK) == 0);
    FAILS(faccessat(AT_FDCWD, "roots", R_OK, AT_EACCESS), EACCES);
    FAILS(open("roots", O_RDONLY), EACCES);
}
ROOT_TEST(signals_go_by_real_and_saved_ids) {
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        /* The effective one doesn't count for whom it is sent to. */
        if (setresuid(USER, OTHER, USER) == 0 && write(p[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char c;
    CHECK(read(p[0], &c, 1) == 1);
    CHECK(seteuid(OTHER) == 0 && setresuid(OTHER, OTHER, 0) == 0);
    FAILS(kill(pid, 0), EPERM);
    CHECK(setresuid(KEEP, 0, KEEP) == 0 && setresuid(OTHER, USER, 0) == 0 && kill(pid, 0) == 0);
    CHECK(setresuid(KEEP, 0, KEEP) == 0 && setresuid(USER, OTHER, 0) == 0 && kill(pid, SIGKILL) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}
TESTS = {T(ones_own_ids_may_be_set), T(root_gives_itself_away_for_good), T(root_comes_back_by_its_saved_id),
         T(setresuid_takes_any_of_ones_three), T(setreuid_sets_the_saved_one_as_well),
         T(the_real_id_is_never_the_saved_one_by_setreuid), T(groups_go_the_same_way), T(supplementary_groups),
         T(a_supplementary_group_opens_files), T(without_the_group_they_stay_closed), T(access_asks_for_the_real_user),
         T(signals_go_by_real_and_saved_ids), END};
