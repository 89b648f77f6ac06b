/* libtermcap: strings of termcap(5) with numbers in them, and their way to the terminal. */
#include <stdio.h>
#include <string.h>
#include <termcap.h>

/* As long as the strings that tgoto makes: two numbers and some more. */
#define GOTO_MAX 64

/* What `%` means, but for the number itself. `next` is where that stands, and steps on. */
static int number(const char **from, char *to, size_t room, int *values, int *next) {
    char c = *(*from)++;
    int value = *next < 2 ? values[*next] : 0;
    switch (c) {
    case 'd':
        ++*next;
        return snprintf(to, room, "%d", value);
    case '2':
    case '3':
        ++*next;
        return snprintf(to, room, "%0*d", c - '0', value);
    case '+':
    case '.':
        ++*next;
        *to = (char)(value + (c == '+' && **from ? *(*from)++ : 0));
        return 1;
    case '%':
        *to = '%';
        return 1;
    case 'i':
        values[0]++;
        values[1]++;
        return 0;
    case 'r': {
        int first = values[0];
        values[0] = values[1];
        values[1] = first;
        return 0;
    }
    case '>': {
        char above = **from ? *(*from)++ : 0;
        char add = **from ? *(*from)++ : 0;
        if (*next < 2 && value > above)
            values[*next] += add;
        return 0;
    }
    default:
        return -1;
    }
}

/* The string with the row and the column in it; the row comes first, whatever the order here. */
char *tgoto(const char *cap, int column, int row) {
    static char out[GOTO_MAX];
    int values[2] = {row, column}, next = 0;
    char *to = out;
    if (!cap)
        return strcpy(out, "OOPS");
    while (*cap && to < out + GOTO_MAX - 1) {
        if (*cap != '%') {
            *to++ = *cap++;
            continue;
        }
        cap++;
        size_t room = (size_t)(out + GOTO_MAX - to);
        int len = *cap ? number(&cap, to, room, values, &next) : -1;
        if (len < 0 || (size_t)len >= room)
            return strcpy(out, "OOPS");
        to += len;
    }
    *to = 0;
    return out;
}

/* Without the delay at its beginning: no terminal of ours needs one. */
int tputs(const char *text, int lines, int (*put)(int)) {
    (void)lines;
    if (!text)
        return -1;
    text += strspn(text, "0123456789");
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    text += *text == '*';
    while (*text)
        put((unsigned char)*text++);
    return 0;
}
