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

/// Linux's bits of `struct termios`, and places in it. `TCGETS` and `TCSETS` carry it as the C library has it: `u32 c_iflag, c_oflag, c_cflag, c_lflag`,
/// `u8 c_line`, `u8 c_cc[32]`, 3 bytes of padding, `u32 c_ispeed, c_ospeed`.
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

/// Code of 38400 baud.
const SPEED: u32 = 0o17;

/// INTR QUIT ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT EOL2.
const CC: [u8; 17] = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0];

/// `struct termios`: the settings of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; 32],
    pub speeds: [u32; 2],
}

/// A terminal that edits lines, echoes and sends signals, as one is found.
impl Default for Termios {
    fn default() -> Self {
        use termios::*;
        const CS8: u32 = 0o60;
        const CREAD: u32 = 0o200;
        let mut cc = [0; 32];
        cc[..CC.len()].copy_from_slice(&CC);
        Termios {
            iflag: ICRNL | IXON | IUTF8,
            oflag: OPOST | ONLCR,
            cflag: SPEED | CS8 | CREAD,
            lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            line: 0,
            cc,
            speeds: [SPEED; 2],
        }
    }
}

impl Termios {
    pub fn from_bytes(bytes: &[u8]) -> SysResult<Termios> {
        let mut r = Reader::new(bytes);
        let (iflag, oflag, cflag, lflag, line) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u8()?);
        let mut cc = [0; 32];
        cc.copy_from_slice(r.bytes(32)?);
        r.bytes(3)?;
        Ok(Termios { iflag, oflag, cflag, lflag, line, cc, speeds: [r.u32()?, r.u32()?] })
    }
    pub fn to_bytes(self) -> [u8; termios::SIZE] {
        let mut t = [0; termios::SIZE];
        Writer::new(&mut t)
            .u32(self.iflag)
            .u32(self.oflag)
            .u32(self.cflag)
            .u32(self.lflag)
            .u8(self.line)
            .bytes(&self.cc)
            .pad(3)
            .u32(self.speeds[0])
            .u32(self.speeds[1]);
        t
    }

    pub fn input(&self, flag: u32) -> bool {
        self.iflag & flag != 0
    }
    pub fn output(&self, flag: u32) -> bool {
        self.oflag & flag != 0
    }
    pub fn local(&self, flag: u32) -> bool {
        self.lflag & flag != 0
    }
    /// A control character's place in `c_cc`; 0 there is none.
    pub fn cc(&self, which: usize) -> u8 {
        self.cc[which]
    }
    /// True when the byte is that control character.
    pub fn is(&self, byte: u8, which: usize) -> bool {
        byte != 0 && self.cc[which] == byte
    }
    /// True when bytes are wanted as they come, not lines.
    pub fn raw(&self) -> bool {
        !self.local(termios::ICANON)
    }
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

#[cfg(test)]
mod tests {
    use super::termios::*;
    use super::*;

    #[test]
    fn the_default_is_a_cooked_terminal() {
        let t = Termios::default();
        assert!(!t.raw() && t.local(ISIG));
        assert_eq!((t.cc(VINTR), t.cc(VQUIT), t.cc(VSUSP)), (3, 28, 26));
        assert_eq!(t.to_bytes()[52..], [15, 0, 0, 0, 15, 0, 0, 0]);
    }

    #[test]
    fn settings_come_back_as_they_were_given() {
        let mut bytes: [u8; SIZE] = core::array::from_fn(|i| i as u8 + 1);
        bytes[49..52].fill(0);
        assert_eq!(Termios::from_bytes(&bytes).map(Termios::to_bytes), Ok(bytes));
    }
}
