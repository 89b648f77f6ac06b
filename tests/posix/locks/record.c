/* fcntl(2): F_GETLK, F_SETLK, F_SETLKW and lockf(3). */
#include "../test.h"

static void nothing(int signal) {
    (void)signal;
}
static int result(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static void wait_a_little(void) {
    struct timespec t = {0, 20000000};
    nanosleep(&t, NULL);
}
static int lock_at(int fd, int cmd, int type, int whence, off_t start, off_t len) {
    struct flock l = {.l_type = (short)type, .l_whence = (short)whence, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}
static int set(int fd, int type, off_t start, off_t len) {
    return lock_at(fd, F_SETLK, type, SEEK_SET, start, len);
}
/* What another process finds, as the letters of 40 bytes: `r` it can be read, `w` nobody has it, `-` neither. */
static const char *seen(const char *path) {
    static char map[41];
    int p[2], ok = pipe(p);
    pid_t pid = fork();
    if (ok == 0 && pid == 0) {
        int fd = open(path, O_RDWR);
        for (int i = 0; i < 40; i++)
            map[i] = set(fd, F_WRLCK, i, 1) == 0 ? 'w' : set(fd, F_RDLCK, i, 1) == 0 ? 'r' : '-';
        _exit(write(p[1], map, 40) == 40 ? 0 : 1);
    }
    close(p[1]);
    memset(map, 0, sizeof map);
    ssize_t n = read(p[0], map, 40);
    close(p[0]);
    return result(pid) == 0 && n == 40 ? map : "?";
}
#define SEEN(want)                                                                \
    do {                                                                          \
        const char *have = seen("f");                                             \
        if (strcmp(have, want) != 0) {                                            \
            fail(__FILE__, __LINE__, "others see %s, not %s", have, want);        \
            return;                                                               \
        }                                                                         \
    } while (0)

TEST(a_write_lock_keeps_others_out) {
    int fd = file("f", "0123456789");
    CHECK(set(fd, F_WRLCK, 2, 3) == 0);
    SEEN("ww---wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    CHECK(set(fd, F_UNLCK, 0, 0) == 0);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(fd);
}
TEST(read_locks_are_shared) {
    int fd = file("f", "");
    CHECK(set(fd, F_RDLCK, 0, 4) == 0);
    SEEN("rrrrwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(fd);
}
TEST(ranges_split_and_merge) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 30) == 0 && set(fd, F_UNLCK, 10, 10) == 0);
    SEEN("----------wwwwwwwwww----------wwwwwwwwww");
    CHECK(set(fd, F_RDLCK, 5, 10) == 0);
    SEEN("-----rrrrrrrrrrwwwww----------wwwwwwwwww");
    CHECK(set(fd, F_WRLCK, 5, 15) == 0);
    SEEN("------------------------------wwwwwwwwww");
    CHECK(set(fd, F_RDLCK, 8, 1) == 0);
    SEEN("--------r---------------------wwwwwwwwww");
    CHECK(set(fd, F_UNLCK, 0, 40) == 0);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(fd);
}
TEST(whence_and_lengths) {
    int fd = file("f", "0123456789");
    lseek(fd, 4, SEEK_SET);
    CHECK(lock_at(fd, F_SETLK, F_WRLCK, SEEK_CUR, 1, 2) == 0);
    SEEN("wwwww--wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    CHECK(lock_at(fd, F_SETLK, F_UNLCK, SEEK_CUR, -4, 0) == 0);
    CHECK(lock_at(fd, F_SETLK, F_WRLCK, SEEK_END, 0, -3) == 0);
    SEEN("wwwwwww---wwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    CHECK(set(fd, F_UNLCK, 0, 0) == 0 && lock_at(fd, F_SETLK, F_WRLCK, SEEK_END, 2, 0) == 0);
    SEEN("wwwwwwwwwwww----------------------------");
    FAILS(lock_at(fd, F_SETLK, F_WRLCK, SEEK_SET, -1, 1), EINVAL);
    FAILS(lock_at(fd, F_SETLK, F_WRLCK, SEEK_SET, 3, -4), EINVAL);
    FAILS(lock_at(fd, F_SETLK, F_WRLCK, 7, 0, 1), EINVAL);
    FAILS(lock_at(fd, F_SETLK, 7, SEEK_SET, 0, 1), EINVAL);
    FAILS(lock_at(fd, F_SETLK, F_WRLCK, SEEK_SET, 0x7fffffffffffffff, 2), EOVERFLOW);
    CHECK(lock_at(fd, F_SETLK, F_WRLCK, SEEK_SET, 0x7fffffffffffffff, 1) == 0);
    close(fd);
}
TEST(F_GETLK_tells_who_is_in_the_way) {
    int fd = file("f", "");
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    CHECK(fcntl(fd, F_GETLK, &l) == 0);
    SAME(l.l_type, F_UNLCK);
    CHECK(set(fd, F_WRLCK, 10, 5) == 0 && set(fd, F_RDLCK, 20, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock a = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 1};
        struct flock b = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 30, .l_len = 1};
        struct flock c = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 30, .l_len = 1};
        if (fcntl(fd, F_GETLK, &a) < 0 || fcntl(fd, F_GETLK, &b) < 0 || fcntl(fd, F_GETLK, &c) < 0)
            _exit(1);
        if (a.l_type != F_WRLCK || a.l_whence != SEEK_SET || a.l_start != 10 || a.l_len != 5 || a.l_pid != getppid())
            _exit(2);
        if (b.l_type != F_RDLCK || b.l_start != 20 || b.l_len != 0 || b.l_pid != getppid())
            _exit(3);
        _exit(c.l_type == F_UNLCK && c.l_start == 30 ? 0 : 4);
    }
    SAME(result(pid), 0);
    /* One's own are not in the way. */
    l.l_type = F_WRLCK, l.l_start = 0, l.l_len = 0, l.l_whence = SEEK_SET;
    CHECK(fcntl(fd, F_GETLK, &l) == 0);
    SAME(l.l_type, F_UNLCK);
    l.l_type = F_UNLCK;
    FAILS(fcntl(fd, F_GETLK, &l), EINVAL);
    close(fd);
}
TEST(the_descriptor_must_allow_it) {
    int fd = file("f", "");
    int r = open("f", O_RDONLY), w = open("f", O_WRONLY);
    CHECK(set(r, F_RDLCK, 0, 1) == 0 && set(w, F_WRLCK, 0, 1) == 0);
    FAILS(set(r, F_WRLCK, 0, 1), EBADF);
    FAILS(set(w, F_RDLCK, 0, 1), EBADF);
    FAILS(set(999, F_RDLCK, 0, 1), EBADF);
    close(r), close(w), close(fd);
}
TEST(any_close_gives_them_up) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 0) == 0);
    SEEN("----------------------------------------");
    int other = open("f", O_RDONLY);
    close(other);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    CHECK(set(fd, F_WRLCK, 0, 0) == 0);
    other = open("f", O_RDONLY);
    int null = open("/dev/null", O_RDONLY);
    CHECK(dup2(null, other) == other);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(null), close(other);
    CHECK(set(fd, F_WRLCK, 0, 0) == 0);
    other = dup(fd);
    close(fd);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(other);
}
TEST(a_child_has_none_and_takes_none_away) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 5) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int refused = set(fd, F_WRLCK, 0, 1) == -1 && (errno == EAGAIN || errno == EACCES);
        int done = set(fd, F_UNLCK, 0, 0);
        close(fd);
        _exit(refused && done == 0 ? 0 : 1);
    }
    SAME(result(pid), 0);
    SEEN("-----wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    close(fd);
}
TEST(they_go_with_the_process) {
    int fd = file("f", ""), p[2];
    char c;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (set(fd, F_WRLCK, 0, 5) == 0)
            (void)!write(p[1], "x", 1);
        for (;;)
            pause();
    }
    CHECK(read(p[0], &c, 1) == 1);
    FAILS(set(fd, F_WRLCK, 0, 1), EAGAIN);
    kill(pid, SIGKILL);
    CHECK(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    close(fd), close(p[0]), close(p[1]);
}
/* A child that sleeps for a lock of one byte, and may have another before that; it ends well when it gets it. */
static pid_t waiter(int fd, int first, short type, off_t at) {
    int p[2];
    char c;
    if (pipe(p) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (first >= 0 && set(fd, F_WRLCK, first, 1) < 0)
            _exit(1);
        (void)!write(p[1], "x", 1);
        _exit(lock_at(fd, F_SETLKW, type, SEEK_SET, at, 1) == 0 ? 0 : 2);
    }
    close(p[1]);
    int began = read(p[0], &c, 1) == 1;
    close(p[0]);
    wait_a_little();
    return began ? pid : -1;
}
TEST(F_SETLKW_waits) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 10) == 0);
    pid_t pid = waiter(fd, -1, F_WRLCK, 5);
    CHECK(pid > 0);
    SAME(waitpid(pid, NULL, WNOHANG), 0);
    /* Not what it waits for, and then that. */
    CHECK(set(fd, F_UNLCK, 0, 2) == 0);
    wait_a_little();
    SAME(waitpid(pid, NULL, WNOHANG), 0);
    CHECK(set(fd, F_UNLCK, 4, 3) == 0);
    SAME(result(pid), 0);
    close(fd);
}
TEST(a_weaker_lock_lets_readers_in) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 10) == 0);
    pid_t pid = waiter(fd, -1, F_RDLCK, 5);
    CHECK(pid > 0 && set(fd, F_RDLCK, 0, 10) == 0);
    SAME(result(pid), 0);
    close(fd);
}
TEST(a_signal_ends_the_wait) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 1) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction act = {.sa_handler = nothing};
        sigaction(SIGALRM, &act, NULL);
        alarm(1);
        int r = lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1);
        _exit(r == -1 && errno == EINTR ? 0 : 1);
    }
    SAME(result(pid), 0);
    close(fd);
}
TEST(a_circle_is_EDEADLK) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 1) == 0);
    pid_t pid = waiter(fd, 1, F_WRLCK, 0);
    CHECK(pid > 0);
    FAILS(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 1, 1), EDEADLK);
    CHECK(set(fd, F_UNLCK, 0, 1) == 0);
    SAME(result(pid), 0);
    close(fd);
}
TEST(exec_keeps_them) {
    int fd = file("f", "");
    CHECK(set(fd, F_WRLCK, 0, 1) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        /* A lock of its own, kept over exec: the program sees that a child can't have it. */
        int own = open("f", O_RDWR);
        if (set(own, F_WRLCK, 1, 1) < 0)
            _exit(9);
        execl(self, self, "locked", (char *)NULL);
        _exit(8);
    }
    SAME(result(pid), 0);
    CHECK(set(fd, F_WRLCK, 1, 1) == 0);
    close(fd);
}
TEST(lockf_locks_from_the_offset) {
    int fd = file("f", "0123456789");
    lseek(fd, 3, SEEK_SET);
    CHECK(lockf(fd, F_LOCK, 2) == 0);
    SEEN("www--wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    CHECK(lockf(fd, F_TEST, 2) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int tested = lockf(fd, F_TEST, 1) == -1 && (errno == EACCES || errno == EAGAIN);
        _exit(tested && lockf(fd, F_TLOCK, 1) == -1 && (errno == EACCES || errno == EAGAIN) ? 0 : 1);
    }
    SAME(result(pid), 0);
    CHECK(lockf(fd, F_ULOCK, 0) == 0);
    SEEN("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww");
    FAILS(lockf(fd, 17, 0), EINVAL);
    close(fd);
}
/* After exec: the second byte is ours, and a child can't have it. */
int child(int argc, char **argv) {
    (void)argc, (void)argv;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("f", O_RDWR);
        _exit(set(fd, F_WRLCK, 1, 1) == -1 && (errno == EAGAIN || errno == EACCES) ? 0 : 1);
    }
    return result(pid);
}
TESTS = {T(a_write_lock_keeps_others_out),
         T(read_locks_are_shared),
         T(ranges_split_and_merge),
         T(whence_and_lengths),
         T(F_GETLK_tells_who_is_in_the_way),
         T(the_descriptor_must_allow_it),
         T(any_close_gives_them_up),
         T(a_child_has_none_and_takes_none_away),
         T(they_go_with_the_process),
         T(F_SETLKW_waits),
         T(a_weaker_lock_lets_readers_in),
         T(a_signal_ends_the_wait),
         T(a_circle_is_EDEADLK),
         T(exec_keeps_them),
         T(lockf_locks_from_the_offset),
         END};
