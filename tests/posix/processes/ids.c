/* Process groups, sessions, users: getpid(2), setpgid(2), setsid(2), getuid(2), getgroups(2), getpwnam(3). */
#include "../test.h"
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/utsname.h>

TEST(numbers_agree) {
    CHECK(getpid() > 0 && getppid() >= 0);
    SAME(getpgrp(), getpgid(0));
    SAME(getpgid(getpid()), getpgrp());
    CHECK(getsid(0) > 0);
    FAILS(getpgid(999999), ESRCH);
    FAILS(getsid(999999), ESRCH);
    FAILS(setpgid(0, -1), EINVAL);
    FAILS(kill(999999, 0), ESRCH);
    CHECK(kill(getpid(), 0) == 0);
    FAILS(kill(getpid(), 999), EINVAL);
}
TEST(a_group_of_ones_own) {
    if (getsid(0) == getpid())
        SKIP("a session's leader keeps its group");
    CHECK(setpgid(0, 0) == 0);
    SAME(getpgrp(), getpid());
    FAILS(setsid(), EPERM);
}
TEST(users_and_groups) {
    gid_t groups[64];
    int n = getgroups(0, NULL);
    CHECK(n >= 0 && n <= 64 && getgroups(64, groups) == n);
    SAME(getuid(), geteuid());
    SAME(getgid(), getegid());
    CHECK(setuid(getuid()) == 0 && setgid(getgid()) == 0);
}
TEST(root_is_in_the_database) {
    struct passwd *p = getpwuid(0), entry, *result;
    char buf[1024];
    CHECK(p && !strcmp(p->pw_name, "root") && p->pw_gid == 0 && p->pw_dir[0] == '/' && p->pw_shell[0] == '/');
    CHECK((p = getpwnam("root")) && p->pw_uid == 0);
    CHECK(getpwnam("nobody-of-this-name") == NULL);
    CHECK(getpwnam_r("root", &entry, buf, sizeof buf, &result) == 0 && result == &entry);
    SAME(getpwnam_r("root", &entry, buf, 4, &result), ERANGE);
    setpwent();
    CHECK(getpwent() != NULL);
    endpwent();
}
TEST(roots_group_is_in_the_database) {
    struct group *g = getgrgid(0);
    CHECK(g && g->gr_gid == 0 && g->gr_mem);
    char name[64];
    strcpy(name, g->gr_name);
    CHECK((g = getgrnam(name)) && g->gr_gid == 0);
    CHECK(getgrnam("no-group-of-this-name") == NULL);
}
TEST(limits) {
    struct rlimit r;
    CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > 10 && r.rlim_cur <= r.rlim_max);
    struct rlimit less = {r.rlim_cur - 1, r.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0 && getrlimit(RLIMIT_NOFILE, &less) == 0);
    SAME(less.rlim_cur, r.rlim_cur - 1);
    CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
    less = (struct rlimit){20, 10};
    FAILS(setrlimit(RLIMIT_NOFILE, &less), EINVAL);
    FAILS(getrlimit(999, &r), EINVAL);
    SAME(sysconf(_SC_OPEN_MAX), r.rlim_cur);
}
TEST(usage_and_times) {
    struct rusage u;
    struct tms t;
    volatile unsigned n = 0;
    for (long long start = now_ms(); now_ms() - start < 60;)
        n++;
    CHECK(getrusage(RUSAGE_SELF, &u) == 0 && u.ru_maxrss > 0);
    long long us = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
    CHECK(us > 10000);
    CHECK(times(&t) != (clock_t)-1 && t.tms_utime + t.tms_stime > 0 && sysconf(_SC_CLK_TCK) == 100);
    CHECK(clock() > 0 && CLOCKS_PER_SEC == 1000000);
    FAILS(getrusage(77, &u), EINVAL);
}
TEST(the_systems_name) {
    struct utsname u;
    char name[256];
    CHECK(uname(&u) == 0 && u.sysname[0] && u.release[0] && u.machine[0]);
    CHECK(gethostname(name, sizeof name) == 0);
    CHECK(strcmp(name, u.nodename) == 0);
}
TESTS = {T(numbers_agree), T(a_group_of_ones_own), T(users_and_groups), T(root_is_in_the_database),
         T(roots_group_is_in_the_database), T(limits), T(usage_and_times), T(the_systems_name), END};
