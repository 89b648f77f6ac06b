/*
 * The working directory, and the start of a program.
 *
 * A process starts with a descriptor of its root directory at 3, for programs that know WASI alone
 * (doc/decisions/0003-wasi-paths.md). Programs of this library never use it, and 3 is a number that
 * POSIX promises to the first open(2): it is closed before main.
 */
#include "vk.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <wasi/api.h>

__attribute__((constructor(50))) void __vk_start(void) {
    for (int fd = 3;; fd++) {
        __wasi_prestat_t p;
        if (__wasi_fd_prestat_get(fd, &p) != 0)
            return;
        if (p.tag == __WASI_PREOPENTYPE_DIR)
            vk_close(fd);
    }
}

int chdir(const char *path) {
    return vk_ret(vk_chdir(path, VK_LEN(path)));
}
int fchdir(int fd) {
    return vk_ret(vk_fchdir(fd));
}
int chroot(const char *path) {
    return vk_ret(vk_chroot(path, VK_LEN(path)));
}

char *getcwd(char *buf, size_t size) {
    char path[PATH_MAX];
    if (buf && size == 0) {
        errno = EINVAL;
        return NULL;
    }
    int len = vk_ret(vk_getcwd(path, sizeof path - 1));
    if (len < 0)
        return NULL;
    path[len] = '\0';
    if (!buf)
        return strdup(path);
    if ((size_t)len >= size) {
        errno = ERANGE;
        return NULL;
    }
    return memcpy(buf, path, (size_t)len + 1);
}
char *get_current_dir_name(void) {
    return getcwd(NULL, 0);
}
char *getwd(char *buf) {
    return getcwd(buf, PATH_MAX);
}
