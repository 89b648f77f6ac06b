/* More of the library: wordexp(3), sem_overview(7), aio(7), ftw(3), pthread_atfork(3), getmntent(3), hosts, C11's locks. */
#include "../test.h"
#include <aio.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <ftw.h>
#include <ifaddrs.h>
#include <mntent.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/random.h>
#include <sys/time.h>
#include <threads.h>
#include <ulimit.h>
#include <utmpx.h>
#include <wordexp.h>

TEST(words_are_expanded) {
    wordexp_t w;
    setenv("GREETING", "hello world", 1);
    close(file("w1.txt", "")), close(file("w2.txt", ""));
    SAME(wordexp("a \"$GREETING\" $GREETING w*.txt '$x' $((1+2)) `echo b`", &w, 0), 0);
    static const char *const want[] = {"a", "hello world", "hello", "world", "w1.txt", "w2.txt", "$x", "3", "b"};
    SAME(w.we_wordc, 9);
    for (size_t i = 0; i < 9; i++)
        CHECK(!strcmp(w.we_wordv[i], want[i]));
    CHECK(w.we_wordv[9] == NULL);
    SAME(wordexp("more", &w, WRDE_APPEND), 0);
    SAME(w.we_wordc, 10);
    CHECK(!strcmp(w.we_wordv[9], "more"));
    wordfree(&w);
    w.we_offs = 2;
    SAME(wordexp("x", &w, WRDE_DOOFFS), 0);
    CHECK(w.we_wordc == 1 && w.we_wordv[0] == NULL && w.we_wordv[1] == NULL && !strcmp(w.we_wordv[2], "x"));
    wordfree(&w);
}
TEST(words_that_are_none) {
    wordexp_t w;
    SAME(wordexp("a | b", &w, 0), WRDE_BADCHAR);
    SAME(wordexp("(a)", &w, 0), WRDE_BADCHAR);
    SAME(wordexp("$(echo a)", &w, WRDE_NOCMD), WRDE_CMDSUB);
    SAME(wordexp("$((echo a) ; (echo b))", &w, WRDE_NOCMD), WRDE_CMDSUB);
#ifndef __linux__
    /* To a shell of POSIX 2024 these are not quoted; glibc's wordexp is an older one. */
    SAME(wordexp("$'\\''$(echo a)'\\'", &w, WRDE_NOCMD), WRDE_CMDSUB);
    SAME(wordexp("\"${x:-\"'$(echo a)'\"}\"", &w, WRDE_NOCMD), WRDE_CMDSUB);
#endif
    SAME(wordexp("'a", &w, 0), WRDE_SYNTAX);
    SAME(wordexp("$no_such_variable", &w, WRDE_UNDEF), WRDE_BADVAL);
}

static sem_t sem;
static void post(int signal) {
    (void)signal;
    sem_post(&sem);
}
TEST(a_semaphore_counts) {
    int value = -1;
    SAME(sem_init(&sem, 0, 2), 0);
    CHECK(sem_wait(&sem) == 0 && sem_trywait(&sem) == 0);
    FAILS(sem_trywait(&sem), EAGAIN);
    CHECK(sem_post(&sem) == 0 && sem_getvalue(&sem, &value) == 0 && value == 1);
    CHECK(sem_wait(&sem) == 0 && sem_destroy(&sem) == 0);
}
TEST(a_handler_posts_to_who_waits) {
    struct sigaction a = {.sa_handler = post, .sa_flags = SA_RESTART};
    struct itimerval t = {.it_value = {.tv_usec = 50000}};
    struct timespec past;
    sigaction(SIGALRM, &a, NULL);
    sem_init(&sem, 0, 0);
    setitimer(ITIMER_REAL, &t, NULL);
    SAME(sem_wait(&sem), 0);
    clock_gettime(CLOCK_REALTIME, &past);
    FAILS(sem_timedwait(&sem, &past), ETIMEDOUT);
    past.tv_nsec = -1;
    FAILS(sem_timedwait(&sem, &past), EINVAL);
}

