/* epoll(7) of poll(2): what is waited for stands in the process, so that a descriptor is of use in it and its children alone. */
#include "vk.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MODES (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)

struct item {
    int fd;
    struct epoll_event event;
    int disarmed; /* One that was told once, with EPOLLONESHOT. */
};
struct set {
    struct set *next;
    int fd, writer; /* A pipe that nothing is written to. */
    struct item *items;
    size_t count, room;
    size_t turn; /* Where the next look begins, so that each is told. */
};
static struct set *sets;

static struct set *of(int fd) {
    struct set *s = sets;
    while (s && s->fd != fd)
        s = s->next;
    return s;
}
static struct item *find(struct set *s, int fd) {
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].fd == fd)
            return &s->items[i];
    return NULL;
}
static void drop(struct set *s, struct item *item) {
    *item = s->items[--s->count];
}

/* A descriptor is not waited for any more, or a set is gone. */
static void closed(int fd) {
    for (struct set **at = &sets; *at;) {
        struct set *s = *at;
        struct item *item = find(s, fd);
        if (item)
            drop(s, item);
        if (s->writer == fd) /* The number is another's from now on. */
            s->writer = -1;
        if (s->fd == fd) {
            *at = s->next;
            if (s->writer >= 0)
                vk_close(s->writer);
            free(s->items);
            free(s);
        } else {
            at = &s->next;
        }
    }
}

int epoll_create1(int flags) {
    int fds[2];
    if (flags & ~EPOLL_CLOEXEC)
        return vk_ret(-EINVAL);
    struct set *s = calloc(1, sizeof *s);
    if (!s || pipe2(fds, flags) < 0) {
        free(s);
        return -1;
    }
    *s = (struct set){.next = sets, .fd = fds[0], .writer = fds[1]};
    sets = s;
    __vk_at_close = closed;
    return s->fd;
}
int epoll_create(int size) {
    return size <= 0 ? vk_ret(-EINVAL) : epoll_create1(0);
}

static int add(struct set *s, int fd, const struct epoll_event *event) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return vk_ret(-EPERM);
    if (of(fd)) /* One set in another. */
        return vk_ret(-ELOOP);
    if (s->count == s->room) {
        size_t room = s->room * 2 + 8;
        struct item *items = realloc(s->items, room * sizeof *items);
        if (!items)
            return -1;
        s->items = items, s->room = room;
    }
    s->items[s->count++] = (struct item){.fd = fd, .event = *event};
    return 0;
}
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
    struct set *s = of(epfd);
    if (fcntl(epfd, F_GETFD) < 0 || fcntl(fd, F_GETFD) < 0)
        return -1;
    if (!s || epfd == fd || (op != EPOLL_CTL_DEL && event->events & EPOLLET))
        return vk_ret(-EINVAL);
    struct item *item = find(s, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        return item ? vk_ret(-EEXIST) : add(s, fd, event);
    case EPOLL_CTL_MOD:
        if (!item)
            return vk_ret(-ENOENT);
        *item = (struct item){.fd = fd, .event = *event};
        return 0;
    case EPOLL_CTL_DEL:
        if (!item)
            return vk_ret(-ENOENT);
        drop(s, item);
        return 0;
    default:
        return vk_ret(-EINVAL);
    }
}

/* What has come, for at most `max` descriptors. */
static int tell(struct set *s, const struct pollfd *fds, size_t count, struct epoll_event *events, int max) {
    int n = 0;
    size_t i = 0;
    for (; i < count && n < max; i++) {
        const struct pollfd *p = &fds[(s->turn + i) % count];
        struct item *item = p->revents ? find(s, p->fd) : NULL;
        if (!item)
            continue;
        if (p->revents & POLLNVAL) {
            drop(s, item);
            continue;
        }
        events[n++] = (struct epoll_event){.events = (uint16_t)p->revents, .data = item->event.data};
        item->disarmed = (item->event.events & EPOLLONESHOT) != 0;
    }
    s->turn = count ? (s->turn + i) % count : 0;
    return n;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask) {
    struct set *s = of(epfd);
    if (fcntl(epfd, F_GETFD) < 0)
        return -1;
    if (!s || max <= 0)
        return vk_ret(-EINVAL);
    int64_t end = timeout_ms > 0 ? now_ns() + timeout_ms * 1000000LL : 0;
    struct pollfd *fds = malloc((s->count + 1) * sizeof *fds);
    int n = fds ? 0 : -1, answer;
    while (n == 0) {
        size_t count = s->count;
        int64_t left = timeout_ms > 0 ? end - now_ns() : 0;
        left = left < 0 ? 0 : left;
        struct timespec t = {.tv_sec = left / NS_PER_SEC, .tv_nsec = (long)(left % NS_PER_SEC)};
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = s->items[i].disarmed ? -1 : s->items[i].fd,
                                     .events = (short)(s->items[i].event.events & ~MODES)};
        answer = ppoll(fds, (nfds_t)count, timeout_ms < 0 ? NULL : &t, mask);
        if (answer <= 0) {
            n = answer;
            break;
        }
        n = tell(s, fds, count, events, max);
    }
    int saved = errno;
    free(fds);
    errno = saved;
    return n;
}
int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms) {
    return epoll_pwait(epfd, events, max, timeout_ms, NULL);
}
