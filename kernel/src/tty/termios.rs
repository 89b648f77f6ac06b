//! `struct termios` as `TCGETS` and `TCSETS` carry it: Linux's 60 bytes.
//!
//! `u32 c_iflag, c_oflag, c_cflag, c_lflag`, `u8 c_line`, `u8 c_cc[32]`, 3 bytes of padding,
//! `u32 c_ispeed, c_ospeed`, little-endian.

use abi::wire::Writer;

pub const SIZE: usize = 60;

// Bits of c_lflag.
pub const ISIG: u32 = 0o1;
pub const ICANON: u32 = 0o2;
/// `ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN`.
const ECHOES: u32 = 0o10 | 0o20 | 0o40 | 0o1000 | 0o4000 | 0o100000;

/// `ICRNL | IXON | IUTF8`.
const IFLAG: u32 = 0o400 | 0o2000 | 0o40000;
/// `OPOST | ONLCR`.
const OFLAG: u32 = 0o1 | 0o4;
/// `B38400 | CS8 | CREAD`.
const CFLAG: u32 = 0o17 | 0o60 | 0o200;
/// Code of 38400 baud.
const SPEED: u32 = 0o17;

// Places in c_cc.
pub const VINTR: usize = 0;
pub const VQUIT: usize = 1;
pub const VSUSP: usize = 10;

/// INTR QUIT ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT EOL2.
const CC: [u8; 17] = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0];

/// The settings of a terminal, kept as programs see them.
#[derive(Clone, Copy)]
pub struct Termios(pub [u8; SIZE]);

impl Default for Termios {
    fn default() -> Self {
        let mut t = [0; SIZE];
        Writer::new(&mut t)
            .u32(IFLAG)
            .u32(OFLAG)
            .u32(CFLAG)
            .u32(ISIG | ICANON | ECHOES)
            .u8(0)
            .bytes(&CC)
            .pad(32 - CC.len() + 3)
            .u32(SPEED)
            .u32(SPEED);
        Termios(t)
    }
}

impl Termios {
    pub fn lflag(&self) -> u32 {
        u32::from_le_bytes([self.0[12], self.0[13], self.0[14], self.0[15]])
    }
    /// A control character; 0 is none.
    pub fn cc(&self, which: usize) -> u8 {
        self.0[17 + which]
    }
    /// True when bytes are wanted as they come, not lines.
    pub fn raw(&self) -> bool {
        self.lflag() & ICANON == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_cooked_terminal() {
        let t = Termios::default();
        assert!(!t.raw() && t.lflag() & ISIG != 0);
        assert_eq!((t.cc(VINTR), t.cc(VQUIT), t.cc(VSUSP)), (3, 28, 26));
        assert_eq!(t.0[52..], [15, 0, 0, 0, 15, 0, 0, 0]);
    }
}
