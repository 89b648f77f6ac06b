/* Older names of what is there: ftw(3), readdir_r(3), sigset(3), ulimit(3), utmpx(5). */
#include "vk.h"

#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ulimit.h>
#include <utmpx.h>

static int (*visit)(const char *, const struct stat *, int);

static int forward(const char *path, const struct stat *st, int what, struct FTW *where) {
    (void)where;
    /* A link that leads nowhere is told as one that can't be looked at. */
    return visit(path, st, what == FTW_SLN ? FTW_NS : what);
}
int ftw(const char *path, int (*f)(const char *, const struct stat *, int), int fds) {
    int (*outer)(const char *, const struct stat *, int) = visit;
    visit = f;
    int answer = nftw(path, forward, fds, 0);
    visit = outer;
    return answer;
}

int readdir_r(DIR *restrict dir, struct dirent *restrict entry, struct dirent **restrict result) {
    int saved = errno, wrong;
    errno = 0;
    struct dirent *next = readdir(dir);
    wrong = next ? 0 : errno;
    errno = saved;
    if (next)
        memcpy(entry, next, offsetof(struct dirent, d_name) + strlen(next->d_name) + 1);
    *result = next ? entry : NULL;
    return wrong;
}

void (*sigset(int signal, void (*handler)(int)))(int) {
    struct sigaction new = {.sa_handler = handler}, old;
    sigset_t set, before;
    sigemptyset(&set);
    if (sigaddset(&set, signal) < 0)
        return SIG_ERR;
    if (sigaction(signal, handler == SIG_HOLD ? NULL : &new, &old) < 0)
        return SIG_ERR;
    sigprocmask(handler == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &set, &before);
    return sigismember(&before, signal) ? SIG_HOLD : old.sa_handler;
}

int sched_rr_get_interval(pid_t pid, struct timespec *t) {
    (void)pid, (void)t;
    return vk_enosys();
}

long ulimit(int what, ...) {
    struct rlimit r;
    va_list ap;
    if (what != UL_GETFSIZE && what != UL_SETFSIZE)
        return vk_ret(-EINVAL);
    if (getrlimit(RLIMIT_FSIZE, &r) < 0)
        return -1;
    if (what == UL_SETFSIZE) {
        va_start(ap, what);
        r.rlim_cur = r.rlim_max = 512ULL * (unsigned long)va_arg(ap, long);
        va_end(ap);
        if (setrlimit(RLIMIT_FSIZE, &r) < 0)
            return -1;
    }
    return r.rlim_cur / 512 > 0x7fffffff ? 0x7fffffff : (long)(r.rlim_cur / 512);
}

int mlockall(int flags) {
    (void)flags;
    return 0;
}
int munlockall(void) {
    return 0;
}

void setutxent(void) {
}
void endutxent(void) {
}
struct utmpx *getutxent(void) {
    return NULL;
}
struct utmpx *getutxid(const struct utmpx *u) {
    (void)u;
    return NULL;
}
struct utmpx *getutxline(const struct utmpx *u) {
    (void)u;
    return NULL;
}
struct utmpx *pututxline(const struct utmpx *u) {
    (void)u;
    vk_enosys();
    return NULL;
}
