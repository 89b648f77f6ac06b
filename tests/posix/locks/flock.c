/* flock(2), and fcntl(2) with F_OFD_SETLK: locks of the open file description. */
#include "../test.h"
#include <sys/file.h>

static int result(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static void wait_a_little(void) {
    struct timespec t = {0, 20000000};
    nanosleep(&t, NULL);
}
static int ofd(int fd, int cmd, int type, off_t start, off_t len) {
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}

TEST(an_exclusive_lock_is_alone) {
    int a = file("f", ""), b = open("f", O_RDONLY);
    CHECK(flock(a, LOCK_EX) == 0);
    FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
    CHECK(flock(a, LOCK_UN) == 0 && flock(b, LOCK_EX | LOCK_NB) == 0);
    close(b);
    CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
    close(a);
}
TEST(shared_locks_go_together) {
    int a = file("f", ""), b = open("f", O_RDONLY), c = open("f", O_RDONLY);
    CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH) == 0);
    FAILS(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(a, LOCK_UN) == 0);
    FAILS(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(b, LOCK_UN) == 0 && flock(c, LOCK_EX | LOCK_NB) == 0);
    close(a), close(b), close(c);
}
TEST(it_can_be_changed) {
    int a = file("f", ""), b = open("f", O_RDONLY);
    CHECK(flock(a, LOCK_EX) == 0 && flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
    FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(b, LOCK_UN) == 0 && flock(a, LOCK_EX | LOCK_NB) == 0);
    close(a), close(b);
}
TEST(copies_share_it) {
    int a = file("f", ""), b = dup(a), c = open("f", O_RDWR);
    CHECK(flock(a, LOCK_EX) == 0 && flock(b, LOCK_EX | LOCK_NB) == 0);
    close(a);
    FAILS(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(b, LOCK_UN) == 0 && flock(c, LOCK_EX | LOCK_NB) == 0);
    close(b), close(c);
}
TEST(a_child_shares_it) {
    int a = file("f", ""), b = open("f", O_RDWR);
    CHECK(flock(a, LOCK_EX) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(b);
        close(a); /* which is not the last */
        b = open("f", O_RDWR);
        _exit(flock(b, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK ? 0 : 1);
    }
    SAME(result(pid), 0);
    pid = fork();
    if (pid == 0)
        _exit(flock(a, LOCK_UN) == 0 ? 0 : 1);
    SAME(result(pid), 0);
    CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
    close(a), close(b);
}
TEST(it_waits_for_the_last_copy) {
    int a = file("f", ""), p[2];
    char c;
    CHECK(flock(a, LOCK_EX) == 0 && pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(a);
        int b = open("f", O_RDONLY);
        (void)!write(p[1], "x", 1);
        _exit(flock(b, LOCK_SH) == 0 ? 0 : 1);
    }
    CHECK(read(p[0], &c, 1) == 1);
    wait_a_little();
    SAME(waitpid(pid, NULL, WNOHANG), 0);
    close(a);
    SAME(result(pid), 0);
    close(p[0]), close(p[1]);
}
TEST(it_is_not_in_the_way_of_fcntl) {
    int a = file("f", ""), b = open("f", O_RDWR);
    CHECK(flock(a, LOCK_EX) == 0 && ofd(b, F_OFD_SETLK, F_WRLCK, 0, 0) == 0);
    close(a), close(b);
}
TEST(what_it_refuses) {
    int a = file("f", "");
    FAILS(flock(a, 0), EINVAL);
    FAILS(flock(a, LOCK_SH | LOCK_EX), EINVAL);
    FAILS(flock(999, LOCK_EX), EBADF);
    close(a);
    a = open("f", O_PATH);
    FAILS(flock(a, LOCK_EX), EBADF);
    close(a);
}
TEST(OFD_locks_belong_to_the_open_file) {
    int a = file("f", ""), b = open("f", O_RDWR), c = dup(a);
    CHECK(ofd(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    FAILS(ofd(b, F_OFD_SETLK, F_WRLCK, 9, 1), EAGAIN);
    CHECK(ofd(b, F_OFD_SETLK, F_WRLCK, 10, 1) == 0 && ofd(c, F_OFD_SETLK, F_WRLCK, 0, 1) == 0);
    /* Those of the process are others, too. */
    FAILS(ofd(a, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
    int d = open("f", O_RDWR);
    close(d);
    FAILS(ofd(b, F_OFD_SETLK, F_WRLCK, 9, 1), EAGAIN);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    CHECK(fcntl(b, F_OFD_GETLK, &l) == 0);
    CHECK(l.l_type == F_WRLCK && l.l_len == 10 && l.l_pid == -1);
    l.l_pid = 1;
    FAILS(fcntl(b, F_OFD_SETLK, &l), EINVAL);
    close(a);
    FAILS(ofd(b, F_OFD_SETLK, F_WRLCK, 9, 1), EAGAIN);
    close(c);
    CHECK(ofd(b, F_OFD_SETLKW, F_WRLCK, 9, 1) == 0);
    close(b);
}
TEST(OFD_locks_are_kept_by_a_child) {
    int a = file("f", ""), b = open("f", O_RDWR);
    CHECK(ofd(a, F_OFD_SETLK, F_WRLCK, 0, 0) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(ofd(a, F_OFD_SETLK, F_UNLCK, 0, 0) == 0 ? 0 : 1);
    SAME(result(pid), 0);
    CHECK(ofd(b, F_OFD_SETLK, F_WRLCK, 0, 1) == 0);
    close(a), close(b);
}
TESTS = {T(an_exclusive_lock_is_alone),
         T(shared_locks_go_together),
         T(it_can_be_changed),
         T(copies_share_it),
         T(a_child_shares_it),
         T(it_waits_for_the_last_copy),
         T(it_is_not_in_the_way_of_fcntl),
         T(what_it_refuses),
         T(OFD_locks_belong_to_the_open_file),
         T(OFD_locks_are_kept_by_a_child),
         END};
