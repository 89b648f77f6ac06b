/* Temporary files: mkstemp(3) and its kin. */
#include "vk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fills the six X; NULL and EINVAL when they aren't there. */
static char *six(char *template, size_t suffix) {
    size_t len = strlen(template);
    if (len < 6 + suffix || memcmp(template + len - suffix - 6, "XXXXXX", 6) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return template + len - suffix - 6;
}
static void randomise(char *x) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    unsigned char r[6];
    vk_getrandom(r, sizeof r);
    for (int i = 0; i < 6; i++)
        x[i] = digits[r[i] & 63];
}

/* Tries names until one is new. */
static int make(char *template, size_t suffix, int (*create)(const char *, int), int flags) {
    char *x = six(template, suffix);
    if (!x)
        return -1;
    int saved = errno;
    for (int i = 0; i < 100; i++) {
        randomise(x);
        int made = create(template, flags);
        if (made >= 0) {
            errno = saved;
            return made;
        }
        if (errno != EEXIST)
            break;
    }
    memcpy(x, "XXXXXX", 6);
    return -1;
}
static int file(const char *path, int flags) {
    return open(path, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
}
static int directory(const char *path, int flags) {
    (void)flags;
    return mkdir(path, 0700);
}
/* A name that nobody has: EEXIST where somebody has it. */
static int unused(const char *path, int flags) {
    struct stat st;
    (void)flags;
    if (lstat(path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? 0 : -1;
}

int mkostemps(char *template, int suffix, int flags) {
    return suffix < 0 ? vk_ret(-EINVAL) : make(template, (size_t)suffix, file, flags & (O_APPEND | O_CLOEXEC | O_SYNC));
}
int mkostemp(char *template, int flags) {
    return mkostemps(template, 0, flags);
}
int mkstemps(char *template, int suffix) {
    return mkostemps(template, suffix, 0);
}
int mkstemp(char *template) {
    return mkostemps(template, 0, 0);
}
char *mkdtemp(char *template) {
    return make(template, 0, directory, 0) < 0 ? NULL : template;
}
char *mktemp(char *template) {
    if (make(template, 0, unused, 0) < 0)
        *template = '\0';
    return template;
}

FILE *tmpfile(void) {
    char name[] = "/tmp/tmpfile.XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0)
        return NULL;
    unlink(name);
    FILE *f = fdopen(fd, "w+");
    if (!f)
        close(fd);
    return f;
}
char *tmpnam(char *buf) {
    static char name[L_tmpnam];
    char *to = buf ? buf : name;
    strcpy(to, "/tmp/tmpnam.XXXXXX");
    return *mktemp(to) ? to : NULL;
}
char *tempnam(const char *dir, const char *prefix) {
    const char *from = getenv("TMPDIR");
    char name[PATH_MAX];
    from = from ? from : dir ? dir : P_tmpdir;
    if ((size_t)snprintf(name, sizeof name, "%s/%.5sXXXXXX", from, prefix ? prefix : "temp") >= sizeof name) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return *mktemp(name) ? strdup(name) : NULL;
}
