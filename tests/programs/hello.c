#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
int main(int argc, char **argv) {
    struct stat st;
    FILE *f = fopen("/tmp/out", "w");
    fprintf(f, "%d", 6 * 7);
    fclose(f);
    stat("/tmp/out", &st);
    printf("hello from %s: %d arguments, %ld bytes\n", strrchr(argv[0], '/') + 1, argc, (long)st.st_size);
    return 3;
}
