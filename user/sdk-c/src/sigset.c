/* Sets of signals, and their names. */
#include "vk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int wrong(int signal) {
    return signal <= 0 || signal >= NSIG ? vk_ret(-EINVAL) : 0;
}
int sigemptyset(sigset_t *set) {
    set->__bits = 0;
    return 0;
}
int sigfillset(sigset_t *set) {
    set->__bits = ~0ULL;
    return 0;
}
int sigaddset(sigset_t *set, int signal) {
    if (wrong(signal))
        return -1;
    set->__bits |= 1ULL << (signal - 1);
    return 0;
}
int sigdelset(sigset_t *set, int signal) {
    if (wrong(signal))
        return -1;
    set->__bits &= ~(1ULL << (signal - 1));
    return 0;
}
int sigismember(const sigset_t *set, int signal) {
    return wrong(signal) ? -1 : (int)(set->__bits >> (signal - 1) & 1);
}
int sigisemptyset(const sigset_t *set) {
    return set->__bits == 0;
}
int sigorset(sigset_t *to, const sigset_t *a, const sigset_t *b) {
    to->__bits = a->__bits | b->__bits;
    return 0;
}
int sigandset(sigset_t *to, const sigset_t *a, const sigset_t *b) {
    to->__bits = a->__bits & b->__bits;
    return 0;
}

const char *const sys_siglist[NSIG] = {
    "Unknown signal", "Hangup", "Interrupt", "Quit", "Illegal instruction", "Trace/breakpoint trap", "Aborted",
    "Bus error", "Arithmetic exception", "Killed", "User defined signal 1", "Segmentation fault",
    "User defined signal 2", "Broken pipe", "Alarm clock", "Terminated", "Stack fault", "Child process status",
    "Continued", "Stopped (signal)", "Stopped", "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition",
    "CPU time limit exceeded", "File size limit exceeded", "Virtual timer expired", "Profiling timer expired",
    "Window changed", "I/O possible", "Power failure", "Bad system call",
};
char *strsignal(int signal) {
    if (signal >= SIGRTMIN && signal <= SIGRTMAX)
        return (char *)"Real-time signal";
    return (char *)sys_siglist[signal > 0 && signal <= SIGSYS ? signal : 0];
}
void psignal(int signal, const char *what) {
    fprintf(stderr, "%s%s%s\n", what ? what : "", what ? ": " : "", strsignal(signal));
}
void psiginfo(const siginfo_t *info, const char *what) {
    psignal(info->si_signo, what);
}
