/* link(2), symlink(2), rename(2), unlink(2), mknod(2). */
#include "../test.h"
#include <limits.h>

TEST(a_hard_link_is_the_same_file) {
    struct stat a, b;
    close(file("a", "x"));
    CHECK(link("a", "b") == 0 && stat("a", &a) == 0 && stat("b", &b) == 0);
    SAME(a.st_ino, b.st_ino);
    SAME(b.st_nlink, 2);
    FAILS(link("a", "b"), EEXIST);
    FAILS(link("none", "c"), ENOENT);
    CHECK(unlink("a") == 0 && stat("b", &b) == 0);
    SAME(b.st_nlink, 1);
}
TEST(a_directory_has_no_hard_links) {
    CHECK(mkdir("d", 0755) == 0);
    FAILS(link("d", "dd"), EPERM);
}
TEST(linkat_follows_when_asked) {
    struct stat st;
    close(file("t", ""));
    CHECK(symlink("t", "s") == 0 && linkat(AT_FDCWD, "s", AT_FDCWD, "hard1", 0) == 0 && lstat("hard1", &st) == 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW) == 0 && lstat("hard2", &st) == 0);
    CHECK(S_ISREG(st.st_mode));
}
TEST(readlink_answers_the_text) {
    char buf[16];
    CHECK(symlink("some/where", "l") == 0);
    memset(buf, '#', sizeof buf);
    SAME(readlink("l", buf, sizeof buf), 10);
    CHECK(memcmp(buf, "some/where######", 16) == 0);
    SAME(readlink("l", buf, 4), 4);
    FAILS(symlink("x", "l"), EEXIST);
    close(file("plain", ""));
    FAILS(readlink("plain", buf, sizeof buf), EINVAL);
    FAILS(readlink("none", buf, sizeof buf), ENOENT);
    FAILS(symlink("", "empty"), ENOENT);
}
TEST(rename_replaces_a_file) {
    int fd = file("new", "new");
    close(fd), close(file("old", "old"));
    CHECK(rename("new", "old") == 0);
    FAILS(access("new", F_OK), ENOENT);
    fd = open("old", O_RDONLY);
    CHECK(is_text(fd, "new"));
    close(fd);
    CHECK(rename("old", "old") == 0);
    FAILS(rename("none", "x"), ENOENT);
}
TEST(rename_of_two_names_of_one_file_does_nothing) {
    close(file("one", ""));
    CHECK(link("one", "two") == 0 && rename("one", "two") == 0 && access("one", F_OK) == 0 && access("two", F_OK) == 0);
}
TEST(rename_of_directories) {
    CHECK(mkdir("from", 0755) == 0 && mkdir("from/sub", 0755) == 0 && mkdir("empty", 0755) == 0);
    close(file("f", ""));
    FAILS(rename("from", "f"), ENOTDIR);
    FAILS(rename("f", "from"), EISDIR);
    FAILS(rename("from", "from/sub/x"), EINVAL);
    FAILS(rename("empty", "from") == -1 && (errno == ENOTEMPTY || errno == EEXIST) ? (errno = ENOTEMPTY, -1) : 0, ENOTEMPTY);
    CHECK(rename("from", "empty") == 0 && access("empty/sub", F_OK) == 0);
}
TEST(unlink_takes_one_name) {
    FAILS(unlink("none"), ENOENT);
    CHECK(mkdir("dir", 0755) == 0);
    /* POSIX says EPERM, Linux EISDIR. */
    CHECK(unlink("dir") == -1 && (errno == EPERM || errno == EISDIR));
    CHECK(symlink("dir", "link") == 0 && unlink("link") == 0 && access("dir", F_OK) == 0);
    close(file("x", ""));
    FAILS(unlink("x/"), ENOTDIR);
    CHECK(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR) == 0);
    CHECK(remove("x") == 0);
}
TEST(a_fifo_has_a_name) {
    struct stat st;
    CHECK(mkfifo("fifo", 0600) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    SAME(st.st_mode & 0777, 0600);
    FAILS(mkfifo("fifo", 0600), EEXIST);
}
TEST(a_fifo_connects_two_descriptors) {
    CHECK(mkfifo("pass", 0600) == 0);
    FAILS(open("pass", O_WRONLY | O_NONBLOCK), ENXIO);
    int r = open("pass", O_RDONLY | O_NONBLOCK), w = open("pass", O_WRONLY);
    CHECK(r >= 0 && w >= 0 && write(w, "through", 7) == 7);
    close(w);
    CHECK(is_text(r, "through"));
    close(r);
}
TEST(realpath_resolves_links_and_dots) {
    char buf[PATH_MAX], want[PATH_MAX];
    CHECK(mkdir("real", 0755) == 0 && symlink("real", "alias") == 0 && getcwd(want, sizeof want - 10) != NULL);
    strcat(want, "/real");
    CHECK(realpath("alias/../alias/.", buf) == buf && strcmp(buf, want) == 0);
    CHECK(realpath("nothing", buf) == NULL && errno == ENOENT);
}
TESTS = {T(a_hard_link_is_the_same_file), T(a_directory_has_no_hard_links), T(linkat_follows_when_asked),
         T(readlink_answers_the_text), T(rename_replaces_a_file), T(rename_of_two_names_of_one_file_does_nothing),
         T(rename_of_directories), T(unlink_takes_one_name), T(a_fifo_has_a_name), T(a_fifo_connects_two_descriptors),
         T(realpath_resolves_links_and_dots), END};
