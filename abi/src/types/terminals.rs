//! Requests of `ioctl(2)`, and what terminals are asked and told.

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// `ioctl(2)` requests.
pub mod ioctl {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    /// `tcdrain(3)`, and breaks that nobody sees.
    pub const TCSBRK: u32 = 0x5409;
    /// `tcflow(3)`: the action as the argument itself, `termios::TCOOFF` and so on.
    pub const TCXONC: u32 = 0x540a;
    /// `tcflush(3)`: which queue as the argument itself, `termios::TCIFLUSH` and so on.
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCSTI: u32 = 0x5412;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TIOCGSID: u32 = 0x5429;
    /// Of a pty's master: the number in its slave's name.
    pub const TIOCGPTN: u32 = 0x8004_5430;
    /// Of a pty's master: 0 lets others open the slave.
    pub const TIOCSPTLCK: u32 = 0x4004_5431;
    pub const TIOCGPTLCK: u32 = 0x8004_5439;
}

/// `struct termios`: Linux's bits, and its 60 bytes as the C library has it.
pub mod termios {
    pub const SIZE: usize = 60;

    // c_iflag.
    pub const ISTRIP: u32 = 0o40;
    pub const INLCR: u32 = 0o100;
    pub const IGNCR: u32 = 0o200;
    pub const ICRNL: u32 = 0o400;
    pub const IXON: u32 = 0o2000;
    pub const IXANY: u32 = 0o4000;
    pub const IXOFF: u32 = 0o10000;
    pub const IUTF8: u32 = 0o40000;

    // c_oflag.
    pub const OPOST: u32 = 0o1;
    pub const ONLCR: u32 = 0o4;
    pub const OCRNL: u32 = 0o10;
    pub const ONOCR: u32 = 0o20;
    pub const ONLRET: u32 = 0o40;
    /// Tabs become spaces; other delays of TABDLY do nothing.
    pub const TAB3: u32 = 0o14000;

    // c_lflag.
    pub const ISIG: u32 = 0o1;
    pub const ICANON: u32 = 0o2;
    pub const ECHO: u32 = 0o10;
    pub const ECHOE: u32 = 0o20;
    pub const ECHOK: u32 = 0o40;
    pub const ECHONL: u32 = 0o100;
    pub const NOFLSH: u32 = 0o200;
    pub const TOSTOP: u32 = 0o400;
    pub const ECHOCTL: u32 = 0o1000;
    pub const ECHOKE: u32 = 0o4000;
    pub const IEXTEN: u32 = 0o100000;

    // Places in c_cc.
    pub const VINTR: usize = 0;
    pub const VQUIT: usize = 1;
    pub const VERASE: usize = 2;
    pub const VKILL: usize = 3;
    pub const VEOF: usize = 4;
    pub const VTIME: usize = 5;
    pub const VMIN: usize = 6;
    pub const VSTART: usize = 8;
    pub const VSTOP: usize = 9;
    pub const VSUSP: usize = 10;
    pub const VEOL: usize = 11;
    pub const VREPRINT: usize = 12;
    pub const VWERASE: usize = 14;
    pub const VLNEXT: usize = 15;
    pub const VEOL2: usize = 16;

    // tcflow(3).
    pub const TCOOFF: u32 = 0;
    pub const TCOON: u32 = 1;
    pub const TCIOFF: u32 = 2;
    pub const TCION: u32 = 3;
    // tcflush(3).
    pub const TCIFLUSH: u32 = 0;
    pub const TCOFLUSH: u32 = 1;
    pub const TCIOFLUSH: u32 = 2;
}

/// `struct winsize`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Winsize {
    pub rows: u16,
    pub cols: u16,
}

impl Winsize {
    /// With the two pixel fields that nobody fills.
    pub const SIZE: usize = 8;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u16(self.rows).u16(self.cols);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Winsize> {
        let mut r = Reader::new(b);
        Ok(Winsize { rows: r.u16()?, cols: r.u16()? })
    }
}
