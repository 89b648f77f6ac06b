/* What the library makes of the calls: popen(3), system(3), mkstemp(3), freopen(3), sigsetjmp(3), mmap(2). */
#include "../test.h"
#include <fnmatch.h>
#include <glob.h>
#include <regex.h>
#include <setjmp.h>
#include <sys/mman.h>

TEST(popen_reads_a_command) {
    char buf[32] = "";
    FILE *f = popen("echo hello; exit 4", "r");
    CHECK(f && fgets(buf, sizeof buf, f) && !strcmp(buf, "hello\n"));
    SAME(WEXITSTATUS(pclose(f)), 4);
}
TEST(popen_writes_to_a_command) {
    FILE *f = popen("cat > piped", "w");
    CHECK(f && fputs("written", f) >= 0);
    SAME(pclose(f), 0);
    int fd = open("piped", O_RDONLY);
    CHECK(is_text(fd, "written"));
    close(fd);
}
TEST(system_answers_the_status) {
    CHECK(system(NULL) != 0);
    SAME(WEXITSTATUS(system("exit 9")), 9);
    SAME(system("test -d /"), 0);
    SAME(WEXITSTATUS(system("no-such-command-here 2>/dev/null")), 127);
}
TEST(temporary_files) {
    struct stat st;
    char a[] = "tXXXXXX", b[] = "tXXXXXX", d[] = "dXXXXXX", bad[] = "tXXXX";
    int x = mkstemp(a), y = mkstemp(b);
    CHECK(x >= 0 && y >= 0 && strcmp(a, b) && fstat(x, &st) == 0);
    SAME(st.st_mode & 0777, 0600);
    CHECK(mkdtemp(d) == d && stat(d, &st) == 0 && S_ISDIR(st.st_mode));
    SAME(st.st_mode & 0777, 0700);
    FAILS(mkstemp(bad), EINVAL);
    close(x), close(y);
    FILE *f = tmpfile();
    CHECK(f && fputs("x", f) >= 0 && fseek(f, 0, SEEK_SET) == 0 && fgetc(f) == 'x');
    fclose(f);
}
TEST(streams_on_descriptors) {
    int fd = file("stream", "one\ntwo\n");
    char buf[16];
    FILE *f = fdopen(fd, "r+");
    CHECK(f && fgets(buf, sizeof buf, f) && fgets(buf, sizeof buf, f) && !strcmp(buf, "two\n"));
    CHECK(fgets(buf, sizeof buf, f) == NULL && feof(f));
    CHECK(fileno(f) == fd && fclose(f) == 0 && fcntl(fd, F_GETFD) == -1);
    close(file("other", "other"));
    CHECK((f = fopen("stream", "a")) && fputs("three\n", f) >= 0 && (f = freopen("other", "r", f)));
    CHECK(fgets(buf, sizeof buf, f) && !strcmp(buf, "other"));
    fclose(f);
    CHECK((f = fopen("stream", "wx")) == NULL && errno == EEXIST);
    CHECK((f = fopen("stream", "re")) && fcntl(fileno(f), F_GETFD) == FD_CLOEXEC);
    fclose(f);
}
static sigjmp_buf env;
static void jump(int how) {
    siglongjmp(env, how);
}
TEST(sigsetjmp_keeps_the_mask) {
    sigset_t set, now;
    volatile int passes = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int r = sigsetjmp(env, 1);
    passes++;
    if (r == 0) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        jump(5);
    }
    sigprocmask(SIG_BLOCK, NULL, &now);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    SAME(r, 5);
    SAME(passes, 2);
    SAME(sigismember(&now, SIGUSR1), 0);
    if (sigsetjmp(env, 0) == 0) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        jump(1);
    }
    sigprocmask(SIG_UNBLOCK, &set, &now);
    SAME(sigismember(&now, SIGUSR1), 1);
}
TEST(longjmp_of_0_is_1) {
    jmp_buf j;
    volatile int n = 0;
    int r = setjmp(j);
    if (n++ == 0)
        longjmp(j, 0);
    SAME(r, 1);
}
TEST(anonymous_memory) {
    char *p = mmap(NULL, 200000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && p[0] == 0 && p[199999] == 0);
    memset(p, 1, 200000);
    CHECK(munmap(p, 200000) == 0);
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
}
TEST(a_private_copy_of_a_file) {
    int fd = file("mapped", "contents");
    char *p = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && memcmp(p, "contents", 8) == 0);
    p[0] = 'X';
    CHECK(munmap(p, 8) == 0 && is_text(fd, "contents"));
    close(fd);
}
TEST(patterns) {
    regex_t r;
    regmatch_t m[2];
    glob_t g;
    CHECK(fnmatch("*.[ch]", "x.c", 0) == 0 && fnmatch("*.[ch]", "x.o", 0) == FNM_NOMATCH);
    CHECK(regcomp(&r, "a(b+)c", REG_EXTENDED) == 0 && regexec(&r, "xabbc", 2, m, 0) == 0 && m[1].rm_so == 2 && m[1].rm_eo == 4);
    regfree(&r);
    CHECK(mkdir("g", 0755) == 0);
    close(file("g/b.x", "")), close(file("g/a.x", "")), close(file("g/c.y", ""));
    SAME(glob("g/*.x", 0, NULL, &g), 0);
    SAME(g.gl_pathc, 2);
    CHECK(!strcmp(g.gl_pathv[0], "g/a.x"));
    globfree(&g);
}
TESTS = {T(popen_reads_a_command), T(popen_writes_to_a_command), T(system_answers_the_status), T(temporary_files),
         T(streams_on_descriptors), T(sigsetjmp_keeps_the_mask), T(longjmp_of_0_is_1), T(anonymous_memory),
         T(a_private_copy_of_a_file), T(patterns), END};
