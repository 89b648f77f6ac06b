/* mntent.h: tables of mounts, as /proc/mounts is one. */
#ifndef _MNTENT_H
#define _MNTENT_H
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif
#define MOUNTED "/proc/mounts"
#define MNTTAB "/etc/fstab"
#define MNTOPT_RO "ro"
#define MNTOPT_RW "rw"
#define MNTOPT_NOAUTO "noauto"
#define MNTOPT_DEFAULTS "defaults"
#define MNTTYPE_IGNORE "ignore"
struct mntent {
    char *mnt_fsname;
    char *mnt_dir;
    char *mnt_type;
    char *mnt_opts;
    int mnt_freq;
    int mnt_passno;
};
FILE *setmntent(const char *, const char *);
int endmntent(FILE *);
struct mntent *getmntent(FILE *);
struct mntent *getmntent_r(FILE *, struct mntent *, char *, int);
int addmntent(FILE *, const struct mntent *);
char *hasmntopt(const struct mntent *, const char *);
#ifdef __cplusplus
}
#endif
#endif