static int wait_for(struct aiocb *a) {
    const struct aiocb *const list[] = {a};
    while (aio_error(a) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_error(a);
}
TEST(transfers_that_are_waited_for) {
    char buf[8] = "";
    int fd = file("aio", "0123456789");
    struct aiocb a = {.aio_fildes = fd, .aio_buf = "abc", .aio_nbytes = 3, .aio_offset = 2};
    a.aio_sigevent.sigev_notify = SIGEV_NONE;
    CHECK(aio_write(&a) == 0);
    SAME(wait_for(&a), 0);
    SAME(aio_return(&a), 3);
    a.aio_buf = buf, a.aio_nbytes = 5, a.aio_offset = 1, a.aio_lio_opcode = LIO_READ;
    struct aiocb *list[] = {&a};
    CHECK(lio_listio(LIO_WAIT, list, 1, NULL) == 0);
    SAME(aio_return(&a), 5);
    CHECK(!strcmp(buf, "1abc5"));
    a.aio_fildes = 99;
    CHECK(aio_read(&a) == 0 ? wait_for(&a) == EBADF && aio_return(&a) == -1 : errno == EBADF);
    close(fd);
}

static int files, dirs;
static int count(const char *path, const struct stat *st, int what) {
    (void)path, (void)st;
    files += what == FTW_F, dirs += what == FTW_D;
    return 0;
}
TEST(a_tree_is_walked) {
    mkdir("t", 0755), mkdir("t/u", 0755);
    close(file("t/a", "")), close(file("t/u/b", ""));
    SAME(ftw("t", count, 8), 0);
    CHECK(files == 2 && dirs == 2);
}
TEST(entries_of_a_directory_in_a_buffer) {
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    union {
        struct dirent d;
        char room[sizeof(struct dirent) + 256];
    } e;
    struct dirent *next = NULL;
    int n = 0;
    mkdir("r", 0755), close(file("r/x", ""));
    DIR *d = opendir("r");
    CHECK(d);
    while (readdir_r(d, &e.d, &next) == 0 && next)
        n += !strcmp(next->d_name, "x");
    closedir(d);
    SAME(n, 1);
}

static char calls[16];
static void note(char what) {
    calls[strlen(calls)] = what;
}
static void before1(void) { note('1'); }
static void before2(void) { note('2'); }
static void parent1(void) { note('p'); }
static void parent2(void) { note('q'); }
static void child1(void) { note('c'); }
static void child2(void) { note('d'); }
TEST(fork_calls_its_handlers) {
    int status;
    SAME(pthread_atfork(before1, parent1, child1), 0);
    SAME(pthread_atfork(before2, parent2, child2), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(strcmp(calls, "21cd") != 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(!strcmp(calls, "21pq"));
}

TEST(mounts_are_told) {
    struct mntent *m;
    int root = 0;
    FILE *f = setmntent("/proc/mounts", "r");
    CHECK(f);
    while ((m = getmntent(f)))
        root |= !strcmp(m->mnt_dir, "/") && *m->mnt_type;
    endmntent(f);
    CHECK(root);
    CHECK((f = fopen("mtab", "w+")));
    struct mntent in = {"a b", "/x y", "tmpfs", "rw,size=1", 0, 2};
    CHECK(addmntent(f, &in) == 0 && fseek(f, 0, SEEK_SET) == 0);
    CHECK((m = getmntent(f)) && !strcmp(m->mnt_fsname, "a b") && !strcmp(m->mnt_dir, "/x y") && m->mnt_passno == 2);
    CHECK(hasmntopt(m, "size") && !hasmntopt(m, "siz"));
    endmntent(f);
}

TEST(hosts_have_addresses) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a;
    struct sockaddr_in in;
    SAME(getaddrinfo("localhost", "80", &hints, &a), 0);
    memcpy(&in, a->ai_addr, sizeof in);
    freeaddrinfo(a);
    CHECK(in.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && in.sin_port == htons(80));
    SAME(getaddrinfo("10.1.2.3", NULL, &hints, &a), 0);
    memcpy(&in, a->ai_addr, sizeof in);
    freeaddrinfo(a);
    CHECK(in.sin_addr.s_addr == inet_addr("10.1.2.3"));
    hints.ai_flags = AI_NUMERICHOST;
    SAME(getaddrinfo("localhost", NULL, &hints, &a), EAI_NONAME);
    CHECK(if_nametoindex("no-such-interface") == 0);
    struct if_nameindex *names = if_nameindex();
    CHECK(names);
    if_freenameindex(names);
    struct ifaddrs *interfaces;
    CHECK(getifaddrs(&interfaces) == 0);
    freeifaddrs(interfaces);
}

static int once_calls;
static void once(void) {
    once_calls++;
}
TEST(locks_of_c11) {
    static once_flag flag = ONCE_FLAG_INIT;
    mtx_t m;
    cnd_t c;
    tss_t key;
    call_once(&flag, once), call_once(&flag, once);
    SAME(once_calls, 1);
    CHECK(mtx_init(&m, mtx_plain) == thrd_success && mtx_lock(&m) == thrd_success);
    CHECK(mtx_trylock(&m) == thrd_busy && mtx_unlock(&m) == thrd_success);
    CHECK(cnd_init(&c) == thrd_success && cnd_signal(&c) == thrd_success && cnd_broadcast(&c) == thrd_success);
    mtx_destroy(&m), cnd_destroy(&c);
    CHECK(tss_create(&key, NULL) == thrd_success && tss_set(key, &key) == thrd_success && tss_get(key) == &key);
    tss_delete(key);
}

TEST(what_there_is_none_of) {
    CHECK(dlopen("no-such-library.so", RTLD_NOW) == NULL);
    CHECK(dlerror() != NULL && dlerror() == NULL);
    setutxent();
    endutxent();
    CHECK(ulimit(UL_GETFSIZE) > 0);
}
TEST(long_doubles_are_printed_and_read) {
    char text[80];
    long double third = 1.0L / 3, back = 0;
    snprintf(text, sizeof text, "%.4Lf %Lg %.2Le", third, third * 3, third);
    CHECK(!strcmp(text, "0.3333 1 3.33e-01"));
    CHECK(sscanf("-2.5e1", "%Lf", &back) == 1 && back == -25.0L);
}
TEST(random_bytes) {
    unsigned char a[300] = {0}, b[300] = {0};
    SAME(getrandom(a, sizeof a, 0), sizeof a);
    SAME(getrandom(b, sizeof b, 0), sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}
TEST(what_is_written_is_kept) {
    int fd = file("kept", "x");
    CHECK(fsync(fd) == 0 && close(fd) == 0);
    sync();
}
TESTS = {T(words_are_expanded), T(words_that_are_none), T(a_semaphore_counts), T(a_handler_posts_to_who_waits),
         T(transfers_that_are_waited_for), T(a_tree_is_walked), T(entries_of_a_directory_in_a_buffer),
         T(fork_calls_its_handlers), T(mounts_are_told), T(hosts_have_addresses), T(locks_of_c11),
         T(what_there_is_none_of), T(long_doubles_are_printed_and_read), T(random_bytes), T(what_is_written_is_kept), END};
