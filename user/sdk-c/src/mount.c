/* mount(2) and what is told of file systems: tables of mounts, statfs(2). */
#include "vk.h"

#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

int mount(const char *source, const char *path, const char *kind, unsigned long flags, const void *data) {
    (void)source;
    if (!kind || (data && *(const char *)data))
        return vk_ret(-EINVAL);
    return vk_ret(vk_mount(kind, VK_LEN(kind), path, VK_LEN(path), (uint32_t)flags));
}
int umount2(const char *path, int flags) {
    return vk_ret(vk_unmount(path, VK_LEN(path), (uint32_t)flags));
}
int umount(const char *path) {
    return umount2(path, 0);
}

static int told(int answer, const struct statvfs *v, struct statfs *s) {
    if (answer == 0)
        *s = (struct statfs){.f_bsize = v->f_bsize,
                             .f_blocks = v->f_blocks,
                             .f_bfree = v->f_bfree,
                             .f_bavail = v->f_bavail,
                             .f_files = v->f_files,
                             .f_ffree = v->f_ffree,
                             .f_fsid = {{(int)v->f_fsid, 0}},
                             .f_namelen = v->f_namemax,
                             .f_frsize = v->f_frsize,
                             .f_flags = v->f_flag};
    return answer;
}
int statfs(const char *path, struct statfs *s) {
    struct statvfs v;
    return told(statvfs(path, &v), &v, s);
}
int fstatfs(int fd, struct statfs *s) {
    struct statvfs v;
    return told(fstatvfs(fd, &v), &v, s);
}

FILE *setmntent(const char *path, const char *mode) {
    return fopen(path, mode);
}
int endmntent(FILE *f) {
    if (f)
        fclose(f);
    return 1;
}

/* Cuts the next field off; spaces in it are written \040, and so on. */
static char *field(char **rest) {
    char *word = strsep(rest, " \t\n"), *to = word;
    while (word && !*word && *rest)
        to = word = strsep(rest, " \t\n");
    for (const char *from = word; from && *from; to++) {
        int octal = from[0] == '\\' && strspn(from + 1, "01234567") >= 3;
        *to = octal ? (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0')) : *from;
        from += octal ? 4 : 1;
    }
    if (word)
        *to = '\0';
    return word;
}
struct mntent *getmntent_r(FILE *f, struct mntent *m, char *line, int size) {
    while (fgets(line, size, f)) {
        char *rest = line, *freq, *pass;
        if (*(line + strspn(line, " \t")) == '#')
            continue;
        m->mnt_fsname = field(&rest), m->mnt_dir = field(&rest), m->mnt_type = field(&rest), m->mnt_opts = field(&rest);
        freq = field(&rest), pass = field(&rest);
        if (!m->mnt_opts)
            continue;
        m->mnt_freq = freq ? atoi(freq) : 0, m->mnt_passno = pass ? atoi(pass) : 0;
        return m;
    }
    return NULL;
}
struct mntent *getmntent(FILE *f) {
    static struct mntent entry;
    static char line[4096];
    return getmntent_r(f, &entry, line, sizeof line);
}
static void put(FILE *f, const char *word) {
    for (; *word; word++)
        if (strchr(" \t\n\\", *word))
            fprintf(f, "\\%03o", (unsigned char)*word);
        else
            fputc(*word, f);
    fputc(' ', f);
}
int addmntent(FILE *f, const struct mntent *m) {
    if (fseek(f, 0, SEEK_END) != 0)
        return 1;
    put(f, m->mnt_fsname), put(f, m->mnt_dir), put(f, m->mnt_type), put(f, m->mnt_opts);
    return fprintf(f, "%d %d\n", m->mnt_freq, m->mnt_passno) < 0;
}
char *hasmntopt(const struct mntent *m, const char *option) {
    size_t len = strlen(option);
    for (char *at = m->mnt_opts; (at = strstr(at, option)); at += len)
        if ((at == m->mnt_opts || at[-1] == ',') && strchr(",=", at[len]))
            return at;
    return NULL;
}
