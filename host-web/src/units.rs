//! Attached devices: the terminals and pipes that the page opens on the kernel.
//!
//! Each has a block in the control buffer with a ring for what the page has typed and one for what
//! programs have written, so that any CPU can move bytes at once and in order. The page's end is
//! reached by messages: a CPU that has put something into an output ring posts "look" to the page
//! (isolated), or the bytes themselves (not isolated, where the page cannot see the ring).
//!
//! A unit's life: free, attached (by the page), hung up (the page's end is closed), free again when
//! the kernel has said that the session is over and the page has been told.

use abi::Errno;
use abi::types::{devctl, poll};
use js_sys::Uint8Array;

use crate::control::{Control, UNIT_BASE};
use crate::kmem::KernelMemory;

pub const UNITS: u32 = devctl::ATTACHED_MAX;
const HEAD_BYTES: u32 = 256;
const IN_BYTES: u32 = 32 << 10;
const OUT_BYTES: u32 = 64 << 10;
pub const UNIT_BYTES: u32 = 128 << 10;
const COMMAND_BYTES: u32 = UNIT_BYTES - HEAD_BYTES - IN_BYTES - OUT_BYTES;
/// Output that the page has not acknowledged, at most.
const WINDOW: u32 = 256 << 10;

/// Words of a unit's head.
mod at {
    pub const LOCK: u32 = 0;
    /// 0 free, or a `devctl::KIND_`.
    pub const KIND: u32 = 1;
    pub const ROWS: u32 = 2;
    pub const COLS: u32 = 3;
    pub const COMMAND_LEN: u32 = 4;
    /// How much has been put into and taken out of each ring, ever; wraps.
    pub const IN_PUT: u32 = 5;
    pub const IN_TAKEN: u32 = 6;
    pub const OUT_PUT: u32 = 7;
    pub const OUT_TAKEN: u32 = 8;
    /// Output that the page has shown.
    pub const OUT_SHOWN: u32 = 9;
    /// The page sends no more input.
    pub const IN_ENDED: u32 = 10;
    /// The page's end is closed.
    pub const HUNG_UP: u32 = 11;
    /// The kernel waits for room in the output ring.
    pub const WANTS_OUT: u32 = 12;
    /// The page has been told to look and has not looked yet.
    pub const TOLD: u32 = 13;
    /// More input waits than there was room for.
    pub const MORE_IN: u32 = 14;
}

/// All of them.
#[derive(Clone)]
pub struct Units {
    control: Control,
}

/// What the page says of a new one.
pub struct Attach {
    pub kind: u32,
    pub rows: u32,
    pub cols: u32,
    pub command: Vec<u8>,
}

impl Units {
    pub fn new(control: &Control) -> Units {
        Units { control: control.clone() }
    }

    fn base(unit: u32) -> Option<u32> {
        let nr = unit.checked_sub(devctl::ATTACHED_FIRST).filter(|&nr| nr < UNITS)?;
        Some(UNIT_BASE + nr * UNIT_BYTES)
    }
    fn word(&self, base: u32, at: u32) -> u32 {
        self.control.load(base / 4 + at) as u32
    }
    fn set(&self, base: u32, at: u32, value: u32) {
        self.control.store(base / 4 + at, value as i32);
    }
    /// A unit that is attached.
    fn unit(&self, unit: u32) -> Result<u32, Errno> {
        Self::base(unit).filter(|&base| self.word(base, at::KIND) != 0).ok_or(Errno::ENXIO)
    }
    fn locked<R>(&self, base: u32, f: impl FnOnce() -> R) -> R {
        self.control.locked(base / 4 + at::LOCK, f)
    }

    /// False when the unit is taken, or the command too long.
    pub fn attach(&self, unit: u32, how: &Attach) -> bool {
        let Some(base) = Self::base(unit) else { return false };
        if self.word(base, at::KIND) != 0 || how.command.len() as u32 > COMMAND_BYTES {
            return false;
        }
        for word in at::ROWS..=at::MORE_IN {
            self.set(base, word, 0);
        }
        self.set(base, at::ROWS, how.rows);
        self.set(base, at::COLS, how.cols);
        self.set(base, at::COMMAND_LEN, how.command.len() as u32);
        let start = base + HEAD_BYTES + IN_BYTES + OUT_BYTES;
        self.control.bytes().subarray(start, start + how.command.len() as u32).copy_from(&how.command);
        self.set(base, at::KIND, how.kind);
        true
    }

