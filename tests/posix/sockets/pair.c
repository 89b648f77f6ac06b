/* socketpair(2), send(2), recv(2), shutdown(2): sockets that are connected from the beginning. */
#include "../test.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static int s[2];
#define PAIR(type) CHECK(socketpair(AF_UNIX, type, 0, s) == 0)
#define DONE() close(s[0]), close(s[1])

static short events(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST(bytes_go_both_ways) {
    char buf[16] = "";
    PAIR(SOCK_STREAM);
    SAME(write(s[0], "there", 5), 5);
    SAME(send(s[1], "back", 4, 0), 4);
    SAME(read(s[1], buf, sizeof buf), 5);
    CHECK(memcmp(buf, "there", 5) == 0);
    SAME(recv(s[0], buf, 2, 0), 2);
    SAME(recv(s[0], buf + 2, sizeof buf, 0), 2);
    CHECK(memcmp(buf, "back", 4) == 0);
    DONE();
}
TEST(what_they_are) {
    struct stat st;
    int type;
    socklen_t len = sizeof type;
    PAIR(SOCK_STREAM);
    CHECK(fstat(s[0], &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM && len == sizeof type);
    CHECK((fcntl(s[0], F_GETFL) & O_ACCMODE) == O_RDWR);
    FAILS(lseek(s[0], 0, SEEK_SET), ESPIPE);
    DONE();
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) == 0);
    CHECK(fcntl(s[0], F_GETFD) == FD_CLOEXEC && fcntl(s[1], F_GETFL) & O_NONBLOCK);
    len = sizeof type;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM);
    DONE();
    FAILS(socketpair(AF_UNIX, SOCK_STREAM, 77, s), EPROTONOSUPPORT);
    FAILS(socketpair(99, SOCK_STREAM, 0, s), EAFNOSUPPORT);
    FAILS(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
}
TEST(other_files_are_no_sockets) {
    char c;
    int fd = file("plain", "");
    FAILS(send(fd, "x", 1, 0), ENOTSOCK);
    FAILS(recv(fd, &c, 1, 0), ENOTSOCK);
    FAILS(listen(fd, 1), ENOTSOCK);
    FAILS(shutdown(fd, SHUT_RD), ENOTSOCK);
    close(fd);
    FAILS(send(fd, "x", 1, 0), EBADF);
}
TEST(the_end_comes_after_the_data) {
    char buf[8];
    PAIR(SOCK_STREAM);
    CHECK(write(s[0], "last", 4) == 4 && close(s[0]) == 0);
    SAME(read(s[1], buf, 8), 4);
    SAME(read(s[1], buf, 8), 0);
    signal(SIGPIPE, SIG_IGN);
    FAILS(write(s[1], "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    FAILS(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
}
TEST(SIGPIPE_unless_unwanted) {
    PAIR(SOCK_STREAM);
    close(s[0]);
    pid_t pid = fork();
    if (pid == 0) {
        send(s[1], "x", 1, MSG_NOSIGNAL);
        send(s[1], "x", 1, 0);
        _exit(0);
    }
    int status;
    SAME(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    close(s[1]);
}
TEST(what_was_not_read_is_a_reset) {
    char c;
    PAIR(SOCK_STREAM);
    CHECK(write(s[0], "lost", 4) == 4 && close(s[1]) == 0);
    FAILS(read(s[0], &c, 1), ECONNRESET);
    SAME(read(s[0], &c, 1), 0);
    close(s[0]);
}
TEST(shutdown_of_one_direction) {
    char buf[8];
    PAIR(SOCK_STREAM);
    CHECK(write(s[0], "abc", 3) == 3 && shutdown(s[0], SHUT_WR) == 0);
    FAILS(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    SAME(read(s[1], buf, 8), 3);
    SAME(read(s[1], buf, 8), 0);
    SAME(write(s[1], "answer", 6), 6);
    SAME(read(s[0], buf, 8), 6);
    CHECK(shutdown(s[0], SHUT_RD) == 0);
    SAME(read(s[0], buf, 8), 0);
    FAILS(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    FAILS(shutdown(s[0], 99), EINVAL);
    DONE();
}
TEST(peek_and_dontwait) {
    char buf[8] = "";
    PAIR(SOCK_STREAM);
    FAILS(recv(s[0], buf, 8, MSG_DONTWAIT), EAGAIN);
    CHECK(write(s[1], "abcdef", 6) == 6);
    SAME(recv(s[0], buf, 3, MSG_PEEK), 3);
    SAME(recv(s[0], buf, 8, MSG_PEEK), 6);
    CHECK(memcmp(buf, "abcdef", 6) == 0);
    int n;
    CHECK(ioctl(s[0], FIONREAD, &n) == 0 && n == 6);
    SAME(recv(s[0], buf, 8, 0), 6);
    CHECK(fcntl(s[0], F_SETFL, O_NONBLOCK) == 0);
    FAILS(read(s[0], buf, 1), EAGAIN);
    FAILS(recv(s[0], buf, 1, MSG_PEEK), EAGAIN);
    DONE();
}
TEST(waitall_waits_for_all) {
    char buf[16];
    PAIR(SOCK_STREAM);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            usleep(20000);
            if (write(s[1], "1234", 4) != 4)
                _exit(1);
        }
        _exit(0);
    }
    close(s[1]);
    SAME(recv(s[0], buf, 10, MSG_WAITALL), 10);
    SAME(recv(s[0], buf, 10, MSG_WAITALL), 2);
    close(s[0]);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}
TEST(messages_keep_their_ends) {
    int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        char buf[8] = "";
        PAIR(types[i]);
        CHECK(send(s[0], "one", 3, 0) == 3 && send(s[0], "three", 5, 0) == 5 && send(s[0], "", 0, 0) == 0);
        SAME(recv(s[1], buf, 8, 0), 3);
        SAME(recv(s[1], buf, 2, MSG_PEEK), 2);
        SAME(recv(s[1], buf, 2, MSG_TRUNC), 5);
        CHECK(memcmp(buf, "th", 2) == 0);
        SAME(recv(s[1], buf, 8, 0), 0);
        FAILS(recv(s[1], buf, 8, MSG_DONTWAIT), EAGAIN);
        struct iovec v = {buf, 2};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        CHECK(write(s[0], "long", 4) == 4);
        SAME(recvmsg(s[1], &m, 0), 2);
        CHECK(m.msg_flags & MSG_TRUNC);
        DONE();
    }
}
TEST(a_message_may_be_too_long) {
    static char big[4 << 20];
    PAIR(SOCK_DGRAM);
    FAILS(send(s[0], big, sizeof big, 0), EMSGSIZE);
    DONE();
}
TEST(gathered_and_scattered) {
    char a[3], b[8];
    PAIR(SOCK_STREAM);
    struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, in[2] = {{a, 3}, {b, 8}};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 3};
    SAME(sendmsg(s[0], &m, 0), 6);
    m = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
    SAME(recvmsg(s[1], &m, 0), 6);
    CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "def", 3) == 0 && m.msg_flags == 0);
    SAME(writev(s[0], out, 3), 6);
    SAME(readv(s[1], in, 2), 6);
    DONE();
}
TEST(poll_and_select) {
    char c;
    PAIR(SOCK_STREAM);
    SAME(events(s[0]), POLLOUT);
    CHECK(write(s[1], "x", 1) == 1);
    SAME(events(s[0]), POLLIN | POLLOUT);
    fd_set r;
    FD_ZERO(&r);
    FD_SET(s[0], &r);
    SAME(select(s[0] + 1, &r, NULL, NULL, &(struct timeval){0}), 1);
    CHECK(FD_ISSET(s[0], &r) && read(s[0], &c, 1) == 1);
    CHECK(fcntl(s[1], F_SETFL, O_NONBLOCK) == 0);
    static char block[4096];
    while (write(s[1], block, sizeof block) > 0)
        ;
    int why = errno;
    SAME(why, EAGAIN);
    SAME(events(s[1]), 0);
    close(s[0]);
    CHECK(events(s[1]) & POLLHUP);
    close(s[1]);
}
TEST(a_full_socket_makes_the_sender_wait) {
    enum { SIZE = 1 << 20 };
    static char block[SIZE];
    PAIR(SOCK_STREAM);
    pid_t pid = fork();
    if (pid == 0) {
        close(s[0]);
        for (int i = 0; i < SIZE; i++)
            block[i] = (char)(i * 7 + i / 251);
        _exit(write(s[1], block, SIZE) != SIZE);
    }
    close(s[1]);
    long n, at = 0, wrong = 0;
    static char buf[5000];
    while ((n = read(s[0], buf, sizeof buf)) > 0)
        for (long i = 0; i < n; i++, at++)
            wrong += buf[i] != (char)(at * 7 + at / 251);
    SAME(at, SIZE);
    SAME(wrong, 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(s[0]);
}
static void nothing(int signal) {
    (void)signal;
}
TEST(signals_interrupt) {
    char c;
    PAIR(SOCK_STREAM);
    struct sigaction a = {.sa_handler = nothing};
    sigaction(SIGALRM, &a, NULL);
    /* Again and again: the first may come before the call. */
    struct itimerval t = {{0, 50000}, {0, 50000}}, none = {.it_value = {0}};
    setitimer(ITIMER_REAL, &t, NULL);
    FAILS(recv(s[0], &c, 1, 0), EINTR);
    /* With SA_RESTART it goes on, but not one with a time limit. */
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    struct timeval limit = {5, 0};
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    FAILS(recv(s[0], &c, 1, 0), EINTR);
    limit.tv_sec = 0;
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(150000);
        _exit(write(s[1], "x", 1) != 1);
    }
    setitimer(ITIMER_REAL, &t, NULL);
    SAME(recv(s[0], &c, 1, 0), 1);
    setitimer(ITIMER_REAL, &none, NULL);
    signal(SIGALRM, SIG_DFL);
    SAME(waitpid(pid, NULL, 0), pid);
    DONE();
}
TEST(time_limits) {
    char c;
    struct timeval limit = {0, 60000}, got;
    socklen_t len = sizeof got;
    PAIR(SOCK_STREAM);
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len) == 0 && got.tv_sec == 0 && got.tv_usec >= 60000);
    long long before = now_ms();
    FAILS(recv(s[0], &c, 1, 0), EAGAIN);
    CHECK(now_ms() - before >= 50);
    DONE();
}
TEST(options) {
    int n;
    socklen_t len = sizeof n;
    struct { int pid, uid, gid; } peer;
    PAIR(SOCK_STREAM);
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &n, &len) == 0 && n == 0);
    n = 16384;
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof n) == 0);
    len = sizeof n;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &n, &len) == 0 && n >= 16384);
    len = sizeof peer;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof peer);
    CHECK(peer.pid == getpid() && peer.uid == (int)geteuid() && peer.gid == (int)getegid());
    FAILS(getsockopt(s[0], SOL_SOCKET, 9999, &n, &len), ENOPROTOOPT);
    FAILS(setsockopt(s[0], SOL_SOCKET, 9999, &n, sizeof n), ENOPROTOOPT);
    FAILS(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &n, 1), EINVAL);
    DONE();
}
TEST(a_child_talks_to_its_parent) {
    char buf[16];
    PAIR(SOCK_STREAM);
    pid_t pid = fork();
    if (pid == 0) {
        close(s[0]);
        long n;
        while ((n = read(s[1], buf, sizeof buf)) > 0)
            if (write(s[1], buf, (size_t)n) != n)
                _exit(1);
        _exit(0);
    }
    close(s[1]);
    for (int i = 0; i < 200; i++) {
        CHECK(write(s[0], &i, sizeof i) == sizeof i);
        int back = -1;
        CHECK(recv(s[0], &back, sizeof back, MSG_WAITALL) == sizeof back && back == i);
    }
    close(s[0]);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}
TESTS = {T(bytes_go_both_ways), T(what_they_are), T(other_files_are_no_sockets), T(the_end_comes_after_the_data),
         T(SIGPIPE_unless_unwanted), T(what_was_not_read_is_a_reset), T(shutdown_of_one_direction), T(peek_and_dontwait),
         T(waitall_waits_for_all), T(messages_keep_their_ends), T(a_message_may_be_too_long), T(gathered_and_scattered),
         T(poll_and_select), T(a_full_socket_makes_the_sender_wait), T(signals_interrupt), T(time_limits), T(options),
         T(a_child_talks_to_its_parent), END};
