/* Commands of the shell: system(3), popen(3). They need no fork. */
#include "vk.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wasi/libc-environ.h>

static int shell(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr) {
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    return posix_spawn(pid, "/bin/sh", actions, attr, argv, __wasilibc_get_environ());
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int system(const char *command) {
    if (!command)
        return access("/bin/sh", X_OK) == 0;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    sigset_t child, mask;
    pid_t pid;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    /* The child is started first: it shall not inherit what is ignored here. */
    sigprocmask(SIG_BLOCK, &child, &mask);
    posix_spawnattr_t attr = {.__flags = POSIX_SPAWN_SETSIGMASK, .__mask = mask};
    int wrong = shell(&pid, command, NULL, &attr), status = 127 << 8;
    if (!wrong) {
        sigaction(SIGINT, &ignore, &interrupt);
        sigaction(SIGQUIT, &ignore, &quit);
        status = wait_for(pid);
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
    }
    int saved = errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = saved;
    return status;
}

/* Streams that popen made. */
static struct stream {
    struct stream *next;
    FILE *file;
    pid_t pid;
} *streams;

static int start(struct stream *s, const char *command, int parents, int childs, int child_fd) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    /* POSIX: streams of earlier calls are closed in the child. */
    int wrong = 0;
    for (struct stream *other = streams; other && !wrong; other = other->next)
        if (fileno(other->file) != child_fd)
            wrong = posix_spawn_file_actions_addclose(&actions, fileno(other->file));
    if (!wrong && parents != child_fd)
        wrong = posix_spawn_file_actions_addclose(&actions, parents);
    if (!wrong)
        wrong = posix_spawn_file_actions_adddup2(&actions, childs, child_fd);
    if (!wrong && childs != child_fd)
        wrong = posix_spawn_file_actions_addclose(&actions, childs);
    if (!wrong)
        wrong = shell(&s->pid, command, &actions, NULL);
    posix_spawn_file_actions_destroy(&actions);
    return wrong;
}

FILE *popen(const char *command, const char *mode) {
    int fds[2], reads = *mode == 'r';
    if (!reads && *mode != 'w') {
        errno = EINVAL;
        return NULL;
    }
    struct stream *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    if (pipe(fds) < 0) {
        free(s);
        return NULL;
    }
    int ours = fds[!reads], theirs = fds[reads];
    int wrong = start(s, command, ours, theirs, reads ? 1 : 0);
    close(theirs);
    if (strchr(mode, 'e'))
        fcntl(ours, F_SETFD, FD_CLOEXEC);
    if (!wrong && (s->file = fdopen(ours, reads ? "r" : "w"))) {
        s->next = streams;
        streams = s;
        return s->file;
    }
    wrong = wrong ? wrong : errno;
    close(ours);
    free(s);
    errno = wrong;
    return NULL;
}

int pclose(FILE *file) {
    for (struct stream **at = &streams; *at; at = &(*at)->next) {
        struct stream *s = *at;
        if (s->file == file) {
            pid_t pid = s->pid;
            *at = s->next;
            free(s);
            /* fclose tries to seek back over what wasn't read; that a pipe can't is no error of ours. */
            int saved = errno;
            fclose(file);
            errno = saved;
            return wait_for(pid);
        }
    }
    return vk_ret(-ECHILD);
}
