/*
 * libtermcap: termcap(5), for programs that draw on terminals.
 *
 * An entry is looked for in $TERMCAP, in /etc/termcap, and last among those in here, which are for the
 * terminals that this system is used from: xterm and what calls itself by other names and obeys xterm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termcap.h>

/* As long as an entry may be: the size of the buffer that programs give tgetent. */
#define ENTRY_MAX 1024
/* How often an entry may say `tc=`, the rest is in that one. */
#define TC_DEPTH 8

char PC, *UP, *BC;
short ospeed;

static const char *const builtin[] = {
    "dumb|unknown:am:co#80:bl=^G:cr=^M:do=^J:sf=^J:",
    /* What ECMA-48 has, and keys without the numeric pad's mode. */
    "ansi|pcansi:am:mi:ms:co#80:li#24:it#8:Co#8:pa#64:bl=^G:cr=^M:do=^J:sf=^J:le=^H:bs:ta=^I:"
    "nd=\\E[C:up=\\E[A:ho=\\E[H:cl=\\E[H\\E[2J:ce=\\E[K:cd=\\E[J:cm=\\E[%i%d;%dH:"
    "al=\\E[L:dl=\\E[M:dc=\\E[P:so=\\E[7m:se=\\E[27m:us=\\E[4m:ue=\\E[24m:md=\\E[1m:mr=\\E[7m:mb=\\E[5m:me=\\E[m:"
    "AF=\\E[3%dm:AB=\\E[4%dm:op=\\E[39;49m:kb=^H:ku=\\E[A:kd=\\E[B:kr=\\E[C:kl=\\E[D:kh=\\E[H:@7=\\E[F:",
    "vt100|vt102|vt220|linux:am:mi:ms:xn:co#80:li#24:it#8:Co#8:pa#64:bl=^G:cr=^M:do=^J:sf=^J:le=^H:bs:ta=^I:"
    "nd=\\E[C:up=\\E[A:ho=\\E[H:cl=\\E[H\\E[2J:ce=\\E[K:cd=\\E[J:cm=\\E[%i%d;%dH:cs=\\E[%i%d;%dr:sr=\\EM:"
    "sc=\\E7:rc=\\E8:so=\\E[7m:se=\\E[27m:us=\\E[4m:ue=\\E[24m:md=\\E[1m:mr=\\E[7m:mb=\\E[5m:me=\\E[m:"
    "AF=\\E[3%dm:AB=\\E[4%dm:op=\\E[39;49m:"
    "ks=\\E[?1h\\E=:ke=\\E[?1l\\E>:kb=^?:ku=\\EOA:kd=\\EOB:kr=\\EOC:kl=\\EOD:kh=\\E[1~:@7=\\E[4~:"
    "kI=\\E[2~:kD=\\E[3~:kP=\\E[5~:kN=\\E[6~:",
    "xterm:am:km:mi:ms:xn:ut:co#80:li#24:it#8:Co#8:pa#64:bl=^G:cr=^M:do=^J:sf=^J:le=^H:bs:ta=^I:bt=\\E[Z:"
    "nd=\\E[C:up=\\E[A:ho=\\E[H:cl=\\E[H\\E[2J:ce=\\E[K:cd=\\E[J:cm=\\E[%i%d;%dH:ch=\\E[%i%dG:cs=\\E[%i%d;%dr:"
    "sr=\\EM:SF=\\E[%dS:SR=\\E[%dT:al=\\E[L:AL=\\E[%dL:dl=\\E[M:DL=\\E[%dM:IC=\\E[%d@:dc=\\E[P:DC=\\E[%dP:"
    "im=\\E[4h:ei=\\E[4l:ec=\\E[%dX:UP=\\E[%dA:DO=\\E[%dB:RI=\\E[%dC:LE=\\E[%dD:sc=\\E7:rc=\\E8:"
    "so=\\E[7m:se=\\E[27m:us=\\E[4m:ue=\\E[24m:md=\\E[1m:mh=\\E[2m:mr=\\E[7m:mb=\\E[5m:me=\\E[m:"
    "ZH=\\E[3m:ZR=\\E[23m:AF=\\E[3%dm:AB=\\E[4%dm:op=\\E[39;49m:ti=\\E[?1049h:te=\\E[?1049l:"
    "vi=\\E[?25l:ve=\\E[?25h:ks=\\E[?1h\\E=:ke=\\E[?1l\\E>:kb=^?:kB=\\E[Z:"
    "ku=\\EOA:kd=\\EOB:kr=\\EOC:kl=\\EOD:kh=\\EOH:@7=\\EOF:kI=\\E[2~:kD=\\E[3~:kP=\\E[5~:kN=\\E[6~:"
    "k1=\\EOP:k2=\\EOQ:k3=\\EOR:k4=\\EOS:",
    "xterm-256color|screen-256color|tmux-256color|alacritty|foot:Co#256:AF=\\E[38;5;%dm:AB=\\E[48;5;%dm:tc=xterm:",
    "screen|tmux|rxvt|xterm-color:tc=xterm:",
};

