/* setjmp.h: WASI's, made of wasm exceptions, and the forms that keep the signal mask. */
#ifndef _VK_SETJMP_H
#define _VK_SETJMP_H
#include_next <setjmp.h>
#include <__typedef_sigset_t.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef struct {
    jmp_buf __jmp;
    sigset_t __mask;
    int __saved;
} __vk_sigjmp_buf;
/* Not the same as jmp_buf: the mask stands behind it. */
#define sigjmp_buf __vk_sigjmp_buf_1
typedef __vk_sigjmp_buf __vk_sigjmp_buf_1[1];
void __vk_sigsave(__vk_sigjmp_buf *, int);
_Noreturn void __vk_siglongjmp(__vk_sigjmp_buf *, int);
/* The compiler wants to see setjmp itself where it returns twice. */
#define sigsetjmp(env, save) (__vk_sigsave((env), (save)), setjmp((env)[0].__jmp))
#define siglongjmp(env, value) __vk_siglongjmp((env), (value))
#define _setjmp(env) setjmp(env)
#define _longjmp(env, value) longjmp((env), (value))
#ifdef __cplusplus
}
#endif
#endif
