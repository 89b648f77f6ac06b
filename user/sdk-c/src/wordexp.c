/* wordexp(3): the shell expands the words and prints each with a NUL behind it. */
#include "vk.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char **environ;

/* Behind "$((": does it end as arithmetic does? Otherwise the shell takes it for a command. */
static int is_arithmetic(const char *s) {
    for (int depth = 0; *s; s++)
        if (*s == '(')
            depth++;
        else if (*s == ')' && depth-- == 0)
            return s[1] == ')';
    return 0;
}
static int is_command(const char *s) {
    return *s == '`' || (s[0] == '$' && s[1] == '(' && (s[2] != '(' || !is_arithmetic(s + 3)));
}

/* What the shell would take for more than words, outside of quotes; and commands, which the caller may not want. */
static int look(const char *s, int flags) {
    char quote = 0;
    /* Within these a quotation mark is something else to the shell: then none is trusted. */
    int odd = strstr(s, "$'") != NULL || strstr(s, "${") != NULL;
    for (int depth = 0, ticks = 0; *s; s++) {
        if (flags & WRDE_NOCMD && odd && quote == '\'' && is_command(s))
            return WRDE_CMDSUB;
        if (*s == '\\' && quote != '\'') {
            if (!*++s)
                return WRDE_SYNTAX;
        } else if (quote ? *s == quote : *s == '\'' || *s == '"') {
            quote = quote ? 0 : *s;
        } else if (quote != '\'') {
            if (flags & WRDE_NOCMD && is_command(s))
                return WRDE_CMDSUB;
            /* Inside $(...), ${...} and `...` the shell is the judge. */
            if (*s == '`')
                ticks = !ticks;
            else if (s[0] == '$' && (s[1] == '(' || s[1] == '{'))
                depth++, s++;
            else if (depth && (*s == '(' || *s == '{'))
                depth++;
            else if (depth && (*s == ')' || *s == '}'))
                depth--;
            else if (!depth && !ticks && !quote && strchr("|&;<>(){}\n", *s))
                return WRDE_BADCHAR;
        }
    }
    return quote ? WRDE_SYNTAX : 0;
}

/* A shell whose output is a pipe; its end, or -1. */
static int start(const char *words, int flags, pid_t *pid) {
    int pipes[2];
    char *argv[] = {"sh", flags & WRDE_UNDEF ? "-uc" : "-c", "eval \"set -- $1\" && for w; do printf '%s\\0' \"$w\"; done",
                    "sh", (char *)words, NULL};
    posix_spawn_file_actions_t f;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return -1;
    posix_spawn_file_actions_init(&f);
    int wrong = posix_spawn_file_actions_adddup2(&f, pipes[1], 1);
    if (!wrong && !(flags & WRDE_SHOWERR))
        wrong = posix_spawn_file_actions_addopen(&f, 2, "/dev/null", O_WRONLY, 0);
    if (!wrong)
        wrong = posix_spawn(pid, "/bin/sh", &f, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&f);
    close(pipes[1]);
    if (wrong) {
        close(pipes[0]);
        return -1;
    }
    return pipes[0];
}

/* Adds the words that a shell says to `we`, whose array has room for NULLs at its start. */
static int collect(FILE *from, wordexp_t *we, size_t first) {
    char *word = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getdelim(&word, &room, 0, from)) > 0) {
        char **v = realloc(we->we_wordv, (first + we->we_wordc + 2) * sizeof *v);
        char *copy = v ? strdup(word) : NULL;
        if (v)
            we->we_wordv = v;
        if (!copy) {
            free(word);
            return WRDE_NOSPACE;
        }
        v[first + we->we_wordc++] = copy;
        v[first + we->we_wordc] = NULL;
    }
    free(word);
    return 0;
}

int wordexp(const char *restrict words, wordexp_t *restrict we, int flags) {
    pid_t pid;
    int status, wrong = look(words, flags);
    if (wrong)
        return wrong;
    if (flags & WRDE_REUSE)
        wordfree(we);
    size_t first = flags & WRDE_DOOFFS ? we->we_offs : 0;
    if (!(flags & WRDE_APPEND)) {
        if (!(we->we_wordv = calloc(first + 1, sizeof *we->we_wordv)))
            return WRDE_NOSPACE;
        we->we_wordc = 0, we->we_offs = first;
    }
    size_t before = we->we_wordc;
    int fd = start(words, flags, &pid);
    if (fd < 0)
        return WRDE_NOSPACE;
    FILE *from = fdopen(fd, "r");
    wrong = from ? collect(from, we, first) : WRDE_NOSPACE;
    from ? fclose(from) : close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!wrong && status != 0)
        wrong = flags & WRDE_UNDEF ? WRDE_BADVAL : WRDE_SYNTAX;
    if (wrong && wrong != WRDE_NOSPACE) {
        /* Those that came before it are kept: POSIX, wordexp, "RETURN VALUE". */
        while (we->we_wordc > before)
            free(we->we_wordv[first + --we->we_wordc]);
        we->we_wordv[first + we->we_wordc] = NULL;
    }
    return wrong;
}
void wordfree(wordexp_t *we) {
    for (size_t i = 0; we->we_wordv && i < we->we_wordc; i++)
        free(we->we_wordv[we->we_offs + i]);
    free(we->we_wordv);
    we->we_wordv = NULL, we->we_wordc = 0;
}
