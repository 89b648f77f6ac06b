/* stdio.h: WASI's, and what it lacks of POSIX. */
#ifndef _VK_STDIO_H
#define _VK_STDIO_H
/* WASI's header calls these deprecated. */
#define tmpfile __vk_no_tmpfile
#define tmpnam __vk_no_tmpnam
#include_next <stdio.h>
#undef tmpfile
#undef tmpnam
#ifdef __cplusplus
extern "C" {
#endif
#ifndef TMP_MAX
#define TMP_MAX 10000
#endif
#ifndef L_tmpnam
#define L_tmpnam 20
#endif
#ifndef L_ctermid
#define L_ctermid 20
#endif
#define P_tmpdir "/tmp"
FILE *popen(const char *, const char *);
int pclose(FILE *);
FILE *tmpfile(void);
char *tmpnam(char *);
char *tempnam(const char *, const char *);
char *ctermid(char *);
void flockfile(FILE *);
int ftrylockfile(FILE *);
void funlockfile(FILE *);
#ifdef __cplusplus
}
#endif
#endif
