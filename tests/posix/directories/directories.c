/* mkdir(2), rmdir(2), opendir(3), chdir(2), getcwd(3), umask(2). */
#include "../test.h"
#include <dirent.h>
#include <limits.h>

TEST(mkdir_makes_an_empty_one) {
    struct stat st;
    mode_t old = umask(022);
    CHECK(mkdir("d", 0777) == 0 && stat("d", &st) == 0);
    umask(old);
    SAME(st.st_mode, S_IFDIR | 0755);
    FAILS(mkdir("d", 0777), EEXIST);
    FAILS(mkdir("none/d", 0777), ENOENT);
    close(file("f", ""));
    FAILS(mkdir("f/d", 0777), ENOTDIR);
    CHECK(mkdir("slash/", 0777) == 0);
}
TEST(rmdir_takes_an_empty_one) {
    CHECK(mkdir("r", 0755) == 0 && mkdir("r/in", 0755) == 0);
    CHECK(rmdir("r") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
    FAILS(rmdir("r/."), EINVAL);
    CHECK(rmdir("r/in") == 0 && rmdir("r") == 0);
    FAILS(rmdir("r"), ENOENT);
    close(file("plain", ""));
    FAILS(rmdir("plain"), ENOTDIR);
}
static int count(const char *path, const char *name, int *found) {
    DIR *d = opendir(path);
    int n = 0;
    *found = 0;
    for (struct dirent *e; d && (e = readdir(d)); n++)
        *found += !strcmp(e->d_name, name);
    if (d)
        closedir(d);
    return d ? n : -1;
}
TEST(readdir_tells_each_name_once) {
    char name[32];
    int found;
    CHECK(mkdir("many", 0755) == 0);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "many/file%03d", i);
        close(file(name, ""));
    }
    SAME(count("many", "file499", &found), 502);
    SAME(found, 1);
    SAME(count("many", "..", &found), 502);
    SAME(found, 1);
    FAILS(count("none", "", &found), ENOENT);
    FAILS(count("many/file000", "", &found), ENOTDIR);
}
TEST(readdir_goes_on_while_files_go) {
    char name[32];
    int removed = 0;
    CHECK(mkdir("going", 0755) == 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "going/%d", i);
        close(file(name, ""));
    }
    DIR *d = opendir("going");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            removed += unlinkat(dirfd(d), e->d_name, 0) == 0;
    closedir(d);
    SAME(removed, 100);
    CHECK(rmdir("going") == 0);
}
TEST(telldir_and_rewinddir) {
    CHECK(mkdir("t", 0755) == 0);
    close(file("t/a", "")), close(file("t/b", ""));
    DIR *d = opendir("t");
    char first[256], third[256];
    strcpy(first, readdir(d)->d_name);
    readdir(d);
    long place = telldir(d);
    strcpy(third, readdir(d)->d_name);
    seekdir(d, place);
    CHECK(strcmp(readdir(d)->d_name, third) == 0);
    rewinddir(d);
    CHECK(strcmp(readdir(d)->d_name, first) == 0);
    closedir(d);
}
TEST(kinds_in_entries) {
    CHECK(mkdir("k", 0755) == 0 && mkdir("k/dir", 0755) == 0 && symlink("x", "k/link") == 0);
    DIR *d = opendir("k");
    for (struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, "dir"))
            CHECK(e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
        if (!strcmp(e->d_name, "link"))
            CHECK(e->d_type == DT_LNK || e->d_type == DT_UNKNOWN);
    }
    closedir(d);
}
static int visible(const struct dirent *e) {
    return e->d_name[0] != '.';
}
TEST(scandir_sorts) {
    struct dirent **list;
    CHECK(mkdir("s", 0755) == 0);
    close(file("s/b", "")), close(file("s/a", "")), close(file("s/c", ""));
    SAME(scandir("s", &list, visible, alphasort), 3);
    CHECK(!strcmp(list[0]->d_name, "a") && !strcmp(list[2]->d_name, "c"));
    for (int i = 0; i < 3; i++)
        free(list[i]);
    free(list);
}
TEST(chdir_moves_what_relative_paths_mean) {
    char start[PATH_MAX], buf[PATH_MAX], want[PATH_MAX + 8];
    CHECK(getcwd(start, sizeof start) == start && mkdir("down", 0755) == 0 && chdir("down") == 0);
    snprintf(want, sizeof want, "%s/down", start);
    CHECK(getcwd(buf, sizeof buf) && strcmp(buf, want) == 0);
    close(file("here", ""));
    CHECK(chdir("..") == 0 && access("down/here", F_OK) == 0);
    FAILS(chdir("none"), ENOENT);
    FAILS(chdir("down/here"), ENOTDIR);
    CHECK(getcwd(buf, 2) == NULL && errno == ERANGE);
    CHECK(getcwd(buf, 0) == NULL && errno == EINVAL);
}
TEST(fchdir_enters_a_descriptor) {
    char buf[PATH_MAX];
    int here = open(".", O_RDONLY), plain = file("plainfile", "");
    CHECK(here >= 0 && chdir("/") == 0 && getcwd(buf, sizeof buf) && strcmp(buf, "/") == 0 && fchdir(here) == 0);
    CHECK(access("plainfile", F_OK) == 0);
    FAILS(fchdir(plain), ENOTDIR);
    FAILS(fchdir(1000), EBADF);
    close(here), close(plain);
}
TEST(a_removed_working_directory_has_no_path) {
    char buf[PATH_MAX];
    int here = open(".", O_RDONLY);
    CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    int none = getcwd(buf, sizeof buf) == NULL && errno == ENOENT, make = open("x", O_CREAT | O_WRONLY, 0644), e = errno;
    CHECK(fchdir(here) == 0);
    close(here);
    CHECK(none && make == -1 && e == ENOENT);
}
TEST(umask_answers_the_one_before) {
    mode_t old = umask(0137);
    SAME(umask(old), 0137);
    SAME(umask(old), old);
}
TEST(search_permission_is_asked_of_directories) {
    if (geteuid() == 0)
        SKIP("root may do everything");
    CHECK(mkdir("closed", 0755) == 0);
    close(file("closed/f", ""));
    CHECK(chmod("closed", 0600) == 0);
    FAILS(open("closed/f", O_RDONLY), EACCES);
    CHECK(chmod("closed", 0700) == 0);
}
TESTS = {T(mkdir_makes_an_empty_one), T(rmdir_takes_an_empty_one), T(readdir_tells_each_name_once),
         T(readdir_goes_on_while_files_go), T(telldir_and_rewinddir), T(kinds_in_entries), T(scandir_sorts),
         T(chdir_moves_what_relative_paths_mean), T(fchdir_enters_a_descriptor),
         T(a_removed_working_directory_has_no_path), T(umask_answers_the_one_before),
         T(search_permission_is_asked_of_directories), END};
