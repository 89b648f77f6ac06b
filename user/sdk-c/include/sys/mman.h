/* sys/mman.h: anonymous memory, and copies of files. A linear memory has no pages to share or to protect. */
#ifndef _VK_SYS_MMAN_H
#define _VK_SYS_MMAN_H
#ifndef _WASI_EMULATED_MMAN
#define _WASI_EMULATED_MMAN
#endif
#include_next <sys/mman.h>
#ifdef __cplusplus
extern "C" {
#endif
int msync(void *, size_t, int);
int mlock(const void *, size_t);
int munlock(const void *, size_t);
#ifdef __cplusplus
}
#endif
#endif
