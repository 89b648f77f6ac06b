/* bind(2), listen(2), accept(2), connect(2), and datagrams to a name. */
#include "../test.h"
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address;
static socklen_t at(const char *path) {
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}
static int try_bind(int fd, const char *path) {
    socklen_t n = at(path);
    return bind(fd, (struct sockaddr *)&address, n);
}
static int try_connect(int fd, const char *path) {
    socklen_t n = at(path);
    return connect(fd, (struct sockaddr *)&address, n);
}
static int listener(const char *path, int backlog) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return try_bind(fd, path) == 0 && listen(fd, backlog) == 0 ? fd : -1;
}
static int caller(const char *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return try_connect(fd, path) == 0 ? fd : -1;
}

TEST(a_connection_to_a_name) {
    struct stat st;
    char buf[8];
    int l = listener("door", 5), c = caller("door"), a;
    CHECK(l >= 0 && c >= 0);
    CHECK(stat("door", &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(write(c, "early", 5) == 5);
    struct sockaddr_un who;
    socklen_t len = sizeof who;
    CHECK((a = accept(l, (struct sockaddr *)&who, &len)) >= 0);
    CHECK(len >= sizeof(sa_family_t) && who.sun_family == AF_UNIX);
    SAME(read(a, buf, 8), 5);
    CHECK(write(a, "hello", 5) == 5 && read(c, buf, 8) == 5);
    len = sizeof who;
    CHECK(getpeername(c, (struct sockaddr *)&who, &len) == 0 && !strcmp(who.sun_path, "door"));
    SAME(len, offsetof(struct sockaddr_un, sun_path) + 5);
    len = sizeof who;
    CHECK(getsockname(a, (struct sockaddr *)&who, &len) == 0 && !strcmp(who.sun_path, "door"));
    len = sizeof who;
    CHECK(getsockname(c, (struct sockaddr *)&who, &len) == 0 && len == sizeof(sa_family_t));
    close(a);
    SAME(read(c, buf, 8), 0);
    close(c), close(l);
    CHECK(unlink("door") == 0);
}
TEST(names_are_taken_once) {
    int a = socket(AF_UNIX, SOCK_STREAM, 0), b = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(try_bind(a, "taken") == 0);
    FAILS(try_bind(b, "taken"), EADDRINUSE);
    FAILS(try_bind(a, "other"), EINVAL);
    FAILS(try_bind(b, "no/such/dir"), ENOENT);
    address.sun_family = 99;
    CHECK(bind(b, (struct sockaddr *)&address, sizeof address) == -1);
    close(a);
    /* The file stays, and is nobody's. */
    FAILS(try_connect(b, "taken"), ECONNREFUSED);
    FAILS(try_bind(b, "taken"), EADDRINUSE);
    CHECK(unlink("taken") == 0 && try_bind(b, "taken") == 0);
    close(b);
    CHECK(unlink("taken") == 0);
}
TEST(nobody_listens) {
    int a = socket(AF_UNIX, SOCK_STREAM, 0), b = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(try_connect(a, "missing"), ENOENT);
    close(file("plain", ""));
    FAILS(try_connect(a, "plain"), ECONNREFUSED);
    CHECK(try_bind(b, "quiet") == 0);
    FAILS(try_connect(a, "quiet"), ECONNREFUSED);
    CHECK(listen(b, 1) == 0 && try_connect(a, "quiet") == 0);
    FAILS(try_connect(a, "quiet"), EISCONN);
    close(a);
    a = socket(AF_UNIX, SOCK_DGRAM, 0);
    FAILS(try_connect(a, "quiet"), EPROTOTYPE);
    FAILS(open("quiet", O_RDWR), ENXIO);
    close(a), close(b);
    unlink("quiet");
}
TEST(states_are_checked) {
    int a = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un who;
    socklen_t len = sizeof who;
    char c;
    FAILS(listen(a, 1), EINVAL);
    FAILS(accept(a, NULL, NULL), EINVAL);
    FAILS(getpeername(a, (struct sockaddr *)&who, &len), ENOTCONN);
    FAILS(send(a, "x", 1, 0), ENOTCONN);
    FAILS(recv(a, &c, 1, 0), EINVAL);
    FAILS(listen(d, 1), EOPNOTSUPP);
    FAILS(accept(d, NULL, NULL), EOPNOTSUPP);
    FAILS(send(d, "x", 1, 0), ENOTCONN);
    struct pollfd p = {.fd = a, .events = POLLIN | POLLOUT};
    CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLHUP);
    close(a), close(d);
}
TEST(the_backlog_is_bounded) {
    int l = listener("full", 2), fds[64], n = 0, why = 0;
    CHECK(l >= 0);
    for (; n < 64; n++) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (try_connect(fds[n], "full") < 0) {
            why = errno;
            break;
        }
    }
    SAME(why, EAGAIN);
    CHECK(n >= 2 && n < 10);
    int a = accept(l, NULL, NULL);
    CHECK(a >= 0 && try_connect(fds[n], "full") == 0);
    close(a), close(l);
    /* Those that were never accepted are told. */
    char c;
    CHECK(read(fds[1], &c, 1) == -1 && errno == ECONNRESET);
    SAME(read(fds[1], &c, 1), 0);
    for (int i = 0; i <= n; i++)
        close(fds[i]);
    unlink("full");
}
TEST(a_connect_waits_for_room) {
    int l = listener("wait", 0), first, status;
    CHECK(l >= 0 && (first = caller("wait")) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(l);
        int fd = caller("wait"), more = fd < 0 ? -1 : caller("wait");
        char c;
        _exit(!(fd >= 0 && more >= 0 && read(more, &c, 1) == 1));
    }
    for (int i = 0; i < 3; i++) {
        int a = accept(l, NULL, NULL);
        CHECK(a >= 0 && write(a, "x", 1) == 1);
        close(a);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    SAME(status, 0);
    close(first), close(l);
    unlink("wait");
}
TEST(accept_waits_and_polls) {
    int l = listener("poll", 5), status;
    struct pollfd p = {.fd = l, .events = POLLIN};
    CHECK(l >= 0 && poll(&p, 1, 0) == 0);
    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    FAILS(accept(l, NULL, NULL), EAGAIN);
    CHECK(fcntl(l, F_SETFL, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(30000);
        int c = caller("poll");
        char b;
        _exit(read(c, &b, 1) != 0);
    }
    CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
    int a = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(a >= 0 && fcntl(a, F_GETFL) & O_NONBLOCK && fcntl(a, F_GETFD) == FD_CLOEXEC);
    struct { int pid, uid, gid; } peer;
    socklen_t len = sizeof peer;
    CHECK(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == pid);
    close(a), close(l);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    unlink("poll");
}
TEST(datagrams_to_a_name) {
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
    char buf[16];
    struct sockaddr_un who;
    socklen_t len = at("a");
    CHECK(try_bind(a, "a") == 0);
    len = at("a");
    SAME(sendto(b, "nameless", 8, 0, (struct sockaddr *)&address, len), 8);
    len = sizeof who;
    SAME(recvfrom(a, buf, 16, 0, (struct sockaddr *)&who, &len), 8);
    SAME(len, 0);
    CHECK(try_bind(b, "b") == 0);
    len = at("a");
    SAME(sendto(b, "from b", 6, 0, (struct sockaddr *)&address, len), 6);
    len = sizeof who;
    SAME(recvfrom(a, buf, 16, 0, (struct sockaddr *)&who, &len), 6);
    CHECK(!strcmp(who.sun_path, "b"));
    SAME(sendto(a, "answer", 6, 0, (struct sockaddr *)&who, len), 6);
    SAME(recv(b, buf, 16, 0), 6);
    CHECK(try_connect(b, "a") == 0 && send(b, "x", 1, 0) == 1 && recv(a, buf, 16, 0) == 1);
    close(a);
    FAILS(send(b, "x", 1, 0), ECONNREFUSED);
    len = at("a");
    FAILS(sendto(b, "x", 1, 0, (struct sockaddr *)&address, len), ECONNREFUSED);
    close(b);
    unlink("a"), unlink("b");
}
TEST(a_connected_datagram_socket_hears_its_peer_only) {
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(try_bind(a, "a") == 0 && try_bind(b, "b") == 0 && try_connect(a, "b") == 0);
    socklen_t len = at("a");
    FAILS(sendto(c, "x", 1, 0, (struct sockaddr *)&address, len), EPERM);
    SAME(sendto(b, "x", 1, 0, (struct sockaddr *)&address, len), 1);
    struct sockaddr_un none = {.sun_family = AF_UNSPEC};
    CHECK(connect(a, (struct sockaddr *)&none, sizeof none) == 0);
    len = at("a");
    SAME(sendto(c, "x", 1, 0, (struct sockaddr *)&address, len), 1);
    close(a), close(b), close(c);
    unlink("a"), unlink("b");
}
TEST(permissions) {
    if (geteuid() != 0)
        SKIP("wants root");
    int l = listener("closed", 5), status;
    CHECK(l >= 0 && chmod("closed", 0600) == 0 && chmod(".", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setuid(54321) < 0)
            _exit(2);
        _exit(!(try_connect(fd, "closed") == -1 && errno == EACCES));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    SAME(status, 0);
    close(l);
    unlink("closed");
}
TEST(abstract_names) {
    int l = socket(AF_UNIX, SOCK_STREAM, 0), m = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX}, who;
    snprintf(name.sun_path + 1, 20, "test-%d", (int)getpid());
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
    CHECK(bind(l, (struct sockaddr *)&name, len) == 0 && listen(l, 1) == 0);
    FAILS(bind(m, (struct sockaddr *)&name, len), EADDRINUSE);
    CHECK(connect(c, (struct sockaddr *)&name, len) == 0);
    socklen_t got = sizeof who;
    CHECK(getpeername(c, (struct sockaddr *)&who, &got) == 0 && got == len && who.sun_path[0] == 0);
    close(l), close(c);
    FAILS(connect(m, (struct sockaddr *)&name, len), ECONNREFUSED);
    close(m);
}
TESTS = {T(a_connection_to_a_name), T(names_are_taken_once), T(nobody_listens), T(states_are_checked),
         T(the_backlog_is_bounded), T(a_connect_waits_for_room), T(accept_waits_and_polls), T(datagrams_to_a_name),
         T(a_connected_datagram_socket_hears_its_peer_only), T(permissions), T(abstract_names), END};
