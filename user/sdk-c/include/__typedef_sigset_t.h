/* A set of signals, as the kernel has it: bit n - 1 is signal n. */
#ifndef __wasilibc___typedef_sigset_t_h
#define __wasilibc___typedef_sigset_t_h
typedef struct {
    unsigned long long __bits;
} sigset_t;
#endif
