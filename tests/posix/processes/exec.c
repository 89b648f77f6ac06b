/* The exec family, in a spawned copy of this program. */
#include "../test.h"
#include <spawn.h>

extern char **environ;

int child(int argc, char **argv) {
    const char *what = argv[1];
    char *const args[] = {"name", "args", "a", NULL}, *const envp[] = {"X=y", NULL};
    if (!strcmp(what, "args"))
        for (int i = 0; i < argc; i++)
            printf("[%s]", argv[i]);
    else if (!strcmp(what, "execv"))
        execv(self, args);
    else if (!strcmp(what, "execl"))
        execl(self, "other", "args", "b", "c", (char *)NULL);
    else if (!strcmp(what, "execle"))
        execle(self, "n", "env", (char *)NULL, envp);
    else if (!strcmp(what, "env"))
        printf("%s", environ[0] && !environ[1] ? environ[0] : "wrong");
    else if (!strcmp(what, "execvp"))
        execlp("echo", "echo", "found", (char *)NULL);
    else if (!strcmp(what, "script"))
        execv("./script", args);
    else if (!strcmp(what, "plain"))
        execlp("./plain", "plain", "arg", (char *)NULL);
    else if (!strcmp(what, "fds")) {
        fcntl(5, F_SETFD, FD_CLOEXEC);
        execl(self, "x", "open", (char *)NULL);
    } else if (!strcmp(what, "open"))
        printf("%d %d", fcntl(4, F_GETFD), fcntl(5, F_GETFD));
    else if (!strcmp(what, "error")) {
        execv("./missing", args);
        int a = errno == ENOENT;
        execv("/", args);
        int b = errno == EACCES;
        execv("./noexec", args);
        printf("%d %d %d", a, b, errno == EACCES);
    }
    return 0;
}

static const char *says(char *what) {
    char *argv[] = {(char *)self, what, NULL};
    posix_spawn_file_actions_t f;
    pid_t pid;
    int status = -1, fd = open("said", O_RDWR | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_init(&f);
    posix_spawn_file_actions_adddup2(&f, fd, 1);
    posix_spawn_file_actions_addopen(&f, 4, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&f, 5, "/dev/null", O_RDONLY, 0);
    int wrong = posix_spawn(&pid, self, &f, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&f);
    if (wrong || waitpid(pid, &status, 0) != pid || status)
        return "failed";
    lseek(fd, 0, SEEK_SET);
    const char *text = text_of(fd);
    close(fd);
    return text;
}
TEST(execv_takes_a_vector) {
    CHECK(strcmp(says("execv"), "[name][args][a]") == 0);
}
TEST(execl_takes_a_list) {
    CHECK(strcmp(says("execl"), "[other][args][b][c]") == 0);
}
TEST(execle_takes_an_environment) {
    CHECK(strcmp(says("execle"), "X=y") == 0);
}
TEST(execlp_looks_in_PATH) {
    CHECK(strcmp(says("execvp"), "found\n") == 0);
}
TEST(a_script_runs_its_interpreter) {
    close(file("script", "#!/bin/echo -x\n"));
    CHECK(chmod("script", 0755) == 0);
    CHECK(strcmp(says("script"), "-x ./script args a\n") == 0);
}
TEST(execlp_gives_a_plain_text_to_the_shell) {
    close(file("plain", "echo shell $1\n"));
    CHECK(chmod("plain", 0755) == 0);
    CHECK(strcmp(says("plain"), "shell arg\n") == 0);
}
TEST(descriptors_stay_but_for_cloexec) {
    CHECK(strcmp(says("fds"), "0 -1") == 0);
}
TEST(errors_leave_the_program_running) {
    close(file("noexec", "x"));
    CHECK(strcmp(says("error"), "1 1 1") == 0);
}
TESTS = {T(execv_takes_a_vector), T(execl_takes_a_list), T(execle_takes_an_environment), T(execlp_looks_in_PATH),
         T(a_script_runs_its_interpreter), T(execlp_gives_a_plain_text_to_the_shell),
         T(descriptors_stay_but_for_cloexec), T(errors_leave_the_program_running), END};
