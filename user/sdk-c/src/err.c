/* err(3) and warn(3), which libc.a declares and lacks; secure_getenv(3). */
#include "vk.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char *program_invocation_short_name;

static void say(const char *format, va_list ap, const char *why) {
    fprintf(stderr, "%s: ", program_invocation_short_name ? program_invocation_short_name : "");
    if (format)
        vfprintf(stderr, format, ap);
    fprintf(stderr, "%s%s\n", format && why ? ": " : "", why ? why : "");
}
void vwarn(const char *format, va_list ap) {
    say(format, ap, strerror(errno));
}
void vwarnx(const char *format, va_list ap) {
    say(format, ap, NULL);
}
_Noreturn void verr(int status, const char *format, va_list ap) {
    vwarn(format, ap);
    exit(status);
}
_Noreturn void verrx(int status, const char *format, va_list ap) {
    vwarnx(format, ap);
    exit(status);
}
void warn(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vwarn(format, ap);
    va_end(ap);
}
void warnx(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vwarnx(format, ap);
    va_end(ap);
}
_Noreturn void err(int status, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    verr(status, format, ap);
}
_Noreturn void errx(int status, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    verrx(status, format, ap);
}

char *secure_getenv(const char *name) {
    return issetugid() ? NULL : getenv(name);
}
