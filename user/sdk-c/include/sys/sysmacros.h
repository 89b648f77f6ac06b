/* sys/sysmacros.h: the parts of a device number. */
#ifndef _SYS_SYSMACROS_H
#define _SYS_SYSMACROS_H
#define major(x) ((unsigned)(((x) >> 32 & 0xfffff000) | ((x) >> 8 & 0x00000fff)))
#define minor(x) ((unsigned)(((x) >> 12 & 0xffffff00) | ((x) & 0x000000ff)))
#define makedev(x, y)                                                                                    \
    (((unsigned long long)((x) & 0xfffff000U) << 32) | ((unsigned long long)((x) & 0x00000fffU) << 8) | \
     ((unsigned long long)((y) & 0xffffff00U) << 12) | ((unsigned long long)((y) & 0x000000ffU)))
#endif
