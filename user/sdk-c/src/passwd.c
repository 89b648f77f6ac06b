/* The user database: /etc/passwd. */
#include "vk.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Cuts the next field off a line; the last one ends at the line's end. */
static char *field(char **line) {
    char *start = *line, *end = start + strcspn(start, ":\n");
    *line = *end == ':' ? end + 1 : NULL;
    *end = '\0';
    return start;
}

/* True when the line is an entry. */
static int parse(char *line, struct passwd *p) {
    char *f[7];
    for (int i = 0; i < 7; i++) {
        if (!line)
            return 0;
        f[i] = field(&line);
    }
    char *end;
    p->pw_name = f[0], p->pw_passwd = f[1], p->pw_gecos = f[4], p->pw_dir = f[5], p->pw_shell = f[6];
    p->pw_uid = (uid_t)strtoul(f[2], &end, 10);
    if (end == f[2] || *end)
        return 0;
    p->pw_gid = (gid_t)strtoul(f[3], &end, 10);
    return end != f[3] && !*end && *f[0];
}

struct passwd *fgetpwent(FILE *file) {
    static struct passwd entry;
    static char *line;
    static size_t room;
    while (getline(&line, &room, file) >= 0)
        if (parse(line, &entry))
            return &entry;
    return NULL;
}

static FILE *database;
void setpwent(void) {
    if (database)
        fclose(database);
    database = NULL;
}
void endpwent(void) {
    setpwent();
}
struct passwd *getpwent(void) {
    if (!database && !(database = fopen("/etc/passwd", "re")))
        return NULL;
    return fgetpwent(database);
}

/* The entry that fits, with its strings in `buf`; by name, or by number when there is none. */
static int find(const char *name, uid_t uid, struct passwd *p, char *buf, size_t size, struct passwd **result) {
    char line[1024];
    int saved = errno, wrong = 0;
    *result = NULL;
    FILE *file = fopen("/etc/passwd", "re");
    if (!file) {
        wrong = errno == ENOENT ? 0 : errno;
        errno = saved;
        return wrong;
    }
    while (!*result && fgets(line, sizeof line, file)) {
        size_t len = strlen(line) + 1;
        char copy[sizeof line];
        memcpy(copy, line, len);
        struct passwd try;
        if (!parse(copy, &try) || (name ? strcmp(try.pw_name, name) != 0 : try.pw_uid != uid))
            continue;
        if (len > size) {
            wrong = ERANGE;
            break;
        }
        memcpy(buf, line, len);
        parse(buf, p);
        *result = p;
    }
    fclose(file);
    errno = saved;
    return wrong;
}
int getpwnam_r(const char *name, struct passwd *p, char *buf, size_t size, struct passwd **result) {
    return find(name, 0, p, buf, size, result);
}
int getpwuid_r(uid_t uid, struct passwd *p, char *buf, size_t size, struct passwd **result) {
    return find(NULL, uid, p, buf, size, result);
}
static struct passwd *found(const char *name, uid_t uid) {
    static struct passwd entry;
    static char buf[1024];
    struct passwd *result;
    int wrong = find(name, uid, &entry, buf, sizeof buf, &result);
    if (wrong)
        errno = wrong;
    return result;
}
struct passwd *getpwnam(const char *name) {
    return found(name, 0);
}
struct passwd *getpwuid(uid_t uid) {
    return found(NULL, uid);
}

int getlogin_r(char *buf, size_t size) {
    const char *name = getenv("LOGNAME");
    if (!name)
        return ENXIO;
    return strlcpy(buf, name, size) < size ? 0 : ERANGE;
}
char *getlogin(void) {
    return getenv("LOGNAME");
}
