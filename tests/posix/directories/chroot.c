/* chroot(2). */
#include "../test.h"

static int result(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(paths_end_at_the_new_root) {
    if (geteuid() != 0)
        SKIP("only root may");
    close(file("secret", "out"));
    CHECK(mkdir("jail", 0755) == 0 && mkdir("jail/in", 0755) == 0);
    close(file("jail/secret", "in"));
    CHECK(symlink("/secret", "jail/in/absolute") == 0 && symlink("../../../../../../../../secret", "jail/in/up") == 0);
    pid_t pid = fork();
    if (pid == 0) {
        static const char *const ways[] = {"/secret", "/../secret", "../../../../../../../secret", "absolute", "up"};
        char cwd[100];
        if (chroot("jail") < 0 || chdir("/in") < 0 || !getcwd(cwd, sizeof cwd) || strcmp(cwd, "/in") != 0)
            _exit(1);
        for (int i = 0; i < 5; i++)
            if (!is_text(open(ways[i], O_RDONLY), "in"))
                _exit(10 + i);
        _exit(open("/dev/null", O_RDONLY) == -1 && errno == ENOENT ? 0 : 2);
    }
    SAME(result(pid), 0);
    /* Not ours. */
    CHECK(access("jail/secret", F_OK) == 0);
}
TEST(the_working_directory_stays) {
    if (geteuid() != 0)
        SKIP("only root may");
    pid_t pid = fork();
    if (pid == 0) {
        int dir = open(".", O_RDONLY | O_DIRECTORY);
        if (chroot("jail") < 0 || !is_text(open("secret", O_RDONLY), "out"))
            _exit(1);
        if (!is_text(openat(dir, "secret", O_RDONLY), "out") || !is_text(open("/secret", O_RDONLY), "in"))
            _exit(2);
        _exit(chdir("/") == 0 && is_text(open("secret", O_RDONLY), "in") ? 0 : 3);
    }
    SAME(result(pid), 0);
}
TEST(what_it_refuses) {
    FAILS(chroot("nowhere"), ENOENT);
    FAILS(chroot("secret"), ENOTDIR);
    FAILS(chroot(""), ENOENT);
    if (geteuid() != 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        _exit(setuid(12345) == 0 && chroot("/") == -1 && errno == EPERM ? 0 : 1);
    SAME(result(pid), 0);
}
TESTS = {T(paths_end_at_the_new_root), T(the_working_directory_stays), T(what_it_refuses), END};
