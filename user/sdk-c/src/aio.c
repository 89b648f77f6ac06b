/* aio(7) by one who does it at once: a transfer is over when the call that asks for it is. */
#include "vk.h"

#include <aio.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

/* SIGEV_THREAD has no thread to call. */
static int acceptable(const struct sigevent *event) {
    return event->sigev_notify == SIGEV_NONE || event->sigev_notify == SIGEV_SIGNAL;
}
static void tell(const struct sigevent *event) {
    if (event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo)
        sigqueue(getpid(), event->sigev_signo, event->sigev_value);
}

/* What can't be placed in a file (a pipe, a terminal) is read and written where it is. */
static ssize_t transfer(struct aiocb *a, int opcode) {
    void *buf = (void *)a->aio_buf;
    int placed = lseek(a->aio_fildes, 0, SEEK_CUR) >= 0 || errno != ESPIPE;
    if (opcode == LIO_READ)
        return placed ? pread(a->aio_fildes, buf, a->aio_nbytes, a->aio_offset) : read(a->aio_fildes, buf, a->aio_nbytes);
    return placed ? pwrite(a->aio_fildes, buf, a->aio_nbytes, a->aio_offset) : write(a->aio_fildes, buf, a->aio_nbytes);
}
static void finish(struct aiocb *a, ssize_t result) {
    a->__result = result;
    a->__error = result < 0 ? errno : 0;
    tell(&a->aio_sigevent);
}
static int start(struct aiocb *a, int opcode) {
    int saved = errno;
    if (opcode != LIO_READ && opcode != LIO_WRITE)
        return vk_ret(-EINVAL);
    if (!acceptable(&a->aio_sigevent))
        return vk_ret(-ENOSYS);
    if (a->aio_offset < 0 || a->aio_nbytes > SSIZE_MAX)
        return vk_ret(-EINVAL);
    finish(a, transfer(a, opcode));
    errno = saved;
    return 0;
}
int aio_read(struct aiocb *a) {
    return start(a, LIO_READ);
}
int aio_write(struct aiocb *a) {
    return start(a, LIO_WRITE);
}
int aio_fsync(int how, struct aiocb *a) {
    int saved = errno;
    if (how != O_SYNC && how != O_DSYNC)
        return vk_ret(-EINVAL);
    if (!acceptable(&a->aio_sigevent))
        return vk_ret(-ENOSYS);
    finish(a, fsync(a->aio_fildes));
    errno = saved;
    return 0;
}
int aio_error(const struct aiocb *a) {
    return a->__error;
}
ssize_t aio_return(struct aiocb *a) {
    return a->__result;
}
int aio_cancel(int fd, struct aiocb *a) {
    (void)a;
    return fcntl(fd, F_GETFD) < 0 ? -1 : AIO_ALLDONE;
}
int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *time) {
    (void)list, (void)count, (void)time;
    return 0;
}
int lio_listio(int mode, struct aiocb *const list[], int count, struct sigevent *restrict event) {
    int failed = 0;
    if ((mode != LIO_WAIT && mode != LIO_NOWAIT) || count < 0)
        return vk_ret(-EINVAL);
    for (int i = 0; i < count; i++)
        if (list[i] && list[i]->aio_lio_opcode != LIO_NOP)
            failed |= start(list[i], list[i]->aio_lio_opcode) < 0 || list[i]->__error;
    if (mode == LIO_NOWAIT && event)
        tell(event);
    return failed && mode == LIO_WAIT ? vk_ret(-EIO) : 0;
}
