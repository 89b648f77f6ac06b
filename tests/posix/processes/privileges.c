/* What only root may, and what is left when it is given up: seteuid(2), setegid(2), setgroups(2), mount(2), umount(2). */
#include "../test.h"
#include <grp.h>
#include <sys/mount.h>

#define SOMEBODY 1234

/* In a child, as it may not come back: 0, or the line of what went wrong. */
#define IN_CHILD(...)                                        \
    do {                                                     \
        int status_;                                         \
        if (geteuid() != 0)                                  \
            SKIP("needs root");                              \
        pid_t pid_ = fork();                                 \
        if (pid_ == 0) {                                     \
            __VA_ARGS__ _exit(0);                            \
        }                                                    \
        CHECK(waitpid(pid_, &status_, 0) == pid_);           \
        SAME(WIFEXITED(status_) ? WEXITSTATUS(status_) : -1, 0); \
    } while (0)
#define MUST(what) \
    if (!(what))   \
        _exit(__LINE__ % 200 + 1);

TEST(effective_ids_come_back) {
    IN_CHILD({
        MUST(setegid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0);
        MUST(geteuid() == SOMEBODY && getuid() == 0 && getegid() == SOMEBODY && getgid() == 0);
        MUST(seteuid(SOMEBODY + 1) == -1 && errno == EPERM);
        MUST(setegid(SOMEBODY + 1) == -1 && errno == EPERM);
        MUST(seteuid(0) == 0 && setegid(0) == 0 && geteuid() == 0 && getegid() == 0);
    });
}
TEST(who_gives_up_all_ids_keeps_none) {
    IN_CHILD({
        MUST(setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);
        MUST(setuid(0) == -1 && errno == EPERM);
        MUST(seteuid(0) == -1 && errno == EPERM);
        MUST(setgid(0) == -1 && errno == EPERM);
    });
}
TEST(more_groups) {
    IN_CHILD({
        gid_t groups[3] = {7, 8, 9}, got[8];
        MUST(setgroups(3, groups) == 0 && getgroups(0, got) == 3);
        MUST(getgroups(2, got) == -1 && errno == EINVAL);
        MUST(getgroups(8, got) == 3 && got[0] + got[1] + got[2] == 24);
        MUST(file("grouped", "x") >= 0 && chown("grouped", 0, 8) == 0 && chmod("grouped", 0040) == 0);
        MUST(setgid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0);
        MUST(open("grouped", O_RDONLY) >= 0);
        MUST(open("grouped", O_WRONLY) == -1 && errno == EACCES);
        MUST(setgroups(0, NULL) == -1 && errno == EPERM);
        MUST(seteuid(0) == 0 && setgroups(0, NULL) == 0 && seteuid(SOMEBODY) == 0);
        MUST(open("grouped", O_RDONLY) == -1 && errno == EACCES);
    });
}
TEST(a_file_system_on_a_directory) {
    CHECK(mkdir("m", 0755) == 0);
    close(file("m/below", "x"));
    if (mount("none", "m", "tmpfs", 0, NULL) < 0 && errno == EPERM)
        SKIP("may not mount");
    FAILS(access("m/below", F_OK), ENOENT);
    int fd = file("m/file", "kept");
    CHECK(fd >= 0);
    FAILS(rename("m", "n"), EBUSY);
    FAILS(rmdir("m"), EBUSY);
    FAILS(link("m/file", "link"), EXDEV);
    close(fd);
    CHECK(umount("m") == 0);
    CHECK(access("m/below", F_OK) == 0 && access("m/file", F_OK) == -1);
    FAILS(umount("m"), EINVAL);
    FAILS(mount("none", "m", "no-such-kind", 0, NULL), ENODEV);
    FAILS(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
}
TEST(nobody_else_mounts) {
    mkdir("n", 0755);
    IN_CHILD({
        MUST(setuid(SOMEBODY) == 0);
        MUST(mount("none", "n", "tmpfs", 0, NULL) == -1 && errno == EPERM);
        MUST(umount("n") == -1 && errno == EPERM);
    });
}
TESTS = {T(effective_ids_come_back), T(who_gives_up_all_ids_keeps_none), T(more_groups), T(a_file_system_on_a_directory),
         T(nobody_else_mounts), END};
