/* sys/statfs.h: statvfs(3) by an older name. */
#ifndef _SYS_STATFS_H
#define _SYS_STATFS_H
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef struct {
    int __val[2];
} fsid_t;
struct statfs {
    unsigned long f_type; /* 0: not told */
    unsigned long f_bsize;
    fsblkcnt_t f_blocks;
    fsblkcnt_t f_bfree;
    fsblkcnt_t f_bavail;
    fsfilcnt_t f_files;
    fsfilcnt_t f_ffree;
    fsid_t f_fsid;
    unsigned long f_namelen;
    unsigned long f_frsize;
    unsigned long f_flags;
};
int statfs(const char *, struct statfs *);
int fstatfs(int, struct statfs *);
#ifdef __cplusplus
}
#endif
#endif
