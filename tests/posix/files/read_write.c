/* read(2), write(2), pread(2), pwrite(2), readv(2), lseek(2), truncate(2). */
#include "../test.h"
#include <limits.h>
#include <sys/uio.h>

TEST(read_answers_what_there_is) {
    char buf[10];
    int fd = file("a", "hello");
    SAME(read(fd, buf, 10), 5);
    SAME(read(fd, buf, 10), 0);
    SAME(read(fd, buf, 0), 0);
    close(fd);
    FAILS(read(fd, buf, 1), EBADF);
    FAILS(read(-1, buf, 1), EBADF);
}
TEST(writing_past_the_end_leaves_a_hole_of_zeros) {
    char buf[8];
    int fd = file("hole", "ab");
    SAME(lseek(fd, 6, SEEK_SET), 6);
    CHECK(write(fd, "z", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0);
    SAME(read(fd, buf, 8), 7);
    CHECK(memcmp(buf, "ab\0\0\0\0z", 7) == 0);
    close(fd);
}
TEST(lseek_counts_from_three_places) {
    int fd = file("seek", "0123456789");
    SAME(lseek(fd, 4, SEEK_SET), 4);
    SAME(lseek(fd, 2, SEEK_CUR), 6);
    SAME(lseek(fd, -3, SEEK_END), 7);
    SAME(lseek(fd, 100, SEEK_END), 110);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    SAME(lseek(fd, 0, SEEK_CUR), 110);
    FAILS(lseek(fd, 0, 99), EINVAL);
    close(fd);
}
TEST(lseek_beyond_four_gigabytes) {
    int fd = file("big", "");
    SAME(lseek(fd, 5000000000LL, SEEK_SET), 5000000000LL);
    close(fd);
}
TEST(a_pipe_has_no_offset) {
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    FAILS(lseek(p[0], 0, SEEK_CUR), ESPIPE);
    FAILS(pread(p[0], &c, 1, 0), ESPIPE);
    FAILS(pwrite(p[1], &c, 1, 0), ESPIPE);
    close(p[0]), close(p[1]);
}
TEST(pread_and_pwrite_leave_the_offset) {
    char buf[4] = "";
    int fd = file("p", "abcdef");
    SAME(pread(fd, buf, 3, 2), 3);
    CHECK(strcmp(buf, "cde") == 0);
    SAME(pwrite(fd, "XY", 2, 4), 2);
    SAME(lseek(fd, 0, SEEK_CUR), 0);
    CHECK(is_text(fd, "abcdXY"));
    FAILS(pread(fd, buf, 1, -1), EINVAL);
    SAME(pread(fd, buf, 1, 100), 0);
    close(fd);
}
TEST(vectors_are_one_transfer) {
    char a[3] = "", b[4] = "";
    int fd = file("v", "");
    struct iovec out[] = {{"one", 3}, {"", 0}, {"two", 3}}, in[] = {{a, 2}, {b, 3}};
    SAME(writev(fd, out, 3), 6);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    SAME(readv(fd, in, 2), 5);
    CHECK(strcmp(a, "on") == 0 && strcmp(b, "etw") == 0);
    close(fd);
}
TEST(truncate_cuts_and_grows) {
    struct stat st;
    char buf[8];
    int fd = file("t", "abcdef");
    CHECK(ftruncate(fd, 3) == 0 && is_text(fd, "abc"));
    CHECK(truncate("t", 6) == 0 && fstat(fd, &st) == 0);
    SAME(st.st_size, 6);
    SAME(pread(fd, buf, 8, 0), 6);
    CHECK(memcmp(buf, "abc\0\0\0", 6) == 0);
    FAILS(ftruncate(fd, -1), EINVAL);
    close(fd);
    FAILS(truncate("none", 1), ENOENT);
    FAILS(truncate(".", 1), EISDIR);
}
TEST(a_bad_address_is_EFAULT) {
    int fd = file("f", "x");
    volatile size_t far = (size_t)0xffff0000u;
    FAILS(read(fd, (void *)far, 16), EFAULT);
    FAILS(write(fd, (void *)far, 16), EFAULT);
    close(fd);
}
TEST(dev_null_and_zero) {
    char buf[4] = "abc";
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    SAME(write(null, buf, 4), 4);
    SAME(read(null, buf, 4), 0);
    SAME(read(zero, buf, 4), 4);
    CHECK(memcmp(buf, "\0\0\0\0", 4) == 0);
    close(null), close(zero);
}
TEST(fsync_takes_files) {
    int fd = file("s", "x"), p[2];
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && pipe(p) == 0);
    FAILS(fsync(p[0]), EINVAL);
    close(fd), close(p[0]), close(p[1]);
    FAILS(fsync(fd), EBADF);
}
TESTS = {T(read_answers_what_there_is), T(writing_past_the_end_leaves_a_hole_of_zeros), T(lseek_counts_from_three_places),
         T(lseek_beyond_four_gigabytes), T(a_pipe_has_no_offset), T(pread_and_pwrite_leave_the_offset),
         T(vectors_are_one_transfer), T(truncate_cuts_and_grows), T(a_bad_address_is_EFAULT), T(dev_null_and_zero),
         T(fsync_takes_files), END};
