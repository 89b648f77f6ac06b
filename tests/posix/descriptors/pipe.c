/* pipe(2), pipe2(2). */
#include "../test.h"
#include <limits.h>
#include <sys/ioctl.h>

TEST(bytes_come_out_in_order) {
    int p[2];
    char buf[16] = "";
    CHECK(pipe(p) == 0 && write(p[1], "one", 3) == 3 && write(p[1], "two", 3) == 3);
    SAME(read(p[0], buf, 4), 4);
    CHECK(strcmp(buf, "onet") == 0);
    SAME(read(p[0], buf, 16), 2);
    close(p[0]), close(p[1]);
}
TEST(end_of_file_when_no_writer_is_left) {
    int p[2], w;
    char c;
    CHECK(pipe(p) == 0 && (w = dup(p[1])) >= 0 && write(p[1], "x", 1) == 1);
    close(p[1]);
    SAME(read(p[0], &c, 1), 1);
    close(w);
    SAME(read(p[0], &c, 1), 0);
    SAME(read(p[0], &c, 1), 0);
    close(p[0]);
}
TEST(no_reader_is_EPIPE) {
    int p[2];
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe(p) == 0);
    close(p[0]);
    FAILS(write(p[1], "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(p[1]);
}
TEST(without_waiting_it_is_EAGAIN) {
    int p[2];
    char c, page[4096] = "";
    long long full = 0;
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    FAILS(read(p[0], &c, 1), EAGAIN);
    for (ssize_t n; (n = write(p[1], page, sizeof page)) > 0;)
        full += n;
    int e = errno;
    SAME(e, EAGAIN);
    SAME(full, 65536);
    /* All or nothing up to PIPE_BUF, part of it above. */
    SAME(read(p[0], page, 100), 100);
    FAILS(write(p[1], page, PIPE_BUF), EAGAIN);
    close(p[0]), close(p[1]);
}
TEST(ends_have_a_direction) {
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    FAILS(write(p[0], "x", 1), EBADF);
    FAILS(read(p[1], &c, 1), EBADF);
    SAME(fcntl(p[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    SAME(fcntl(p[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    close(p[0]), close(p[1]);
}
TEST(pipe2_flags) {
    int p[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    SAME(fcntl(p[0], F_GETFD), FD_CLOEXEC);
    SAME(fcntl(p[1], F_GETFD), FD_CLOEXEC);
    SAME(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
    close(p[0]), close(p[1]);
    FAILS(pipe2(p, O_CREAT), EINVAL);
}
TEST(FIONREAD_counts) {
    int p[2], n = -1;
    CHECK(pipe(p) == 0 && write(p[1], "12345", 5) == 5 && ioctl(p[0], FIONREAD, &n) == 0);
    SAME(n, 5);
    close(p[0]), close(p[1]);
}
TESTS = {T(bytes_come_out_in_order), T(end_of_file_when_no_writer_is_left), T(no_reader_is_EPIPE),
         T(without_waiting_it_is_EAGAIN), T(ends_have_a_direction), T(pipe2_flags), T(FIONREAD_counts), END};
