/* Names of hosts and services, without a resolver: numbers, /etc/hosts and a few services. */
#include "vk.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

int h_errno;

static const struct {
    const char *name;
    int port;
    const char *proto;
} SERVICES[] = {
    {"ftp", 21, "tcp"}, {"ssh", 22, "tcp"},  {"telnet", 23, "tcp"}, {"smtp", 25, "tcp"},
    {"domain", 53, "udp"}, {"http", 80, "tcp"}, {"ntp", 123, "udp"},  {"https", 443, "tcp"},
};
#define SERVICE_COUNT (sizeof SERVICES / sizeof *SERVICES)

static struct servent *service(size_t i) {
    static struct servent s;
    static char *none[] = {NULL};
    s = (struct servent){(char *)SERVICES[i].name, none, htons((uint16_t)SERVICES[i].port), (char *)SERVICES[i].proto};
    return &s;
}
static size_t next_service, next_protocol;
void setservent(int stay) {
    (void)stay;
    next_service = 0;
}
void endservent(void) {
    next_service = 0;
}
struct servent *getservent(void) {
    return next_service < SERVICE_COUNT ? service(next_service++) : NULL;
}
struct servent *getservbyname(const char *name, const char *proto) {
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (!strcmp(name, SERVICES[i].name) && (!proto || !strcmp(proto, SERVICES[i].proto)))
            return service(i);
    return NULL;
}
struct servent *getservbyport(int port, const char *proto) {
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (ntohs((uint16_t)port) == SERVICES[i].port && (!proto || !strcmp(proto, SERVICES[i].proto)))
            return service(i);
    return NULL;
}

static const struct {
    char *name;
    int number;
} PROTOCOLS[] = {{"ip", 0}, {"icmp", 1}, {"tcp", 6}, {"udp", 17}};
#define PROTOCOL_COUNT (sizeof PROTOCOLS / sizeof *PROTOCOLS)

static struct protoent *protocol(size_t i) {
    static struct protoent p;
    static char *none[] = {NULL};
    p = (struct protoent){PROTOCOLS[i].name, none, PROTOCOLS[i].number};
    return &p;
}
void setprotoent(int stay) {
    (void)stay;
    next_protocol = 0;
}
void endprotoent(void) {
    next_protocol = 0;
}
struct protoent *getprotoent(void) {
    return next_protocol < PROTOCOL_COUNT ? protocol(next_protocol++) : NULL;
}
struct protoent *getprotobyname(const char *name) {
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (!strcmp(name, PROTOCOLS[i].name))
            return protocol(i);
    return NULL;
}
struct protoent *getprotobynumber(int number) {
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (number == PROTOCOLS[i].number)
            return protocol(i);
    return NULL;
}

struct hostent *gethostbyname(const char *name) {
    static struct in_addr addr;
    static char *list[2], *none[] = {NULL}, kept[256];
    static struct hostent h;
    if (!__vk_host(name, &addr)) {
        h_errno = HOST_NOT_FOUND;
        return NULL;
    }
    strlcpy(kept, name, sizeof kept);
    list[0] = (char *)&addr;
    h = (struct hostent){kept, none, AF_INET, sizeof addr, list};
    return &h;
}

static int port_of(const char *service, int flags, uint16_t *port) {
    if (!service)
        return 0;
    char *end;
    unsigned long n = strtoul(service, &end, 10);
    if (*service && !*end && n <= 65535) {
        *port = htons((uint16_t)n);
        return 0;
    }
    struct servent *s = flags & AI_NUMERICSERV ? NULL : getservbyname(service, NULL);
    if (!s)
        return EAI_SERVICE;
    *port = (uint16_t)s->s_port;
    return 0;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict result) {
    struct {
        struct addrinfo info;
        struct sockaddr_in addr;
    } *a;
    int flags = hints ? hints->ai_flags : 0, family = hints ? hints->ai_family : AF_UNSPEC;
    struct in_addr addr = {htonl(flags & AI_PASSIVE ? INADDR_ANY : INADDR_LOOPBACK)};
    uint16_t port = 0;
    if (!node && !service)
        return EAI_NONAME;
    if (family != AF_UNSPEC && family != AF_INET)
        return EAI_FAMILY;
    if (node && flags & AI_NUMERICHOST && inet_pton(AF_INET, node, &addr) != 1)
        return EAI_NONAME;
    if (node && !__vk_host(node, &addr))
        return EAI_AGAIN;
    int wrong = port_of(service, flags, &port);
    if (wrong)
        return wrong;
    if (!(a = calloc(1, sizeof *a)))
        return EAI_MEMORY;
    a->addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = addr};
    a->info = (struct addrinfo){.ai_family = AF_INET,
                                .ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM,
                                .ai_protocol = hints ? hints->ai_protocol : 0,
                                .ai_addrlen = sizeof a->addr,
                                .ai_addr = (struct sockaddr *)&a->addr};
    *result = &a->info;
    return 0;
}
void freeaddrinfo(struct addrinfo *a) {
    free(a);
}

int getnameinfo(const struct sockaddr *restrict sa, socklen_t len, char *restrict node, socklen_t node_len,
                char *restrict service, socklen_t service_len, int flags) {
    const struct sockaddr_in *in = (const void *)sa;
    if (len < sizeof *in || sa->sa_family != AF_INET)
        return EAI_FAMILY;
    if (node && node_len) {
        if (flags & NI_NAMEREQD)
            return EAI_NONAME;
        if (!inet_ntop(AF_INET, &in->sin_addr, node, node_len))
            return EAI_OVERFLOW;
    }
    if (service && service_len && (socklen_t)snprintf(service, service_len, "%d", ntohs(in->sin_port)) >= service_len)
        return EAI_OVERFLOW;
    return 0;
}

const char *gai_strerror(int code) {
    static const char *const text[] = {"Success", "Bad flags", "Name does not resolve", "Try again", "Failure",
                                       "No address", "Address family not supported", "Socket type not supported",
                                       "Unknown service", "Unknown error", "Out of memory", "System error", "Overflow"};
    return code > 0 || code < -12 ? "Unknown error" : text[-code];
}
const char *hstrerror(int code) {
    return code == HOST_NOT_FOUND ? "Host not found" : code == TRY_AGAIN ? "Try again" : "Unknown error";
}
void herror(const char *what) {
    fprintf(stderr, "%s%s%s\n", what ? what : "", what ? ": " : "", hstrerror(h_errno));
}
