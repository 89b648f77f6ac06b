/* SCM_RIGHTS: descriptors that are sent. */
#include "../test.h"
#include <sys/socket.h>

static int send_fds(int via, const int *fds, int n, const char *text) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec v = {(char *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
    return (int)sendmsg(via, &m, 0);
}
/* How many have come, with at most `room`. */
static int flags;
static int receive_fds(int via, int *fds, int room, char *text, size_t size) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
        struct cmsghdr align;
    } control;
    struct iovec v = {text, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes,
                       .msg_controllen = room ? CMSG_LEN(sizeof(int) * (size_t)room) : 0};
    long n = recvmsg(via, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return -1;
    text[n] = 0;
    flags = m.msg_flags;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c)
        return 0;
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return -2;
    int got = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)got);
    return got;
}

TEST(a_file_is_passed) {
    int s[2], fd = file("f", "content"), got = -1;
    char text[8];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    SAME(send_fds(s[0], &fd, 1, "take"), 4);
    close(fd);
    SAME(receive_fds(s[1], &got, 1, text, 7), 1);
    CHECK(!strcmp(text, "take") && fcntl(got, F_GETFD) == FD_CLOEXEC);
    CHECK(is_text(got, "content"));
    close(got), close(s[0]), close(s[1]);
}
TEST(between_processes) {
    int s[2], p[2], got, status;
    char text[8];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (pipe(p) < 0 || send_fds(s[1], p, 1, "x") != 1 || write(p[1], "through", 7) != 7)
            _exit(1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    SAME(receive_fds(s[0], &got, 1, text, 7), 1);
    CHECK(is_text(got, "through"));
    close(got), close(s[0]), close(s[1]);
}
TEST(they_come_with_their_bytes) {
    int s[2], fd = open("/dev/null", O_RDWR), got[4];
    char text[32];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(write(s[0], "before", 6) == 6 && send_fds(s[0], &fd, 1, "one") == 3);
    CHECK(send_fds(s[0], (int[]){fd, fd}, 2, "two") == 3);
    int n = 0, calls = 0, had[4] = {0};
    while (n < 12 && calls < 4) {
        had[calls] = receive_fds(s[1], got, 4, text, 31);
        for (int i = 0; i < had[calls]; i++)
            close(got[i]);
        n += (int)strlen(text), calls++;
    }
    SAME(n, 12);
    /* The two never come in one call. */
    SAME(had[0] + had[1] + had[2], 3);
    for (int i = 0; i < calls; i++)
        CHECK(had[i] <= 2);
    close(fd), close(s[0]), close(s[1]);
}
TEST(too_little_room_is_told) {
    int s[2], p[2], got[2];
    char text[8], c;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0 && pipe(p) == 0);
    SAME(send_fds(s[0], (int[]){p[0], p[1]}, 2, "x"), 1);
    SAME(receive_fds(s[1], got, 1, text, 7), 1);
    CHECK(flags & MSG_CTRUNC);
    close(got[0]);
    SAME(send_fds(s[0], &p[1], 1, "x"), 1);
    close(p[1]);
    SAME(receive_fds(s[1], got, 0, text, 7), 0);
    CHECK(flags & MSG_CTRUNC);
    /* It was closed: the pipe has no writer. */
    SAME(read(p[0], &c, 1), 0);
    close(p[0]), close(s[0]), close(s[1]);
}
TEST(what_is_not_received_is_closed) {
    int s[2], p[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    CHECK(send_fds(s[0], &p[1], 1, "x") == 1 && close(p[1]) == 0);
    close(s[0]), close(s[1]);
    SAME(read(p[0], &c, 1), 0);
    close(p[0]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    CHECK(send_fds(s[0], &p[1], 1, "x") == 1 && close(p[1]) == 0);
    SAME(read(s[1], &c, 1), 1);
    SAME(read(p[0], &c, 1), 0);
    close(p[0]), close(s[0]), close(s[1]);
}
TEST(bad_ones_are_refused) {
    int s[2], bad = 999;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    FAILS(send_fds(s[0], &bad, 1, "x"), EBADF);
    char text[8];
    FAILS(receive_fds(s[1], &bad, 1, text, 7), EAGAIN);
    close(s[0]), close(s[1]);
}
/* A socket that is in its own queue, with a pipe that tells whether it has gone. */
TEST(rings_are_collected) {
    int p[2], status;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int s[2], t[2];
        close(p[0]);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, t) < 0)
            _exit(1);
        /* To s[1] come s[1] itself, and the pipe. Then two pairs that hold each other. */
        if (send_fds(s[0], &s[1], 1, "x") != 1 || send_fds(s[0], &p[1], 1, "x") != 1)
            _exit(2);
        if (send_fds(t[0], &s[1], 1, "x") != 1 || send_fds(s[0], &t[1], 1, "x") != 1)
            _exit(3);
        _exit(0);
    }
    close(p[1]);
    CHECK(waitpid(pid, &status, 0) == pid);
    SAME(status, 0);
    /* Linux collects now and then: closing another socket asks it to. */
    char c;
    CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
    int n = -1;
    for (int i = 0; i < 200 && n < 0; i++) {
        int s[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
        close(s[0]), close(s[1]);
        usleep(5000);
        n = (int)read(p[0], &c, 1);
    }
    SAME(n, 0);
    close(p[0]);
}
TEST(rings_that_somebody_holds_are_not) {
    int s[2], got;
    char text[8];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(send_fds(s[0], &s[1], 1, "x") == 1);
    for (int i = 0; i < 5; i++) {
        int t[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, t) == 0);
        close(t[0]), close(t[1]);
    }
    SAME(receive_fds(s[1], &got, 1, text, 7), 1);
    CHECK(write(s[0], "y", 1) == 1 && read(got, text, 7) == 1);
    close(got), close(s[0]), close(s[1]);
}
TESTS = {T(a_file_is_passed), T(between_processes), T(they_come_with_their_bytes), T(too_little_room_is_told),
         T(what_is_not_received_is_closed), T(bad_ones_are_refused), T(rings_are_collected),
         T(rings_that_somebody_holds_are_not), END};
