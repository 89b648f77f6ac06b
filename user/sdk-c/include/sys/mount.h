/* sys/mount.h: mount(2). What is mounted has no source: a file system of the kernel's is made, or attached, by its type. */
#ifndef _SYS_MOUNT_H
#define _SYS_MOUNT_H
#ifdef __cplusplus
extern "C" {
#endif
#define MS_RDONLY 1
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount(const char *);
int umount2(const char *, int);
#ifdef __cplusplus
}
#endif
#endif
