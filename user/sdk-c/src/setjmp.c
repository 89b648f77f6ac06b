/* The signal mask in sigsetjmp(3); a file of its own, as only programs that use it need wasm exceptions. */
#include "vk.h"

#include <setjmp.h>
#include <signal.h>

void __vk_sigsave(__vk_sigjmp_buf *env, int save) {
    env->__saved = save && sigprocmask(SIG_BLOCK, NULL, &env->__mask) == 0;
}
_Noreturn void __vk_siglongjmp(__vk_sigjmp_buf *env, int value) {
    if (env->__saved)
        sigprocmask(SIG_SETMASK, &env->__mask, NULL);
    longjmp(env->__jmp, value);
}