/* The entry in use, without its names: capabilities, a colon before and behind each. */
static char entry[ENTRY_MAX];

/* Is `name` one of those at the beginning of this entry? */
static int is_called(const char *text, const char *name) {
    size_t len = strlen(name);
    while (*text && *text != ':') {
        size_t word = strcspn(text, "|:");
        if (word == len && memcmp(text, name, len) == 0)
            return 1;
        text += word + (text[word] == '|');
    }
    return 0;
}

/* Reads an entry of a file, whose lines may end with a backslash. 1 when there is one. */
static int from_file(const char *path, const char *name, char *to) {
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    char line[ENTRY_MAX];
    size_t have = 0;
    int found = 0;
    while (!found && fgets(line, sizeof line, f)) {
        size_t len = strcspn(line, "\n");
        int more = len > 0 && line[len - 1] == '\\';
        if (have == 0 && line[0] == '#')
            continue;
        /* What goes on on the next line begins with white space there. */
        const char *from = have ? line + strspn(line, " \t") : line;
        len -= (size_t)(from - line) + (size_t)more;
        if (len > ENTRY_MAX - 1 - have)
            len = ENTRY_MAX - 1 - have;
        memcpy(to + have, from, len);
        have += len;
        to[have] = 0;
        if (!more) {
            found = is_called(to, name);
            have = 0;
        }
    }
    fclose(f);
    return found;
}

static int find(const char *name, char *to) {
    const char *env = getenv("TERMCAP");
    if (env && *env && *env != '/' && is_called(env, name)) {
        snprintf(to, ENTRY_MAX, "%s", env);
        return 1;
    }
    if (from_file(env && *env == '/' ? env : "/etc/termcap", name, to))
        return 1;
    for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
        if (is_called(builtin[i], name)) {
            snprintf(to, ENTRY_MAX, "%s", builtin[i]);
            return 1;
        }
    }
    return 0;
}

/* 1 when the terminal is known, 0 when it isn't. `buffer` gets the entry, too, for whom that is enough. */
int tgetent(char *buffer, const char *name) {
    char want[64], text[ENTRY_MAX];
    snprintf(want, sizeof want, "%s", name);
    size_t have = 0;
    entry[0] = 0;
    for (int depth = 0; depth < TC_DEPTH; depth++) {
        if (!find(want, text))
            return 0;
        /* The first that says something about a capability is right. */
        const char *caps = text + strcspn(text, ":");
        const char *tc = strstr(caps, ":tc=");
        size_t len = tc ? (size_t)(tc - caps) + 1 : strlen(caps);
        if (len > sizeof entry - 1 - have)
            len = sizeof entry - 1 - have;
        memcpy(entry + have, caps, len);
        have += len;
        entry[have] = 0;
        if (!tc)
            break;
        snprintf(want, sizeof want, "%.*s", (int)strcspn(tc + 4, ":"), tc + 4);
    }
    if (buffer)
        strcpy(buffer, entry);
    return 1;
}

/* What stands behind the two characters of a capability, or null; `x@` says that there is no x. */
static const char *capability(const char *id) {
    if (!id[0] || !id[1])
        return NULL;
    for (const char *at = entry; (at = strchr(at, ':')); ) {
        at++;
        if (at[0] == id[0] && at[1] == id[1] && at[2])
            return at[2] == '@' ? NULL : at + 2;
    }
    return NULL;
}

int tgetflag(const char *id) {
    const char *is = capability(id);
    return is && *is == ':';
}

int tgetnum(const char *id) {
    const char *is = capability(id);
    return is && *is == '#' ? (int)strtol(is + 1, NULL, 0) : -1;
}

/* One character of an entry, and where the next begins. */
static char decode(const char **from) {
    static const char names[] = "Enrtbfa", are[] = "\033\n\r\t\b\f\a";
    const char *s = *from;
    char c = *s++;
    if (c == '^' && *s && *s != ':') {
        c = *s == '?' ? '\177' : (char)(*s & 31);
        s++;
    } else if (c == '\\' && *s) {
        const char *name = strchr(names, *s);
        if (*s >= '0' && *s <= '7') {
            int value = 0;
            for (int i = 0; i < 3 && *s >= '0' && *s <= '7'; i++)
                value = value * 8 + *s++ - '0';
            /* A string can't hold a zero; terminals that want one take 128 as well. */
            c = (char)(value ? value : 128);
        } else {
            c = name ? are[name - names] : *s;
            s++;
        }
    }
    *from = s;
    return c;
}

/* The string, in the caller's buffer if there is one, else in memory that stays. */
char *tgetstr(const char *id, char **area) {
    const char *is = capability(id);
    if (!is || *is != '=')
        return NULL;
    is++;
    char *start = area && *area ? *area : malloc(strcspn(is, ":") + 1);
    if (!start)
        return NULL;
    char *to = start;
    while (*is && *is != ':')
        *to++ = decode(&is);
    *to++ = 0;
    if (area && *area)
        *area = to;
    return start;
}
