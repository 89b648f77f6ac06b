/* dlopen(3): there are no libraries to load while a program runs, and no names to look up in it. */
#include "vk.h"

#include <dlfcn.h>

static const char *wrong;

static void *none(const char *why) {
    wrong = why;
    return NULL;
}
void *dlopen(const char *path, int flags) {
    (void)path, (void)flags;
    return none("dynamic loading is not supported");
}
void *dlsym(void *restrict handle, const char *restrict name) {
    (void)handle, (void)name;
    return none("symbol not found");
}
int dlclose(void *handle) {
    (void)handle;
    none("not a library");
    return -1;
}
char *dlerror(void) {
    const char *why = wrong;
    wrong = NULL;
    return (char *)why;
}
