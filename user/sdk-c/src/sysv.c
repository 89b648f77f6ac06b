/* System V's IPC would be shared between processes: ENOSYS, as where a kernel was made without it. */
#include "vk.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>

key_t ftok(const char *path, int id) {
    struct stat st;
    if (stat(path, &st) < 0)
        return -1;
    return (key_t)((st.st_ino & 0xffff) | (st.st_dev & 0xff) << 16 | (unsigned)(id & 0xff) << 24);
}
int shmget(key_t key, size_t size, int flags) {
    (void)key, (void)size, (void)flags;
    return vk_enosys();
}
void *shmat(int id, const void *at, int flags) {
    (void)id, (void)at, (void)flags;
    return (void *)(intptr_t)vk_enosys();
}
int shmdt(const void *at) {
    (void)at;
    return vk_enosys();
}
int shmctl(int id, int command, struct shmid_ds *data) {
    (void)id, (void)command, (void)data;
    return vk_enosys();
}
int semget(key_t key, int count, int flags) {
    (void)key, (void)count, (void)flags;
    return vk_enosys();
}
int semop(int id, struct sembuf *ops, size_t count) {
    (void)id, (void)ops, (void)count;
    return vk_enosys();
}
int semctl(int id, int number, int command, ...) {
    (void)id, (void)number, (void)command;
    return vk_enosys();
}
int msgget(key_t key, int flags) {
    (void)key, (void)flags;
    return vk_enosys();
}
int msgsnd(int id, const void *message, size_t size, int flags) {
    (void)id, (void)message, (void)size, (void)flags;
    return vk_enosys();
}
ssize_t msgrcv(int id, void *message, size_t size, long type, int flags) {
    (void)id, (void)message, (void)size, (void)type, (void)flags;
    return vk_enosys();
}
int msgctl(int id, int command, struct msqid_ds *data) {
    (void)id, (void)command, (void)data;
    return vk_enosys();
}
