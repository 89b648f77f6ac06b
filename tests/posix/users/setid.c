/* Set-user-ID and set-group-ID programs: exec(3), chmod(2), chown(2), write(2), open(2) and the bits. */
#include "users.h"

#define PERM 07777

/* What a program that was started is: its ids, then whether it may come back. */
int child(int argc, char **argv) {
    uid_t r, e, s;
    gid_t rg, eg, sg;
    (void)argc;
    if (!strcmp(argv[1], "ids") && getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0)
        printf("%d %d %d %d %d %d\n", (int)r, (int)e, (int)s, (int)rg, (int)eg, (int)sg);
    if (!strcmp(argv[1], "back")) {
        int gone = setuid(getuid()), back = seteuid(0);
        printf("%d %d %d\n", gone, back, (int)geteuid());
    }
    if (!strcmp(argv[1], "swap")) {
        uid_t owner = geteuid();
        int gone = seteuid(getuid());
        uid_t then = geteuid();
        int back = seteuid(owner);
        printf("%d %d %d %d\n", gone, (int)then, back, (int)geteuid());
    }
    return 0;
}
static int copy(const char *to, mode_t mode) {
    static char buf[65536];
    int in = open(self, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n = -1;
    while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)n) != n)
            return -1;
    close(in), close(out);
    return n == 0 && chmod(".", 0755) == 0 ? chmod(to, mode) : -1;
}
/* What it prints, run as this user. */
static const char *run(const char *path, uid_t user, const char *what) {
    int p[2];
    if (pipe(p) < 0)
        return "no pipe";
    pid_t pid = fork();
    if (pid == 0) {
        if (user && !become(user))
            _exit(9);
        dup2(p[1], 1), close(p[0]), close(p[1]);
        execl(path, path, what, (char *)0);
        dprintf(1, "exec: %s\n", strerror(errno));
        _exit(8);
    }
    close(p[1]);
    const char *text = text_of(p[0]);
    close(p[0]);
    waitpid(pid, NULL, 0);
    return text;
}
#define SAYS(path, user, what, want)                                                                 \
    do {                                                                                             \
        const char *said_ = run(path, user, what);                                                   \
        if (strcmp(said_, want)) {                                                                   \
            fail(__FILE__, __LINE__, "%s says %s", path, said_);                                     \
            return;                                                                                  \
        }                                                                                            \
    } while (0)
static mode_t bits(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & PERM : 0;
}

ROOT_TEST(a_program_runs_as_its_owner) {
    CHECK(copy("./p", 04755) == 0);
    SAYS("./p", USER, "ids", "1000 0 0 1000 1000 1000\n");
    CHECK(chown("./p", OTHER, 7) == 0 && chmod("./p", 02755) == 0);
    SAYS("./p", USER, "ids", "1000 1000 1000 1000 7 7\n");
    CHECK(chmod("./p", 06755) == 0);
    SAYS("./p", USER, "ids", "1000 1001 1001 1000 7 7\n");
    SAYS("./p", 0, "ids", "0 1001 1001 0 7 7\n");
    /* Set-group-ID without the group's right to execute isn't that. */
    CHECK(chmod("./p", 02745 | 1) == 0);
    SAYS("./p", USER, "ids", "1000 1000 1000 1000 1000 1000\n");
    CHECK(unlink("./p") == 0);
}
ROOT_TEST(it_can_give_that_away_for_a_while) {
    CHECK(copy("./q", 04755) == 0);
    /* For root's program setuid means all three. */
    SAYS("./q", USER, "back", "0 -1 1000\n");
    CHECK(chown("./q", OTHER, 0) == 0 && chmod("./q", 04755) == 0);
    SAYS("./q", USER, "swap", "0 1000 0 1001\n");
    CHECK(unlink("./q") == 0);
}
ROOT_TEST(a_scripts_bits_mean_nothing) {
    CHECK(copy("./inner", 0755) == 0);
    close(file("script", "#!./inner ids\n"));
    CHECK(chmod("script", 06755) == 0);
    SAYS("./script", USER, "x", "1000 1000 1000 1000 1000 1000\n");
    CHECK(unlink("script") == 0 && unlink("./inner") == 0);
}
ROOT_TEST(a_write_takes_the_bits) {
    close(file("w", "text"));
    CHECK(chown("w", USER, USER) == 0 && chmod(".", 0777) == 0 && chmod("w", 06777) == 0);
    /* Root keeps them. */
    int fd = open("w", O_WRONLY);
    CHECK(write(fd, "T", 1) == 1);
    CHECK(become(USER));
    close(fd);
    fd = open("w", O_WRONLY);
    CHECK(write(fd, "T", 1) == 1);
    SAME(bits("w"), 0777);
    CHECK(chmod("w", 06777) == 0 && ftruncate(fd, 1) == 0);
    SAME(bits("w"), 0777);
    CHECK(chmod("w", 04777) == 0 && close(open("w", O_WRONLY | O_TRUNC)) == 0);
    SAME(bits("w"), 0777);
    close(fd);
}
ROOT_TEST(chown_takes_the_bits) {
    close(file("c", "text"));
    gid_t groups[] = {7};
    CHECK(chown("c", USER, USER) == 0 && setgroups(1, groups) == 0 && setgid(USER) == 0 && setuid(USER) == 0);
    CHECK(chmod("c", 06755) == 0 && bits("c") == 06755);
    FAILS(chown("c", OTHER, (gid_t)-1), EPERM);
    FAILS(chown("c", (uid_t)-1, 8), EPERM);
    SAME(bits("c"), 06755);
    CHECK(chown("c", USER, 7) == 0);
    SAME(bits("c"), 0755);
    /* Without the group's right to execute it isn't set-group-ID. */
    CHECK(chmod("c", 02745) == 0 && chown("c", USER, USER) == 0);
    SAME(bits("c"), 02745);
}
ROOT_TEST(set_group_id_is_for_ones_own_groups) {
    close(file("g", "text"));
    CHECK(chown("g", USER, 7) == 0 && become(USER));
    CHECK(chmod("g", 02755) == 0);
    SAME(bits("g"), 0755);
    FAILS(chmod("/", 0777), EPERM);
}
ROOT_TEST(in_a_sticky_directory_names_are_their_owners) {
    CHECK(mkdir("d", 0777) == 0 && chmod("d", 01777) == 0 && chmod(".", 0755) == 0);
    close(file("d/roots", "x")), close(file("d/users", "x"));
    CHECK(chmod("d/roots", 0666) == 0 && chown("d/users", USER, USER) == 0 && become(USER));
    FAILS(unlink("d/roots"), EPERM);
    FAILS(rename("d/roots", "d/mine"), EPERM);
    FAILS(rename("d/users", "d/roots"), EPERM);
    CHECK(rename("d/users", "d/other") == 0 && unlink("d/other") == 0);
}
ROOT_TEST(others_may_not_look_into_it) {
    /* Who was root has files open that its user may not open. */
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (become(USER) && write(p[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char c, path[64];
    CHECK(read(p[0], &c, 1) == 1);
    snprintf(path, sizeof path, "/proc/%d/fd/0", (int)pid);
    CHECK(become(USER));
    FAILS(readlink(path, failure, sizeof failure), EACCES);
    CHECK(kill(pid, SIGKILL) == 0);
}
TESTS = {T(a_program_runs_as_its_owner), T(it_can_give_that_away_for_a_while), T(a_scripts_bits_mean_nothing),
         T(a_write_takes_the_bits), T(chown_takes_the_bits), T(set_group_id_is_for_ones_own_groups),
         T(in_a_sticky_directory_names_are_their_owners), T(others_may_not_look_into_it), END};
