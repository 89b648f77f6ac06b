/*
 * What signals do. A program that links this exports __vk_signal, by which the kernel has handlers called: the loader
 * makes such a program ask now and then whether a signal has come, so others are better off without it.
 */
#include "vk.h"

#include <signal.h>
#include <stdint.h>

VK_CALL(sigaction) int vk_sigaction(uint32_t signal, const void *act, void *old);
VK_CALL(siginfo) int vk_siginfo(void *info);

void __vk_siginfo_from(siginfo_t *info, const unsigned char *raw);
extern uint64_t __vk_ignored_set;

/* abi::types::Sigaction. */
struct action {
    uint32_t handler, flags;
    uint64_t mask;
};

__attribute__((noinline)) static void call(uintptr_t handler, int signal, int with_info) {
    if (!with_info) {
        ((void (*)(int))handler)(signal);
        return;
    }
    unsigned char raw[32];
    vk_siginfo(raw);
    siginfo_t info;
    __vk_siginfo_from(&info, raw);
    ucontext_t context = {0};
    ((void (*)(int, siginfo_t *, void *))handler)(signal, &info, &context);
}

/*
 * Functions that make no calls may use 128 bytes below the stack pointer, and the loader has put calls into them: what is
 * here stays clear of those.
 */
__attribute__((export_name("__vk_signal"))) void __vk_signal(uintptr_t handler, int signal, int with_info) {
    char zone[128];
    __asm__ volatile("" ::"r"(zone));
    call(handler, signal, with_info);
    __asm__ volatile("" ::"r"(zone));
}

int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old) {
    struct action act = {0}, was;
    if (new)
        act = (struct action){(uint32_t)(uintptr_t)new->sa_handler, (uint32_t)new->sa_flags, new->sa_mask.__bits};
    if (vk_ret(vk_sigaction((uint32_t)signal, new ? &act : NULL, &was)) < 0)
        return -1;
    if (new) {
        uint64_t bit = 1ULL << (signal - 1);
        __vk_ignored_set = new->sa_handler == SIG_IGN ? __vk_ignored_set | bit : __vk_ignored_set & ~bit;
    }
    if (old)
        *old = (struct sigaction){.sa_handler = (void (*)(int))(uintptr_t)was.handler, .sa_flags = (int)was.flags,
                                  .sa_mask.__bits = was.mask};
    return 0;
}
void (*signal(int signal, void (*handler)(int)))(int) {
    struct sigaction new = {.sa_handler = handler, .sa_flags = (int)SA_RESTART}, old;
    return sigaction(signal, &new, &old) < 0 ? SIG_ERR : old.sa_handler;
}
int siginterrupt(int signal, int on) {
    struct sigaction a;
    if (sigaction(signal, NULL, &a) < 0)
        return -1;
    a.sa_flags = on ? a.sa_flags & ~SA_RESTART : a.sa_flags | SA_RESTART;
    return sigaction(signal, &a, NULL);
}
int sigignore(int signal) {
    return sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}
