/*
 * mmap(2) in a linear memory: anonymous memory from malloc, and private read-only copies of files.
 * What would have to be shared or protected says ENOSYS or ENOTSUP.
 */
#include "vk.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 65536u

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset) {
    (void)at;
    if (len == 0 || offset % PAGE != 0 || len > SIZE_MAX - PAGE) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    int shared = (flags & MAP_TYPE) != MAP_PRIVATE, anonymous = (flags & MAP_ANON) != 0;
    /* With fork, shared memory would have to be seen by both. A shared file is as good as a copy while nobody writes. */
    if (flags & MAP_FIXED || prot & PROT_EXEC || (shared && (anonymous || prot & PROT_WRITE))) {
        errno = ENOSYS;
        return MAP_FAILED;
    }
    size_t size = (len + PAGE - 1) / PAGE * PAGE;
    char *p = aligned_alloc(PAGE, size);
    if (!p) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    memset(p, 0, size);
    for (size_t done = 0; !anonymous && done < len;) {
        ssize_t n = pread(fd, p + done, len - done, offset + (off_t)done);
        if (n < 0 && errno != EINTR) {
            int saved = errno;
            free(p);
            errno = saved;
            return MAP_FAILED;
        }
        if (n == 0)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    return p;
}
/* All of a mapping at once, as malloc gave it. */
int munmap(void *p, size_t len) {
    if ((uintptr_t)p % PAGE || len == 0)
        return vk_ret(-EINVAL);
    free(p);
    return 0;
}
int mprotect(void *p, size_t len, int prot) {
    (void)p, (void)len;
    return prot == (PROT_READ | PROT_WRITE) ? 0 : vk_ret(-ENOTSUP);
}
int madvise(void *p, size_t len, int advice) {
    (void)p, (void)len, (void)advice;
    return 0;
}
int posix_madvise(void *p, size_t len, int advice) {
    (void)p, (void)len, (void)advice;
    return 0;
}
int msync(void *p, size_t len, int flags) {
    (void)p, (void)len, (void)flags;
    return 0;
}
/* Nothing is ever paged out. */
int mlock(const void *p, size_t len) {
    (void)p, (void)len;
    return 0;
}
int munlock(const void *p, size_t len) {
    (void)p, (void)len;
    return 0;
}
