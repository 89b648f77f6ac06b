/* open(2) and openat(2). */
#include "../test.h"

TEST(the_lowest_number_is_taken) {
    int a = file("low", ""), b = dup(a);
    CHECK(a >= 3 && b == a + 1);
    close(a);
    SAME(open("low", O_RDONLY), a);
    close(a), close(b);
}
TEST(a_missing_file_is_ENOENT) {
    FAILS(open("missing", O_RDONLY), ENOENT);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(open("missing/x", O_CREAT | O_WRONLY, 0644), ENOENT);
}
TEST(O_CREAT_makes_it_with_the_mode_less_umask) {
    struct stat st;
    mode_t old = umask(027);
    int fd = open("made", O_CREAT | O_WRONLY, 0666);
    umask(old);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    SAME(st.st_mode, S_IFREG | 0640);
    SAME(st.st_uid, geteuid());
    close(fd);
}
TEST(O_EXCL_refuses_what_is_there) {
    close(file("there", ""));
    FAILS(open("there", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    CHECK(symlink("nowhere", "dangling") == 0);
    FAILS(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    CHECK(unlink("dangling") == 0);
}
TEST(O_TRUNC_empties_it) {
    close(file("full", "text"));
    int fd = open("full", O_RDWR | O_TRUNC);
    CHECK(fd >= 0 && is_text(fd, ""));
    close(fd);
}
TEST(O_APPEND_writes_at_the_end) {
    close(file("log", "one"));
    int a = open("log", O_WRONLY | O_APPEND), b = open("log", O_WRONLY | O_APPEND);
    CHECK(write(a, "two", 3) == 3 && write(b, "three", 5) == 5 && lseek(a, 0, SEEK_SET) == 0 && write(a, "4", 1) == 1);
    SAME(lseek(a, 0, SEEK_CUR), 12);
    close(a), close(b);
    int fd = open("log", O_RDONLY);
    CHECK(is_text(fd, "onetwothree4"));
    close(fd);
}
TEST(the_access_mode_is_kept) {
    char c;
    int r = file("modes", "x");
    close(r);
    r = open("modes", O_RDONLY);
    int w = open("modes", O_WRONLY);
    FAILS(write(r, "x", 1), EBADF);
    FAILS(read(w, &c, 1), EBADF);
    SAME(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
    SAME(fcntl(w, F_GETFL) & O_ACCMODE, O_WRONLY);
    close(r), close(w);
}
TEST(a_directory_opens_for_reading_only) {
    CHECK(mkdir("dir", 0755) == 0);
    FAILS(open("dir", O_WRONLY), EISDIR);
    FAILS(open("dir", O_RDWR), EISDIR);
    int fd = open("dir", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    char c;
    FAILS(read(fd, &c, 1), EISDIR);
    close(fd);
    close(file("plain", ""));
    FAILS(open("plain", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("plain/x", O_RDONLY), ENOTDIR);
}
TEST(O_NOFOLLOW_refuses_a_link) {
    close(file("target", ""));
    CHECK(symlink("target", "link") == 0);
    FAILS(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = open("link", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
}
TEST(links_in_a_circle_are_ELOOP) {
    CHECK(symlink("b", "a") == 0 && symlink("a", "b") == 0);
    FAILS(open("a", O_RDONLY), ELOOP);
}
TEST(a_name_that_is_too_long_is_refused) {
    char name[300], path[5000];
    memset(name, 'n', sizeof name - 1), name[sizeof name - 1] = '\0';
    FAILS(open(name, O_RDONLY), ENAMETOOLONG);
    memset(path, '/', sizeof path - 1), path[sizeof path - 1] = '\0';
    FAILS(open(path, O_RDONLY), ENAMETOOLONG);
}
TEST(openat_starts_at_its_directory) {
    CHECK(mkdir("sub", 0755) == 0);
    int dir = open("sub", O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "in", O_CREAT | O_WRONLY, 0644);
    CHECK(dir >= 0 && fd >= 0 && access("sub/in", F_OK) == 0);
    close(fd);
    FAILS(openat(1000, "in", O_RDONLY), EBADF);
    fd = openat(1000, "/dev/null", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    int plain = open("sub/in", O_RDONLY);
    FAILS(openat(plain, "x", O_RDONLY), ENOTDIR);
    close(plain), close(dir);
}
TEST(each_open_has_its_own_offset) {
    char c;
    int a = file("two", "xy"), b = open("two", O_RDONLY);
    CHECK(read(a, &c, 1) == 1 && c == 'x' && read(b, &c, 1) == 1 && c == 'x');
    close(a), close(b);
}
TEST(an_unlinked_file_lives_while_it_is_open) {
    struct stat st;
    int fd = file("gone", "still");
    CHECK(unlink("gone") == 0 && is_text(fd, "still") && fstat(fd, &st) == 0);
    SAME(st.st_nlink, 0);
    close(fd);
    FAILS(open("gone", O_RDONLY), ENOENT);
}
TEST(creat_is_open) {
    int fd = creat("created", 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
}
TESTS = {T(the_lowest_number_is_taken), T(a_missing_file_is_ENOENT), T(O_CREAT_makes_it_with_the_mode_less_umask),
         T(O_EXCL_refuses_what_is_there), T(O_TRUNC_empties_it), T(O_APPEND_writes_at_the_end),
         T(the_access_mode_is_kept), T(a_directory_opens_for_reading_only), T(O_NOFOLLOW_refuses_a_link),
         T(links_in_a_circle_are_ELOOP), T(a_name_that_is_too_long_is_refused), T(openat_starts_at_its_directory),
         T(each_open_has_its_own_offset), T(an_unlinked_file_lives_while_it_is_open), T(creat_is_open), END};
