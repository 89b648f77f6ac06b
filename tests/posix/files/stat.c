/* stat(2), chmod(2), chown(2), utimensat(2), access(2), statvfs(3). */
#include "../test.h"
#include <sys/statvfs.h>
#include <sys/time.h>
#include <utime.h>

TEST(a_files_numbers) {
    struct stat a, b;
    int fd = file("a", "12345");
    CHECK(stat("a", &a) == 0 && fstat(fd, &b) == 0);
    SAME(a.st_ino, b.st_ino);
    SAME(a.st_dev, b.st_dev);
    SAME(a.st_size, 5);
    SAME(a.st_nlink, 1);
    CHECK(S_ISREG(a.st_mode) && a.st_blksize > 0);
    close(fd);
    FAILS(fstat(fd, &a), EBADF);
    FAILS(stat("nothing", &a), ENOENT);
}
TEST(kinds_of_files) {
    struct stat st;
    int p[2];
    CHECK(stat("/", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(pipe(p) == 0 && fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
    close(p[0]), close(p[1]);
    CHECK(symlink("/dev/null", "l") == 0 && lstat("l", &st) == 0 && S_ISLNK(st.st_mode));
    SAME(st.st_size, 9);
    CHECK(stat("l", &st) == 0 && S_ISCHR(st.st_mode));
}
TEST(fstatat_and_its_flags) {
    struct stat st;
    int dir = open(".", O_RDONLY), fd = file("at", "x");
    CHECK(symlink("at", "atlink") == 0);
    CHECK(fstatat(dir, "atlink", &st, 0) == 0 && S_ISREG(st.st_mode));
    CHECK(fstatat(dir, "atlink", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
    CHECK(fstatat(AT_FDCWD, "at", &st, 0) == 0);
    FAILS(fstatat(fd, "x", &st, 0), ENOTDIR);
    close(dir), close(fd);
}
TEST(chmod_sets_the_bits) {
    struct stat st;
    int fd = file("m", "");
    CHECK(chmod("m", 04711) == 0 && stat("m", &st) == 0);
    SAME(st.st_mode & 07777, 04711);
    CHECK(fchmod(fd, 0600) == 0 && stat("m", &st) == 0);
    SAME(st.st_mode & 07777, 0600);
    CHECK(fchmodat(AT_FDCWD, "m", 0644, 0) == 0 && fstat(fd, &st) == 0);
    SAME(st.st_mode & 07777, 0644);
    FAILS(chmod("none", 0600), ENOENT);
    close(fd);
}
TEST(chown_to_oneself) {
    struct stat st;
    int fd = file("o", "");
    CHECK(chown("o", geteuid(), getegid()) == 0 && fchown(fd, (uid_t)-1, (gid_t)-1) == 0 && fstat(fd, &st) == 0);
    SAME(st.st_uid, geteuid());
    close(fd);
    if (geteuid() != 0)
        return;
    CHECK(chown("o", 12, 34) == 0 && stat("o", &st) == 0);
    SAME(st.st_uid, 12);
    SAME(st.st_gid, 34);
    CHECK(symlink("o", "ol") == 0 && lchown("ol", 5, 6) == 0 && lstat("ol", &st) == 0 && st.st_uid == 5);
    CHECK(stat("o", &st) == 0 && st.st_uid == 12);
}
TEST(chown_takes_set_user_id_away) {
    struct stat st;
    if (geteuid() != 0)
        SKIP("only root may give files away");
    close(file("s", ""));
    CHECK(chmod("s", 06755) == 0 && chown("s", 12, 34) == 0 && stat("s", &st) == 0);
    SAME(st.st_mode & 06000, 0);
}
TEST(times_are_set_to_the_nanosecond) {
    struct stat st;
    struct timespec t[2] = {{1000000001, 123456789}, {1000000002, 987654321}};
    int fd = file("t", "");
    CHECK(utimensat(AT_FDCWD, "t", t, 0) == 0 && stat("t", &st) == 0);
    SAME(st.st_atim.tv_sec, 1000000001);
    SAME(st.st_atim.tv_nsec, 123456789);
    SAME(st.st_mtim.tv_nsec, 987654321);
    t[0].tv_nsec = UTIME_OMIT, t[1].tv_nsec = UTIME_NOW;
    CHECK(futimens(fd, t) == 0 && fstat(fd, &st) == 0);
    SAME(st.st_atim.tv_sec, 1000000001);
    CHECK(llabs((long long)(st.st_mtim.tv_sec - time(NULL))) <= 2);
    t[0].tv_nsec = 2000000000;
    FAILS(futimens(fd, t), EINVAL);
    close(fd);
}
TEST(utime_and_utimes) {
    struct stat st;
    struct utimbuf u = {11, 22};
    struct timeval v[2] = {{33, 5}, {44, 6}};
    close(file("u", ""));
    CHECK(utime("u", &u) == 0 && stat("u", &st) == 0 && st.st_atime == 11 && st.st_mtime == 22);
    CHECK(utimes("u", v) == 0 && stat("u", &st) == 0 && st.st_mtim.tv_sec == 44 && st.st_mtim.tv_nsec == 6000);
}
TEST(writing_changes_the_times) {
    struct stat before, after;
    struct timespec old[2] = {{1, 0}, {1, 0}};
    int fd = file("w", "x");
    CHECK(futimens(fd, old) == 0 && fstat(fd, &before) == 0 && write(fd, "y", 1) == 1 && fstat(fd, &after) == 0);
    CHECK(after.st_mtime > before.st_mtime && after.st_ctime >= before.st_ctime);
    close(fd);
}
TEST(access_tells_permissions) {
    close(file("acc", ""));
    CHECK(chmod("acc", 0400) == 0 && access("acc", F_OK) == 0 && access("acc", R_OK) == 0);
    FAILS(access("acc", X_OK), EACCES);
    FAILS(access("none", F_OK), ENOENT);
    if (geteuid() != 0)
        FAILS(access("acc", W_OK), EACCES);
    CHECK(chmod("acc", 0100) == 0 && access("acc", X_OK) == 0);
    FAILS(access("acc", 99), EINVAL);
}
TEST(a_file_system_has_room) {
    struct statvfs v;
    int fd = file("fs", "");
    CHECK(statvfs(".", &v) == 0 && v.f_bsize > 0 && v.f_bfree <= v.f_blocks && v.f_namemax >= 255);
    CHECK(fstatvfs(fd, &v) == 0);
    close(fd);
}
TESTS = {T(a_files_numbers), T(kinds_of_files), T(fstatat_and_its_flags), T(chmod_sets_the_bits), T(chown_to_oneself),
         T(chown_takes_set_user_id_away), T(times_are_set_to_the_nanosecond), T(utime_and_utimes),
         T(writing_changes_the_times), T(access_tells_permissions), T(a_file_system_has_room), END};