    pub fn resize(&self, unit: u32, rows: u32, cols: u32) {
        if let Ok(base) = self.unit(unit) {
            self.set(base, at::ROWS, rows);
            self.set(base, at::COLS, cols);
        }
    }

    /// What the page typed; answers how much of it there was room for. If not for all, [`Units::read`]
    /// says when to come again.
    pub fn input(&self, unit: u32, bytes: &Uint8Array) -> u32 {
        let Ok(base) = self.unit(unit) else { return bytes.length() };
        self.locked(base, || {
            let put = self.word(base, at::IN_PUT);
            let room = IN_BYTES - put.wrapping_sub(self.word(base, at::IN_TAKEN));
            let n = room.min(bytes.length());
            self.copy_in(base + HEAD_BYTES, IN_BYTES, put, &bytes.subarray(0, n));
            self.set(base, at::IN_PUT, put.wrapping_add(n));
            if n < bytes.length() {
                self.set(base, at::MORE_IN, 1);
            }
            n
        })
    }

    pub fn end_input(&self, unit: u32) {
        if let Ok(base) = self.unit(unit) {
            self.set(base, at::IN_ENDED, 1);
        }
    }

    pub fn hang_up(&self, unit: u32) {
        if let Ok(base) = self.unit(unit) {
            self.set(base, at::HUNG_UP, 1);
            self.set(base, at::IN_ENDED, 1);
        }
    }

    pub fn free(&self, unit: u32) {
        if let Some(base) = Self::base(unit) {
            self.set(base, at::KIND, 0);
        }
    }

    /// Copies into a ring whose counter stands at `at`.
    fn copy_in(&self, ring: u32, size: u32, at: u32, from: &Uint8Array) {
        let (start, n) = (at % size, from.length());
        let first = n.min(size - start);
        let bytes = self.control.bytes();
        bytes.set(&from.subarray(0, first), ring + start);
        if first < n {
            bytes.set(&from.subarray(first, n), ring);
        }
    }

    fn copy_out(&self, ring: u32, size: u32, at: u32, to: &Uint8Array) {
        let (start, n) = (at % size, to.length());
        let first = n.min(size - start);
        let bytes = self.control.bytes();
        to.set(&bytes.subarray(ring + start, ring + start + first), 0);
        if first < n {
            to.set(&bytes.subarray(ring, ring + n - first), first);
        }
    }

    /// `dev_rw` for reading: how much, and whether there is room again for input that waits. EAGAIN
    /// when there is nothing yet, 0 at the end.
    pub fn read(&self, unit: u32, to: &Uint8Array) -> Result<(u32, bool), Errno> {
        let base = self.unit(unit)?;
        self.locked(base, || {
            let taken = self.word(base, at::IN_TAKEN);
            let n = self.word(base, at::IN_PUT).wrapping_sub(taken).min(to.length());
            if n == 0 && to.length() > 0 && self.word(base, at::IN_ENDED) == 0 {
                return Err(Errno::EAGAIN);
            }
            self.copy_out(base + HEAD_BYTES, IN_BYTES, taken, &to.subarray(0, n));
            self.set(base, at::IN_TAKEN, taken.wrapping_add(n));
            Ok((n, self.control.exchange(base / 4 + at::MORE_IN, 0) != 0))
        })
    }

    /// `dev_rw` for writing. EAGAIN when the page is behind.
    pub fn write(&self, unit: u32, from: &Uint8Array) -> Result<u32, Errno> {
        let base = self.unit(unit)?;
        if self.word(base, at::HUNG_UP) != 0 {
            return Err(Errno::EIO);
        }
        self.locked(base, || {
            let n = self.out_room(base).min(from.length());
            if n == 0 && from.length() > 0 {
                self.set(base, at::WANTS_OUT, 1);
                return Err(Errno::EAGAIN);
            }
            let put = self.word(base, at::OUT_PUT);
            self.copy_in(base + HEAD_BYTES + IN_BYTES, OUT_BYTES, put, &from.subarray(0, n));
            self.set(base, at::OUT_PUT, put.wrapping_add(n));
            Ok(n)
        })
    }

