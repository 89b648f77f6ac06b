/*
 * Forks with so many MiB of memory, or until it can't; and goes on afterwards. What it says is what faults.mjs expects.
 *
 *     forks memory MIB     forks failing: ENOMEM, and the small one after it
 *     forks bomb N         how many children there were, at most N
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, pid_t pid) {
    int status = 0;
    if (pid == 0)
        _exit(7);
    if (pid < 0)
        printf("%s: %s\n", what, strerror(errno));
    else if (waitpid(pid, &status, 0) == pid)
        printf("%s: %s %d\n", what, WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    fflush(stdout);
}

static void bomb(int n) {
    pid_t pids[1000];
    int born = 0;
    while (born < n && born < 1000 && (pids[born] = fork()) > 0)
        born++;
    if (born < n && born < 1000 && pids[born] == 0)
        for (;;)
            pause();
    printf("%d: %s\n", born, born < n ? strerror(errno) : "all");
    for (int i = 0; i < born; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0) {
    }
    say("then", fork());
}

int main(int argc, char **argv) {
    int n = argc > 2 ? atoi(argv[2]) : 0;
    if (argc > 2 && strcmp(argv[1], "bomb") == 0) {
        bomb(n);
        return 0;
    }
    say("small", fork());
    char *big = malloc((size_t)n << 20);
    if (!big)
        return 1;
    memset(big, 5, (size_t)n << 20);
    say("big", fork());
    printf("parent: %d\n", big[((size_t)n << 20) - 1]);
    return wait(NULL) == -1 && errno == ECHILD ? 0 : 1;
}
