/* SO_PASSCRED, SCM_CREDENTIALS, SO_PEERCRED: unix(7). */
#include "../users/users.h"
#include <sys/socket.h>
#include <sys/un.h>

static struct ucred got;
static int had, flags;
/* How many bytes have come; with whose name is in `got`, if any. */
static long receive(int fd, char *buf, size_t size, size_t room, int how) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {buf, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = room};
    long n = recvmsg(fd, &m, how | MSG_DONTWAIT);
    had = 0, flags = m.msg_flags;
    if (n < 0)
        return n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&got, CMSG_DATA(c), sizeof got), had++;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            had += 10;
    }
    return n;
}
#define ROOM (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)))
static long say(int fd, const char *text, pid_t pid, uid_t uid, gid_t gid) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct ucred who = {pid, uid, gid};
    struct iovec v = {(char *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    memset(&control, 0, sizeof control);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_CREDENTIALS, c->cmsg_len = CMSG_LEN(sizeof who);
    memcpy(CMSG_DATA(c), &who, sizeof who);
    return sendmsg(fd, &m, 0);
}
static int mine(void) {
    return had == 1 && (pid_t)got.pid == getpid() && got.uid == getuid() && got.gid == getgid();
}
static int asking(int type, int s[2]) {
    int on = 1, is = 0;
    socklen_t len = sizeof is;
    return socketpair(AF_UNIX, type, 0, s) == 0 && getsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &is, &len) == 0 && is == 0 &&
           setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
           getsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &is, &len) == 0 && is == 1;
}

