/* syslog(3): a line of /var/log/messages, where logger(1) ends, too; there is no daemon to listen. Who may not write
   there, and LOG_PERROR, to standard error. */
#include "vk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_FILE "/var/log/messages"

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
/* One write with O_APPEND: lines of others don't get into it. The directory is made by whoever may. */
static int put(const char *line) {
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
    int fd = open(LOG_FILE, flags, 0640);
    if (fd < 0 && errno == ENOENT && mkdir("/var/log", 0755) == 0)
        fd = open(LOG_FILE, flags, 0640);
    if (fd < 0)
        return -1;
    size_t len = strlen(line);
    ssize_t done = write(fd, line, len);
    close(fd);
    return done == (ssize_t)len ? 0 : -1;
}

void vsyslog(int priority, const char *format, va_list ap) {
    char text[1024], tag[128], line[1400], when[32] = "", host[HOST_NAME_MAX + 1] = "";
    time_t now = time(NULL);
    struct tm tm;
    int saved = errno;
    if (!(conf.mask & LOG_MASK(LOG_PRI(priority))))
        return;
    errno = saved; /* for %m */
    vsnprintf(text, sizeof text, format, ap);
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = 0;
    const char *ident = conf.ident ? conf.ident : "program";
    if (conf.options & LOG_PID)
        snprintf(tag, sizeof tag, "%.100s[%d]", ident, (int)getpid());
    else
        snprintf(tag, sizeof tag, "%.100s", ident);
    if (gmtime_r(&now, &tm))
        strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
    gethostname(host, sizeof host);
    snprintf(line, sizeof line, "%s %s %s: %s\n", when, host, tag, text);
    if (put(line) < 0 || conf.options & LOG_PERROR)
        dprintf(STDERR_FILENO, "%s: %s\n", tag, text);
    errno = saved;
}
void syslog(int priority, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsyslog(priority, format, ap);
    va_end(ap);
}
