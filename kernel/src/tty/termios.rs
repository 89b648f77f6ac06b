//! `struct termios` as `TCGETS` and `TCSETS` carry it: Linux's 60 bytes.
//!
//! `u32 c_iflag, c_oflag, c_cflag, c_lflag`, `u8 c_line`, `u8 c_cc[32]`, 3 bytes of padding,
//! `u32 c_ispeed, c_ospeed`, little-endian.

use abi::types::termios::*;
use abi::wire::{Reader, Writer};

/// `ICRNL | IXON | IUTF8`.
const IFLAG: u32 = ICRNL | IXON | IUTF8;
const OFLAG: u32 = OPOST | ONLCR;
const LFLAG: u32 = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
/// `B38400 | CS8 | CREAD`.
const CFLAG: u32 = 0o17 | 0o60 | 0o200;
/// Code of 38400 baud.
const SPEED: u32 = 0o17;

/// INTR QUIT ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT EOL2.
const CC: [u8; 17] = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0];

/// The settings of a terminal.
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

impl Default for Termios {
    fn default() -> Self {
        let mut cc = [0; 32];
        cc[..CC.len()].copy_from_slice(&CC);
        Termios { iflag: IFLAG, oflag: OFLAG, cflag: CFLAG, lflag: LFLAG, line: 0, cc, speeds: [SPEED; 2] }
    }
}

impl Termios {
    pub fn from_bytes(bytes: &[u8; SIZE]) -> abi::SysResult<Termios> {
        let mut r = Reader::new(bytes);
        let (iflag, oflag, cflag, lflag, line) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u8()?);
        let mut cc = [0; 32];
        cc.copy_from_slice(r.bytes(32)?);
        r.bytes(3)?;
        Ok(Termios { iflag, oflag, cflag, lflag, line, cc, speeds: [r.u32()?, r.u32()?] })
    }
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut t = [0; SIZE];
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
        !self.local(ICANON)
    }
    #[cfg(test)]
    pub fn with_cc(mut self, which: usize, value: u8) -> Termios {
        self.cc[which] = value;
        self
    }
}

#[cfg(test)]
mod tests {
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
