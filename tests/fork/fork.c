// fork in a callback of qsort, in recursion, behind setjmp, and in a child again.
#ifndef NO_JUMPS
#include <setjmp.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((import_module("vkernel"), import_name("fork"))) int fork(void);

static int forks;
static int compare(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    if (++forks % 7 == 0) {
        int pid = fork();
        printf("compare %d %d: %d\n", x, y, pid);
    }
    return x - y;
}

static double depth(int n, double x, long long y) {
    if (n == 0) return fork() ? x : y;
    double sum = x * n + depth(n - 1, x + 0.5, y * 3) + (double)y;
    printf("depth %d %g\n", n, sum);
    return sum;
}

#ifdef NO_JUMPS
static int jumps(int n) { return n; }
#else
static jmp_buf there;
static int jumps(int n) {
    volatile int tries = 0;
    int value = setjmp(there);
    tries++;
    printf("setjmp %d, %d tries\n", value, tries);
    if (value < n) {
        int pid = fork();
        printf("forked %d\n", pid);
        longjmp(there, value + 1);
    }
    return tries;
}
#endif

static void repeat(void) {
    for (int i = 0; i < 3; i++) {
        int pid = fork();
        printf("turn %d: %d\n", i, pid);
        if (pid == 0) continue;
        char *text = malloc(100);
        sprintf(text, "%d of %d", i, pid);
        puts(text);
        free(text);
    }
}

int main(int argc, char **argv) {
    int numbers[] = {5, 2, 9, 1, 7, 3};
    switch (argc > 1 ? argv[1][0] : 'a') {
    case 'q':
        qsort(numbers, 6, sizeof *numbers, compare);
        for (int i = 0; i < 6; i++) printf("%d ", numbers[i]);
        putchar('\n');
        break;
    case 'd':
        printf("%g\n", depth(5, 1, 2));
        break;
    case 'j':
        printf("%d\n", jumps(2));
        break;
    default:
        repeat();
    }
    printf("end of %s\n", argc > 1 ? argv[1] : "all");
    return 0;
}