TEST(who_asks_is_told_who_has_sent) {
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}, s[2];
    char buf[8];
    for (int i = 0; i < 3; i++) {
        CHECK(asking(types[i], s));
        CHECK(write(s[0], "abc", 3) == 3);
        SAME(receive(s[1], buf, 8, ROOM, MSG_PEEK), 3);
        CHECK(mine());
        SAME(receive(s[1], buf, 8, ROOM, 0), 3);
        CHECK(mine() && !(flags & MSG_CTRUNC));
        /* Nobody asked at the other end. */
        CHECK(write(s[1], "abc", 3) == 3);
        SAME(receive(s[0], buf, 8, ROOM, 0), 3);
        SAME(had, 0);
        close(s[0]), close(s[1]);
    }
}
/* Two that take turns with one byte each: so many changes of the sender a receiver may not keep up with. */
TEST(many_senders_in_turn_wait_for_the_receiver) {
    enum { TURNS = 700 };
    int s[2], turn[2][2];
    char c = 'x', buf[8];
    CHECK(asking(SOCK_STREAM, s) && pipe(turn[0]) == 0 && pipe(turn[1]) == 0);
    pid_t pids[2];
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0) {
            int ok = 1;
            for (int n = 0; ok && n < TURNS; n++)
                ok = read(turn[i][0], &c, 1) == 1 && write(s[0], &"ab"[i], 1) == 1 &&
                     (write(turn[1 - i][1], &c, 1) == 1);
            _exit(!ok);
        }
    CHECK(write(turn[0][1], &c, 1) == 1);
    usleep(200000);
    for (int n = 0; n < 2 * TURNS; n++) {
        long got_bytes;
        for (long long begin = now_ms(); (got_bytes = receive(s[1], buf, 8, ROOM, 0)) < 0 && now_ms() - begin < 5000;)
            usleep(1000);
        SAME(got_bytes, 1);
        CHECK(had == 1 && (pid_t)got.pid == pids[n % 2] && buf[0] == "ab"[n % 2]);
    }
    for (int i = 0, status; i < 2; i++) {
        SAME(waitpid(pids[i], &status, 0), pids[i]);
        SAME(status, 0);
        close(s[i]), close(turn[i][0]), close(turn[i][1]);
    }
}
TEST(too_little_room_is_told) {
    int s[2];
    char buf[8];
    CHECK(asking(SOCK_DGRAM, s) && write(s[0], "abc", 3) == 3);
    SAME(receive(s[1], buf, 8, 0, 0), 3);
    CHECK(had == 0 && flags & MSG_CTRUNC);
    close(s[0]), close(s[1]);
}
TEST(a_stream_is_cut_between_senders) {
    int s[2], status;
    char buf[16];
    CHECK(asking(SOCK_STREAM, s) && write(s[0], "mine", 4) == 4);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(s[0], "childs", 6) != 6);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(write(s[0], "mine", 4) == 4 && write(s[0], "too", 3) == 3);
    SAME(receive(s[1], buf, 16, ROOM, MSG_WAITALL), 4);
    CHECK(mine());
    SAME(receive(s[1], buf, 2, ROOM, 0), 2);
    SAME(receive(s[1], buf, 16, ROOM, 0), 4);
    SAME(got.pid, pid);
    SAME(receive(s[1], buf, 16, ROOM, 0), 7);
    CHECK(mine());
    close(s[0]), close(s[1]);
}
TEST(without_asking_it_is_not_cut) {
    int s[2], status;
    char buf[16];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && write(s[0], "mine", 4) == 4);
    pid_t pid = fork();
    if (pid == 0)
        _exit(say(s[0], "childs", getpid(), getuid(), getgid()) != 6);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    SAME(receive(s[1], buf, 16, ROOM, 0), 10);
    SAME(had, 0);
    close(s[0]), close(s[1]);
}
TEST(before_it_is_accepted_all_is_kept) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "door"};
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), on = 1;
    char buf[8];
    CHECK(bind(l, (struct sockaddr *)&a, sizeof a) == 0 && listen(l, 1) == 0);
    CHECK(connect(c, (struct sockaddr *)&a, sizeof a) == 0 && write(c, "abc", 3) == 3);
    int s = accept(l, NULL, NULL);
    CHECK(s >= 0 && setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    SAME(receive(s, buf, 8, ROOM, 0), 3);
    CHECK(mine());
    struct ucred peer;
    socklen_t len = sizeof peer;
    CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof peer);
    CHECK((pid_t)peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    close(l), close(c), close(s), unlink("door");
}
TEST(it_comes_before_descriptors) {
    int s[2], fd = open("/dev/null", O_RDONLY);
    char buf[8];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec v = {"abc", 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    CHECK(asking(SOCK_SEQPACKET, s));
    SAME(sendmsg(s[0], &m, 0), 3);
    SAME(receive(s[1], buf, 8, ROOM, 0), 3);
    SAME(had, 11);
    close(fd), close(s[0]), close(s[1]);
}
TEST(one_may_say_only_what_is_true) {
    int s[2];
    char buf[8];
    CHECK(asking(SOCK_DGRAM, s));
    SAME(say(s[0], "abc", getpid(), getuid(), getgid()), 3);
    SAME(receive(s[1], buf, 8, ROOM, 0), 3);
    CHECK(mine());
    if (geteuid() == 0) {
        SAME(say(s[0], "abc", getpid(), USER, OTHER), 3);
        SAME(receive(s[1], buf, 8, ROOM, 0), 3);
        CHECK(got.uid == USER && got.gid == OTHER);
    } else {
        FAILS(say(s[0], "abc", getpid(), getuid() + 1, getgid()), EPERM);
    }
    close(s[0]), close(s[1]);
}
ROOT_TEST(others_may_not_lie) {
    int s[2];
    char buf[8];
    CHECK(asking(SOCK_DGRAM, s) && setresgid(USER, OTHER, 5) == 0 && setresuid(USER, OTHER, 5) == 0);
    SAME(say(s[0], "abc", getpid(), 5, OTHER), 3);
    SAME(receive(s[1], buf, 8, ROOM, 0), 3);
    CHECK(had == 1 && got.uid == 5 && got.gid == OTHER);
    FAILS(say(s[0], "abc", getpid(), 0, USER), EPERM);
    FAILS(say(s[0], "abc", getpid(), USER, 0), EPERM);
    FAILS(say(s[0], "abc", getppid(), USER, USER), EPERM);
    /* What is sent in silence is the real ids. */
    CHECK(write(s[0], "abc", 3) == 3);
    SAME(receive(s[1], buf, 8, ROOM, 0), 3);
    CHECK(mine());
}
TESTS = {T(who_asks_is_told_who_has_sent), T(many_senders_in_turn_wait_for_the_receiver), T(too_little_room_is_told), T(a_stream_is_cut_between_senders),
         T(without_asking_it_is_not_cut), T(before_it_is_accepted_all_is_kept), T(it_comes_before_descriptors),
         T(one_may_say_only_what_is_true), T(others_may_not_lie), END};
