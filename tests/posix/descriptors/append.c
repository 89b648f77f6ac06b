/* O_APPEND, and the other ways to read and write: readv(2), preadv(2), copy_file_range(2), posix_fallocate(3). */
#include "../test.h"
#include <limits.h>
#include <sys/uio.h>

static int result(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(writers_at_the_end_overwrite_nothing) {
    enum { WRITERS = 4, EACH = 150, LEN = 37 };
    close(file("log", ""));
    pid_t pids[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        if (pids[w] == 0) {
            char line[LEN];
            memset(line, 'a' + w, LEN - 1);
            line[LEN - 1] = '\n';
            int fd = open("log", O_WRONLY | O_APPEND);
            for (int i = 0; i < EACH; i++)
                if (write(fd, line, LEN) != LEN)
                    _exit(1);
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++)
        SAME(result(pids[w]), 0);
    FILE *f = fopen("log", "r");
    char line[LEN + 8];
    int count[WRITERS] = {0}, torn = 0;
    while (fgets(line, sizeof line, f)) {
        torn += strlen(line) != LEN || strspn(line, (char[]){line[0], 0}) != LEN - 1;
        if (line[0] >= 'a' && line[0] < 'a' + WRITERS)
            count[line[0] - 'a']++;
    }
    fclose(f);
    SAME(torn, 0);
    for (int w = 0; w < WRITERS; w++)
        SAME(count[w], EACH);
}
TEST(the_offset_is_the_end_after_a_write) {
    int fd = file("f", "0123456789"), a = open("f", O_RDWR | O_APPEND);
    CHECK(lseek(a, 2, SEEK_SET) == 2 && write(a, "xy", 2) == 2);
    SAME(lseek(a, 0, SEEK_CUR), 12);
    CHECK(lseek(a, 0, SEEK_SET) == 0 && is_text(a, "0123456789xy"));
    /* It can be taken away, and given to another. */
    CHECK(fcntl(a, F_SETFL, 0) == 0 && pwrite(a, "A", 1, 0) == 1 && fcntl(fd, F_SETFL, O_APPEND) == 0);
    CHECK(write(fd, "z", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0 && is_text(fd, "A123456789xyz"));
    close(a), close(fd);
}
TEST(vectors_are_one_transfer) {
    char one[4] = "", two[8] = "";
    struct iovec w[] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, r[] = {{one, 3}, {two, 7}};
    int fd = file("v", "");
    SAME(writev(fd, w, 3), 6);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    SAME(readv(fd, r, 2), 6);
    CHECK(strcmp(one, "abc") == 0 && strcmp(two, "def") == 0);
    SAME(pwritev(fd, w, 3, 3), 6);
    memset(two, 0, sizeof two);
    SAME(preadv(fd, r, 2, 4), 5);
    CHECK(memcmp(one, "bcd", 3) == 0 && strcmp(two, "ef") == 0);
    SAME(lseek(fd, 0, SEEK_CUR), 6);
    SAME(readv(fd, r, 0), 0);
    FAILS(preadv(fd, r, 2, -1), EINVAL);
    FAILS(readv(999, r, 2), EBADF);
    close(fd);
}
TEST(a_range_is_copied_to_another_file) {
    int in = file("in", "0123456789"), out = file("out", "");
    SAME(copy_file_range(in, NULL, out, NULL, 4, 0), 4);
    off_t from = 6, to = 8;
    SAME(copy_file_range(in, &from, out, &to, 100, 0), 4);
    CHECK(from == 10 && to == 12);
    SAME(lseek(in, 0, SEEK_CUR), 4);
    SAME(lseek(out, 0, SEEK_SET), 0);
    char buf[16] = "";
    CHECK(read(out, buf, sizeof buf) == 12 && memcmp(buf, "0123\0\0\0\0006789", 12) == 0);
    SAME(copy_file_range(in, &from, out, NULL, 5, 0), 0);
    FAILS(copy_file_range(in, NULL, out, NULL, 1, 7), EINVAL);
    close(in), close(out);
}
TEST(space_can_be_had_in_advance) {
    struct stat st;
    int fd = file("space", "abc");
    SAME(posix_fallocate(fd, 0, 5000), 0);
    CHECK(fstat(fd, &st) == 0);
    SAME(st.st_size, 5000);
    SAME(posix_fallocate(fd, 0, 10), 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 5000);
    SAME(posix_fallocate(fd, 0, 0), EINVAL);
    SAME(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    close(fd);
    int p[2];
    CHECK(pipe(p) == 0);
    SAME(posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
    close(p[0]), close(p[1]);
}
TESTS = {T(writers_at_the_end_overwrite_nothing), T(the_offset_is_the_end_after_a_write), T(vectors_are_one_transfer),
         T(a_range_is_copied_to_another_file), T(space_can_be_had_in_advance), END};
