/* Waiting for several descriptors: poll(2), and select(2) made of it. */
#include "vk.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    return vk_ret(vk_poll(fds, (uint32_t)count, timeout_ms < 0 ? -1 : timeout_ms));
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *t, const sigset_t *mask) {
    uint64_t ns = UINT64_MAX;
    if (t) {
        if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SEC)
            return vk_ret(-EINVAL);
        /* Three hundred years are for ever, too. */
        if (t->tv_sec < INT64_MAX / NS_PER_SEC)
            ns = (uint64_t)(t->tv_sec * NS_PER_SEC + t->tv_nsec);
    }
    return vk_ret(vk_ppoll(fds, (uint32_t)count, ns, mask));
}

static short wanted(int fd, const fd_set *r, const fd_set *w, const fd_set *x) {
    return (short)((r && FD_ISSET(fd, r) ? POLLIN : 0) | (w && FD_ISSET(fd, w) ? POLLOUT : 0) |
                   (x && FD_ISSET(fd, x) ? POLLPRI : 0));
}

/* Leaves in a set what has come; answers how many those are. */
static int keep(fd_set *set, const struct pollfd *fds, int count, short asked, short means) {
    int n = 0;
    if (!set)
        return 0;
    FD_ZERO(set);
    for (int i = 0; i < count; i++) {
        if (fds[i].events & asked && fds[i].revents & means) {
            FD_SET(fds[i].fd, set);
            n++;
        }
    }
    return n;
}

int pselect(int nfds, fd_set *restrict r, fd_set *restrict w, fd_set *restrict x, const struct timespec *restrict t,
            const sigset_t *restrict mask) {
    if (nfds < 0 || nfds > FD_SETSIZE || (t && (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SEC)))
        return vk_ret(-EINVAL);
    struct pollfd some[64], *fds = some;
    if (nfds > 64 && !(fds = malloc((size_t)nfds * sizeof *fds)))
        return -1;
    int count = 0, n = -1;
    for (int fd = 0; fd < nfds; fd++) {
        short events = wanted(fd, r, w, x);
        if (events)
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    if (ppoll(fds, (nfds_t)count, t, mask) < 0)
        goto out;
    for (int i = 0; i < count; i++) {
        if (fds[i].revents & POLLNVAL) {
            errno = EBADF;
            goto out;
        }
    }
    n = keep(r, fds, count, POLLIN, POLLIN | POLLHUP | POLLERR);
    n += keep(w, fds, count, POLLOUT, POLLOUT | POLLERR);
    n += keep(x, fds, count, POLLPRI, POLLPRI);
out:
    if (fds != some)
        free(fds);
    return n;
}

int select(int nfds, fd_set *restrict r, fd_set *restrict w, fd_set *restrict x, struct timeval *restrict tv) {
    struct timespec ts;
    if (tv) {
        if (tv->tv_sec < 0 || tv->tv_usec < 0)
            return vk_ret(-EINVAL);
        ts = (struct timespec){.tv_sec = tv->tv_sec + tv->tv_usec / 1000000,
                               .tv_nsec = (long)(tv->tv_usec % 1000000) * 1000};
    }
    return pselect(nfds, r, w, x, tv ? &ts : NULL, NULL);
}
