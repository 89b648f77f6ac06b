/* syslog(3): to standard error, as there is no daemon to listen. */
#include "vk.h"

#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

static struct {
    const char *ident;
    int options, mask;
} conf = {.mask = 0xff};

void openlog(const char *ident, int options, int facility) {
    (void)facility;
    conf.ident = ident;
    conf.options = options;
}
void closelog(void) {
    conf.ident = NULL;
    conf.options = 0;
}
int setlogmask(int mask) {
    int old = conf.mask;
    if (mask)
        conf.mask = mask;
    return old;
}
void vsyslog(int priority, const char *format, va_list ap) {
    char text[1024];
    int saved = errno;
    if (!(conf.mask & LOG_MASK(LOG_PRI(priority))))
        return;
    errno = saved; /* for %m */
    vsnprintf(text, sizeof text, format, ap);
    dprintf(STDERR_FILENO, "%s%s%s\n", conf.ident ? conf.ident : "", conf.ident ? ": " : "", text);
    errno = saved;
}
void syslog(int priority, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsyslog(priority, format, ap);
    va_end(ap);
}
