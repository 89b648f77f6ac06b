/* The group database: /etc/group. */
#include "vk.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Members that an entry may have. */
#define MEMBERS 64

static char *field(char **line) {
    char *start = *line, *end = start + strcspn(start, ":\n");
    *line = *end == ':' ? end + 1 : NULL;
    *end = '\0';
    return start;
}

/* True when the line is an entry; `members` has room for MEMBERS + 1. */
static int parse(char *line, struct group *g, char **members) {
    char *f[4];
    for (int i = 0; i < 4; i++) {
        if (!line)
            return 0;
        f[i] = field(&line);
    }
    char *end;
    g->gr_name = f[0], g->gr_passwd = f[1], g->gr_mem = members;
    g->gr_gid = (gid_t)strtoul(f[2], &end, 10);
    size_t n = 0;
    for (char *m = f[3]; m && *m && n < MEMBERS;) {
        char *comma = strchr(m, ',');
        members[n++] = m;
        if (comma)
            *comma++ = '\0';
        m = comma;
    }
    members[n] = NULL;
    return end != f[2] && !*end && *f[0];
}

struct group *fgetgrent(FILE *file) {
    static struct group entry;
    static char *members[MEMBERS + 1], *line;
    static size_t room;
    while (getline(&line, &room, file) >= 0)
        if (parse(line, &entry, members))
            return &entry;
    return NULL;
}

static FILE *database;
void setgrent(void) {
    if (database)
        fclose(database);
    database = NULL;
}
void endgrent(void) {
    setgrent();
}
struct group *getgrent(void) {
    if (!database && !(database = fopen("/etc/group", "re")))
        return NULL;
    return fgetgrent(database);
}

/* Room for the members' pointers, aligned, at the start of the caller's buffer; the line stands behind. */
static int place(const char *line, struct group *g, char *buf, size_t size) {
    size_t skip = -(uintptr_t)buf % sizeof(char *), len = strlen(line) + 1, count = 1;
    for (const char *p = line; *p; p++)
        count += *p == ',' || *p == ':';
    if (count > MEMBERS + 1)
        count = MEMBERS + 1;
    size_t head = skip + count * sizeof(char *);
    if (head + len > size)
        return ERANGE;
    char *all[MEMBERS + 1], **members = (char **)(void *)(buf + skip);
    memcpy(buf + head, line, len);
    parse(buf + head, g, all);
    size_t n = 0;
    while (all[n] && n + 1 < count)
        members[n] = all[n], n++;
    members[n] = NULL;
    g->gr_mem = members;
    return 0;
}

static int find(const char *name, gid_t gid, struct group *g, char *buf, size_t size, struct group **result) {
    char line[2048], copy[sizeof line], *members[MEMBERS + 1];
    int saved = errno, wrong = 0;
    *result = NULL;
    FILE *file = fopen("/etc/group", "re");
    if (!file) {
        wrong = errno == ENOENT ? 0 : errno;
        errno = saved;
        return wrong;
    }
    while (!*result && !wrong && fgets(line, sizeof line, file)) {
        struct group try;
        strcpy(copy, line);
        if (!parse(copy, &try, members) || (name ? strcmp(try.gr_name, name) != 0 : try.gr_gid != gid))
            continue;
        wrong = place(line, g, buf, size);
        *result = wrong ? NULL : g;
    }
    fclose(file);
    errno = saved;
    return wrong;
}
int getgrnam_r(const char *name, struct group *g, char *buf, size_t size, struct group **result) {
    return find(name, 0, g, buf, size, result);
}
int getgrgid_r(gid_t gid, struct group *g, char *buf, size_t size, struct group **result) {
    return find(NULL, gid, g, buf, size, result);
}
static struct group *found(const char *name, gid_t gid) {
    static struct group entry;
    static char buf[4096];
    struct group *result;
    int wrong = find(name, gid, &entry, buf, sizeof buf, &result);
    if (wrong)
        errno = wrong;
    return result;
}
struct group *getgrnam(const char *name) {
    return found(name, 0);
}
struct group *getgrgid(gid_t gid) {
    return found(NULL, gid);
}

int getgrouplist(const char *user, gid_t first, gid_t *groups, int *count) {
    int n = 0, room = *count;
    if (n++ < room)
        groups[0] = first;
    setgrent();
    for (struct group *g; (g = getgrent());) {
        char **m = g->gr_mem;
        while (*m && strcmp(*m, user) != 0)
            m++;
        if (*m && g->gr_gid != first && n++ < room)
            groups[n - 1] = g->gr_gid;
    }
    endgrent();
    *count = n;
    return n > room ? -1 : n;
}
int initgroups(const char *user, gid_t first) {
    gid_t groups[MEMBERS];
    int count = MEMBERS;
    getgrouplist(user, first, groups, &count);
    return setgroups((size_t)(count < MEMBERS ? count : MEMBERS), groups);
}
