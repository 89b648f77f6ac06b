/* mkfifo(3), mknod(2) of a FIFO, and open(2), read(2), write(2), poll(2) on one. */
#include "../test.h"
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>

static void nothing(int signal) {
    (void)signal;
}
/* A handler without SA_RESTART, so that a sleeping call ends. */
static void catch_signal(int signal) {
    struct sigaction act = {.sa_handler = nothing};
    sigaction(signal, &act, NULL);
}
/* What a child of ours ended with. */
static int result(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static void wait_a_little(void) {
    struct timespec t = {0, 20000000};
    nanosleep(&t, NULL);
}
static int events(int fd, short asked) {
    struct pollfd f = {.fd = fd, .events = asked};
    return poll(&f, 1, 0) < 0 ? -1 : f.revents;
}

TEST(it_is_a_file_of_its_own_type) {
    struct stat st;
    mode_t old = umask(027);
    CHECK(mkfifo("made", 0666) == 0 && stat("made", &st) == 0);
    umask(old);
    CHECK(S_ISFIFO(st.st_mode));
    SAME(st.st_mode & 07777, 0640);
    SAME(st.st_size, 0);
    CHECK(mknod("node", S_IFIFO | 0600, 0) == 0 && lstat("node", &st) == 0 && S_ISFIFO(st.st_mode));
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    CHECK(mkfifoat(dir, "at", 0600) == 0 && fstatat(dir, "at", &st, 0) == 0 && S_ISFIFO(st.st_mode));
    close(dir);
    CHECK(rename("at", "moved") == 0 && link("moved", "other") == 0 && stat("other", &st) == 0);
    SAME(st.st_nlink, 2);
    CHECK(chmod("moved", 0604) == 0 && stat("other", &st) == 0);
    SAME(st.st_mode, S_IFIFO | 0604);
    CHECK(unlink("moved") == 0 && unlink("other") == 0);
}
TEST(names_that_cannot_be_made) {
    close(file("plain", ""));
    FAILS(mkfifo("plain", 0600), EEXIST);
    FAILS(mkfifo("plain/x", 0600), ENOTDIR);
    FAILS(mkfifo("nowhere/x", 0600), ENOENT);
    FAILS(mkfifo("", 0600), ENOENT);
    FAILS(truncate("made", 0), EINVAL);
}
TEST(a_writer_without_reader_is_ENXIO) {
    CHECK(mkfifo("lonely", 0600) == 0);
    FAILS(open("lonely", O_WRONLY | O_NONBLOCK), ENXIO);
    int r = open("lonely", O_RDONLY | O_NONBLOCK);
    CHECK(r >= 0);
    int w = open("lonely", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0);
    close(r), close(w);
    FAILS(open("lonely", O_WRONLY | O_NONBLOCK), ENXIO);
}
TEST(open_waits_for_the_other_side) {
    CHECK(mkfifo("meet", 0600) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        wait_a_little();
        int w = open("meet", O_WRONLY);
        _exit(w >= 0 && write(w, "hello", 5) == 5 ? 0 : 1);
    }
    int r = open("meet", O_RDONLY);
    CHECK(r >= 0 && is_text(r, "hello"));
    SAME(result(pid), 0);
    close(r);
    pid = fork();
    if (pid == 0) {
        wait_a_little();
        r = open("meet", O_RDONLY);
        _exit(r >= 0 && is_text(r, "again") ? 0 : 1);
    }
    int w = open("meet", O_WRONLY);
    CHECK(w >= 0 && write(w, "again", 5) == 5);
    close(w);
    SAME(result(pid), 0);
}
TEST(opening_for_both_never_waits) {
    char buf[8];
    CHECK(mkfifo("both", 0600) == 0);
    int fd = open("both", O_RDWR);
    CHECK(fd >= 0 && write(fd, "abc", 3) == 3);
    SAME(read(fd, buf, sizeof buf), 3);
    SAME(events(fd, POLLIN | POLLOUT), POLLOUT);
    close(fd);
}
TEST(a_signal_ends_an_open_that_waits) {
    CHECK(mkfifo("never", 0600) == 0);
    catch_signal(SIGALRM);
    for (int flags = O_RDONLY, i = 0; i < 2; i++, flags = O_WRONLY) {
        alarm(1);
        FAILS(open("never", flags), EINTR);
    }
    signal(SIGALRM, SIG_DFL);
    /* Nobody has stayed behind. */
    FAILS(open("never", O_WRONLY | O_NONBLOCK), ENXIO);
}
TEST(the_end_of_file_is_where_no_writer_is) {
    char c;
    CHECK(mkfifo("end", 0600) == 0);
    int r = open("end", O_RDONLY | O_NONBLOCK);
    SAME(read(r, &c, 1), 0);
    int w = open("end", O_WRONLY);
    FAILS(read(r, &c, 1), EAGAIN);
    CHECK(write(w, "xy", 2) == 2);
    close(w);
    SAME(read(r, &c, 1), 1);
    SAME(read(r, &c, 1), 1);
    SAME(read(r, &c, 1), 0);
    /* And a new writer begins anew. */
    w = open("end", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0);
    FAILS(read(r, &c, 1), EAGAIN);
    close(w), close(r);
}
TEST(what_nobody_read_is_gone_with_the_last_end) {
    char c;
    CHECK(mkfifo("gone", 0600) == 0);
    int fd = open("gone", O_RDWR);
    CHECK(write(fd, "left", 4) == 4);
    close(fd);
    int r = open("gone", O_RDONLY | O_NONBLOCK);
    SAME(read(r, &c, 1), 0);
    close(r);
}
TEST(a_writer_without_reader_gets_SIGPIPE) {
    CHECK(mkfifo("pipe", 0600) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        int r = open("pipe", O_RDONLY | O_NONBLOCK), w = open("pipe", O_WRONLY);
        close(r);
        (void)!write(w, "x", 1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    int r = open("pipe", O_RDONLY | O_NONBLOCK), w = open("pipe", O_WRONLY);
    close(r);
    FAILS(write(w, "x", 1), EPIPE);
    SAME(events(w, POLLOUT) & POLLERR, POLLERR);
    close(w);
    signal(SIGPIPE, SIG_DFL);
}
TEST(poll_knows_whether_there_was_a_writer) {
    CHECK(mkfifo("polled", 0600) == 0);
    int r = open("polled", O_RDONLY | O_NONBLOCK);
    SAME(events(r, POLLIN), 0);
    int w = open("polled", O_WRONLY);
    SAME(events(r, POLLIN), 0);
    SAME(events(w, POLLOUT), POLLOUT);
    CHECK(write(w, "x", 1) == 1);
    SAME(events(r, POLLIN), POLLIN);
    close(w);
    SAME(events(r, POLLIN), POLLIN | POLLHUP);
    char c;
    CHECK(read(r, &c, 1) == 1);
    SAME(events(r, POLLIN), POLLHUP);
    close(r);
}
TEST(poll_wakes_for_a_writer) {
    CHECK(mkfifo("wakes", 0600) == 0);
    int r = open("wakes", O_RDONLY | O_NONBLOCK);
    pid_t pid = fork();
    if (pid == 0) {
        wait_a_little();
        int w = open("wakes", O_WRONLY);
        _exit(write(w, "x", 1) == 1 ? 0 : 1);
    }
    struct pollfd f = {.fd = r, .events = POLLIN};
    SAME(poll(&f, 1, 10000), 1);
    CHECK(f.revents & POLLIN);
    SAME(result(pid), 0);
    close(r);
}
TEST(writes_up_to_PIPE_BUF_are_not_torn) {
    enum { EACH = 200, LEN = 1000 };
    CHECK(mkfifo("whole", 0600) == 0);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char piece[LEN];
            memset(piece, 'a' + i, sizeof piece);
            int w = open("whole", O_WRONLY);
            for (int n = 0; n < EACH; n++)
                if (write(w, piece, sizeof piece) != LEN)
                    _exit(1);
            _exit(0);
        }
    }
    FILE *r = fopen("whole", "r");
    char piece[LEN];
    int count[3] = {0}, torn = 0;
    /* A writer may come when the others have gone: what it says is after an end of file. */
    while (count[0] + count[1] + count[2] < 3 * EACH) {
        size_t n = fread(piece, 1, LEN, r);
        if (n == 0) {
            clearerr(r);
            continue;
        }
        for (size_t i = 1; i < n; i++)
            torn += piece[i] != piece[0];
        if (n != LEN || torn)
            break;
        count[piece[0] - 'a']++;
    }
    fclose(r);
    CHECK(!torn && count[0] == EACH && count[1] == EACH && count[2] == EACH);
    for (int i = 0; i < 3; i++)
        SAME(result(pids[i]), 0);
}
TEST(it_has_no_position) {
    char c;
    CHECK(mkfifo("stream", 0600) == 0);
    int fd = open("stream", O_RDWR);
    FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
    FAILS(pread(fd, &c, 1, 0), ESPIPE);
    FAILS(pwrite(fd, "x", 1, 0), ESPIPE);
    FAILS(ftruncate(fd, 0), EINVAL);
    int n = -1;
    CHECK(write(fd, "123", 3) == 3 && ioctl(fd, FIONREAD, &n) == 0);
    SAME(n, 3);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode));
    close(fd);
}
TEST(it_works_on_when_its_name_is_gone) {
    CHECK(mkfifo("unlinked", 0600) == 0);
    int r = open("unlinked", O_RDONLY | O_NONBLOCK), w = open("unlinked", O_WRONLY);
    CHECK(unlink("unlinked") == 0 && write(w, "still", 5) == 5);
    close(w);
    CHECK(is_text(r, "still"));
    close(r);
}
TEST(permissions_are_asked_for) {
    if (geteuid() == 0)
        SKIP("root may do everything");
    CHECK(mkfifo("closed", 0000) == 0);
    FAILS(open("closed", O_RDWR), EACCES);
}
TESTS = {T(it_is_a_file_of_its_own_type),
         T(names_that_cannot_be_made),
         T(a_writer_without_reader_is_ENXIO),
         T(open_waits_for_the_other_side),
         T(opening_for_both_never_waits),
         T(a_signal_ends_an_open_that_waits),
         T(the_end_of_file_is_where_no_writer_is),
         T(what_nobody_read_is_gone_with_the_last_end),
         T(a_writer_without_reader_gets_SIGPIPE),
         T(poll_knows_whether_there_was_a_writer),
         T(poll_wakes_for_a_writer),
         T(writes_up_to_PIPE_BUF_are_not_torn),
         T(it_has_no_position),
         T(it_works_on_when_its_name_is_gone),
         T(permissions_are_asked_for),
         END};
