/* The database of hosts, /etc/hosts; and those of networks and of interfaces, which are empty. */
#include "vk.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIASES 8

/* The next entry with an IPv4 address. */
static struct hostent *next(FILE *file) {
    static char line[512], *names[ALIASES + 1], *list[2];
    static struct in_addr addr;
    static struct hostent h;
    while (file && fgets(line, sizeof line, file)) {
        char *rest = line, *word = line;
        int count = 0;
        line[strcspn(line, "#\n")] = '\0';
        while (count <= ALIASES && (word = strsep(&rest, " \t")))
            if (*word)
                names[count++] = word;
        if (count < 2 || inet_pton(AF_INET, names[0], &addr) != 1)
            continue;
        list[0] = (char *)&addr;
        h = (struct hostent){.h_name = names[1], .h_addrtype = AF_INET, .h_length = sizeof addr, .h_addr_list = list};
        memmove(names, names + 2, (size_t)(count - 2) * sizeof *names);
        names[count - 2] = NULL;
        h.h_aliases = names;
        return &h;
    }
    return NULL;
}

static FILE *database;
void sethostent(int stay) {
    (void)stay;
    endhostent();
}
void endhostent(void) {
    if (database)
        fclose(database);
    database = NULL;
}
struct hostent *gethostent(void) {
    if (!database)
        database = fopen("/etc/hosts", "re");
    return next(database);
}

static int called(const struct hostent *h, const char *name) {
    if (!strcmp(h->h_name, name))
        return 1;
    for (char **alias = h->h_aliases; *alias; alias++)
        if (!strcmp(*alias, name))
            return 1;
    return 0;
}
int __vk_host(const char *name, struct in_addr *addr) {
    struct hostent *h;
    int found = inet_pton(AF_INET, name, addr) == 1, saved = errno;
    if (found)
        return 1;
    FILE *file = fopen("/etc/hosts", "re");
    while (!found && (h = next(file)))
        if ((found = called(h, name)))
            memcpy(addr, h->h_addr, sizeof *addr);
    if (file)
        fclose(file);
    errno = saved;
    if (!found && !strcmp(name, "localhost")) {
        addr->s_addr = htonl(INADDR_LOOPBACK);
        found = 1;
    }
    return found;
}

void setnetent(int stay) {
    (void)stay;
}
void endnetent(void) {
}
struct netent *getnetent(void) {
    return NULL;
}
struct netent *getnetbyname(const char *name) {
    (void)name;
    return NULL;
}
struct netent *getnetbyaddr(uint32_t net, int family) {
    (void)net, (void)family;
    return NULL;
}

unsigned if_nametoindex(const char *name) {
    (void)name;
    errno = ENODEV;
    return 0;
}
char *if_indextoname(unsigned index, char *name) {
    (void)index, (void)name;
    errno = ENXIO;
    return NULL;
}
struct if_nameindex *if_nameindex(void) {
    return calloc(1, sizeof(struct if_nameindex));
}
void if_freenameindex(struct if_nameindex *list) {
    free(list);
}
int getifaddrs(struct ifaddrs **list) {
    *list = NULL;
    return 0;
}
void freeifaddrs(struct ifaddrs *list) {
    (void)list;
}