    fn out_room(&self, base: u32) -> u32 {
        let put = self.word(base, at::OUT_PUT);
        let ring = OUT_BYTES - put.wrapping_sub(self.word(base, at::OUT_TAKEN));
        let window = WINDOW.saturating_sub(put.wrapping_sub(self.word(base, at::OUT_SHOWN)));
        ring.min(window)
    }

    /// Takes what was written, for the page; `None` when there is nothing.
    pub fn take_output(&self, unit: u32) -> Option<Uint8Array> {
        let base = self.unit(unit).ok()?;
        self.locked(base, || {
            self.set(base, at::TOLD, 0);
            let taken = self.word(base, at::OUT_TAKEN);
            let n = self.word(base, at::OUT_PUT).wrapping_sub(taken);
            if n == 0 {
                return None;
            }
            let out = Uint8Array::new_with_length(n);
            self.copy_out(base + HEAD_BYTES + IN_BYTES, OUT_BYTES, taken, &out);
            self.set(base, at::OUT_TAKEN, taken.wrapping_add(n));
            Some(out)
        })
    }

    /// Whether the page must be told to look: once, until it has looked.
    pub fn tell(&self, unit: u32) -> bool {
        self.unit(unit).is_ok_and(|base| self.control.exchange(base / 4 + at::TOLD, 1) == 0)
    }

    /// The page has shown so many bytes, or taken them out of the ring. True when the kernel waits for that.
    pub fn shown(&self, unit: u32, n: u32) -> bool {
        let Ok(base) = self.unit(unit) else { return false };
        self.locked(base, || {
            let shown = self.word(base, at::OUT_SHOWN);
            // No more than there was, or the window would close for good.
            let n = n.min(self.word(base, at::OUT_PUT).wrapping_sub(shown));
            self.set(base, at::OUT_SHOWN, shown.wrapping_add(n));
            let enough = self.out_room(base) >= OUT_BYTES / 4;
            enough && self.control.exchange(base / 4 + at::WANTS_OUT, 0) != 0
        })
    }

    /// `dev_ctl` but for `EXITED`, which is the machine's.
    pub fn control(&self, unit: u32, cmd: u32, kmem: &KernelMemory, ptr: u32, len: u32) -> Result<u32, Errno> {
        let base = self.unit(unit)?;
        let kind = self.word(base, at::KIND);
        match cmd {
            devctl::KIND => Ok(kind),
            devctl::GET_WINSIZE if kind == devctl::KIND_SCREEN => {
                let (rows, cols) = (self.word(base, at::ROWS) as u16, self.word(base, at::COLS) as u16);
                let size = abi::types::Winsize { rows, cols }.to_bytes();
                kmem.write(ptr, &size[..size.len().min(len as usize)])?;
                Ok(0)
            }
            devctl::SET_RAW if kind == devctl::KIND_SCREEN => Ok(0),
            devctl::GET_WINSIZE | devctl::SET_RAW => Err(Errno::ENOTTY),
            devctl::POLL => {
                let wanted = kmem.read(ptr, len.min(2))?;
                let wanted = wanted.try_into().map_or(0, u16::from_le_bytes);
                Ok(u32::from(self.poll(base, wanted)))
            }
            devctl::COMMAND => {
                let n = self.word(base, at::COMMAND_LEN);
                if n > len {
                    return Err(Errno::ERANGE);
                }
                let start = base + HEAD_BYTES + IN_BYTES + OUT_BYTES;
                kmem.range(ptr, n)?.set(&self.control.bytes().subarray(start, start + n), 0);
                Ok(n)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn poll(&self, base: u32, wanted: u16) -> u16 {
        self.locked(base, || {
            let mut ready = 0;
            let input = self.word(base, at::IN_PUT) != self.word(base, at::IN_TAKEN);
            if input || self.word(base, at::IN_ENDED) != 0 {
                ready |= poll::IN;
            }
            if self.out_room(base) > 0 {
                ready |= poll::OUT;
            } else if wanted & poll::OUT != 0 {
                self.set(base, at::WANTS_OUT, 1);
            }
            if self.word(base, at::HUNG_UP) != 0 {
                ready |= poll::HUP;
            }
            ready & (wanted | poll::HUP)
        })
    }
}
