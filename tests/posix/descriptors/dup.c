/* dup(2), dup2(2), dup3(2), fcntl(2), close(2). */
#include "../test.h"
#include <sys/resource.h>

TEST(copies_share_the_offset) {
    char c;
    int a = file("f", "xyz"), b = dup(a);
    CHECK(b > a && read(a, &c, 1) == 1 && read(b, &c, 1) == 1 && c == 'y');
    SAME(lseek(a, 0, SEEK_CUR), 2);
    close(a);
    CHECK(read(b, &c, 1) == 1 && c == 'z');
    close(b);
    FAILS(dup(b), EBADF);
}
TEST(copies_share_status_flags_but_not_cloexec) {
    int a = file("g", ""), b = dup(a);
    CHECK(fcntl(a, F_SETFL, fcntl(a, F_GETFL) | O_APPEND) == 0 && fcntl(b, F_GETFL) & O_APPEND);
    CHECK(fcntl(a, F_SETFD, FD_CLOEXEC) == 0);
    SAME(fcntl(a, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(b, F_GETFD), 0);
    close(a), close(b);
}
TEST(dup2_takes_the_number) {
    int a = file("h", "text"), b = file("i", "other");
    SAME(dup2(a, b), b);
    CHECK(is_text(b, "text"));
    SAME(dup2(a, a), a);
    SAME(dup2(a, 77), 77);
    FAILS(dup2(99, a), EBADF);
    FAILS(dup2(99, 99), EBADF);
    FAILS(dup2(a, -1), EBADF);
    CHECK(fcntl(a, F_GETFD) == 0);
    close(a), close(b), close(77);
}
TEST(dup2_clears_cloexec) {
    int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = dup2(a, 50);
    SAME(fcntl(a, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(b, F_GETFD), 0);
    close(a), close(b);
}
TEST(dup3_sets_cloexec) {
    int a = open("/dev/null", O_RDONLY);
    SAME(dup3(a, 51, O_CLOEXEC), 51);
    SAME(fcntl(51, F_GETFD), FD_CLOEXEC);
    FAILS(dup3(a, a, 0), EINVAL);
    FAILS(dup3(a, 52, O_APPEND), EINVAL);
    close(a), close(51);
}
TEST(F_DUPFD_starts_at_its_argument) {
    int a = open("/dev/null", O_RDONLY);
    SAME(fcntl(a, F_DUPFD, 60), 60);
    SAME(fcntl(a, F_DUPFD, 60), 61);
    SAME(fcntl(a, F_DUPFD_CLOEXEC, 60), 62);
    SAME(fcntl(62, F_GETFD), FD_CLOEXEC);
    FAILS(fcntl(a, F_DUPFD, -1), EINVAL);
    FAILS(fcntl(a, F_DUPFD, 10000000), EINVAL);
    close(60), close(61), close(62), close(a);
}
TEST(F_GETFL_tells_how_it_was_opened) {
    int a = open("fl", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0600), flags = fcntl(a, F_GETFL);
    SAME(flags & O_ACCMODE, O_RDWR);
    CHECK(flags & O_APPEND && flags & O_NONBLOCK && !(flags & O_CREAT));
    CHECK(fcntl(a, F_SETFL, O_RDONLY) == 0);
    SAME(fcntl(a, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR);
    close(a);
    FAILS(fcntl(a, F_GETFL), EBADF);
}
TEST(close_frees_once) {
    int a = dup(0);
    CHECK(close(a) == 0);
    FAILS(close(a), EBADF);
    FAILS(close(-1), EBADF);
}
TEST(the_limit_of_descriptors_is_EMFILE) {
    struct rlimit old, few;
    int fd = -1, last = -1;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    few = old, few.rlim_cur = 20;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((fd = dup(0)) >= 0)
        last = fd;
    int e = errno;
    for (int i = 3; i <= last; i++)
        close(i);
    setrlimit(RLIMIT_NOFILE, &old);
    SAME(e, EMFILE);
    SAME(last, 19);
}
TEST(close_range_closes_what_there_is) {
    int a = open("/dev/null", O_RDONLY);
    for (int fd = 70; fd <= 76; fd += 2)
        CHECK(dup2(a, fd) == fd);
    CHECK(close_range(71, 74, 0) == 0);
    CHECK(fcntl(70, F_GETFD) == 0 && fcntl(76, F_GETFD) == 0);
    FAILS(fcntl(72, F_GETFD), EBADF);
    FAILS(fcntl(74, F_GETFD), EBADF);
    CHECK(close_range(76, ~0u, CLOSE_RANGE_CLOEXEC) == 0);
    SAME(fcntl(70, F_GETFD), 0);
    SAME(fcntl(76, F_GETFD), FD_CLOEXEC);
    CHECK(close_range(70, ~0u, 0) == 0);
    FAILS(fcntl(76, F_GETFD), EBADF);
    CHECK(close_range(70, ~0u, 0) == 0);
    FAILS(close_range(5, 4, 0), EINVAL);
    FAILS(close_range(5, 6, 99), EINVAL);
    close(a);
}
TEST(pipes_tell_their_size) {
    int p[2], a = open("/dev/null", O_RDONLY);
    CHECK(pipe(p) == 0);
    SAME(fcntl(p[0], F_GETPIPE_SZ), 65536);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 65536) == 65536);
    FAILS(fcntl(a, F_GETPIPE_SZ), EBADF);
    close(p[0]), close(p[1]), close(a);
}
TESTS = {T(copies_share_the_offset), T(copies_share_status_flags_but_not_cloexec), T(dup2_takes_the_number),
         T(dup2_clears_cloexec), T(dup3_sets_cloexec), T(F_DUPFD_starts_at_its_argument),
         T(F_GETFL_tells_how_it_was_opened), T(close_frees_once), T(the_limit_of_descriptors_is_EMFILE), T(close_range_closes_what_there_is), T(pipes_tell_their_size), END};
