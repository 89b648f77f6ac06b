/* sys/ioctl.h: Linux's requests, which are the kernel's. */
#ifndef _SYS_IOCTL_H
#define _SYS_IOCTL_H
#define __NEED_struct_winsize
#include <bits/alltypes.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef __DEFINED_struct_winsize
struct winsize {
    unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};
#define __DEFINED_struct_winsize
#endif
#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540A
#define TCFLSH 0x540B
#define TIOCSCTTY 0x540E
#define TIOCGPGRP 0x540F
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCSTI 0x5412
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIONREAD 0x541B
#define TIOCINQ FIONREAD
#define FIONBIO 0x5421
#define TIOCNOTTY 0x5422
#define TIOCGSID 0x5429
#define TIOCGPTN 0x80045430
#define TIOCSPTLCK 0x40045431
int ioctl(int, int, ...);
#ifdef __cplusplus
}
#endif
#endif
