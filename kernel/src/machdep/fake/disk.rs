//! The fake machine's disks: they remember each write and flush, so that a test can say what a
//! crash at any moment would have left.
//!
//! A [`Disk`] outlives its machine: a test keeps it, crashes it ([`Disk::crashed`]) and gives the
//! result to the next machine.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abi::types::diskctl;
use abi::{Errno, SysResult};

use super::rng::Rng;

/// What survives of a write survives in pieces of this size.
pub const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// What was asked of a disk, in order.
#[derive(Clone)]
pub enum Event {
    Write(u64, Arc<[u8]>),
    Flush,
}

/// The bytes of a disk; what was never written is zero.
#[derive(Clone, Default)]
pub struct Bytes {
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

impl Bytes {
    pub fn read(&self, mut at: u64, mut buf: &mut [u8]) {
        while !buf.is_empty() {
            let (page, from) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let n = buf.len().min(PAGE - from);
            let (head, tail) = buf.split_at_mut(n);
            match self.pages.get(&page) {
                Some(p) => head.copy_from_slice(&p[from..from + n]),
                None => head.fill(0),
            }
            (buf, at) = (tail, at + n as u64);
        }
    }

    pub fn write(&mut self, mut at: u64, mut buf: &[u8]) {
        while !buf.is_empty() {
            let (page, from) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let n = buf.len().min(PAGE - from);
            let p = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(p)[from..from + n].copy_from_slice(&buf[..n]);
            (buf, at) = (&buf[n..], at + n as u64);
        }
    }

    fn truncate(&mut self, len: u64) {
        let gone = self.pages.split_off(&len.div_ceil(PAGE as u64));
        drop(gone);
        if !len.is_multiple_of(PAGE as u64)
            && let Some(p) = self.pages.get_mut(&(len / PAGE as u64))
        {
            Arc::make_mut(p)[(len % PAGE as u64) as usize..].fill(0);
        }
    }

    /// Where it ends.
    pub fn len(&self) -> u64 {
        self.pages.last_key_value().map_or(0, |(p, _)| (p + 1) * PAGE as u64)
    }
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

pub struct State {
    pub bytes: Bytes,
    /// What was there before the first of `log`.
    first: Bytes,
    pub log: Vec<Event>,
    /// Keep `log`.
    pub record: bool,
    pub size: u64,
    /// What the host has room for: writes behind it are ENOSPC.
    pub quota: u64,
    pub read_only: bool,
    /// Reads, writes and flushes so far; those that fail, and how.
    pub calls: u64,
    pub fail: Option<(core::ops::Range<u64>, Errno)>,
    pub reads: u64,
}

/// One disk.
pub struct Disk(Mutex<State>);

impl Disk {
    pub fn new(bytes: Bytes, size: u64) -> Arc<Disk> {
        let state = State {
            first: bytes.clone(),
            bytes,
            log: Vec::new(),
            record: false,
            size,
            quota: u64::MAX,
            read_only: false,
            calls: 0,
            fail: None,
            reads: 0,
        };
        Arc::new(Disk(Mutex::new(state)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a log from now on.
    pub fn record(&self) {
        let mut s = self.state();
        s.first = s.bytes.clone();
        s.log.clear();
        s.record = true;
    }

    /// What is left when the machine stops after `events` of the log: what was flushed by then, and
    /// of what was not, whatever pieces chance keeps.
    pub fn crashed(&self, events: usize, rng: &mut Rng) -> Bytes {
        let s = self.state();
        let mut bytes = s.first.clone();
        let log = &s.log[..events];
        let flushed = log.iter().rposition(|e| matches!(e, Event::Flush)).unwrap_or(0);
        // Often nothing or all of it survives, else each write and each piece for itself.
        let (writes, pieces) = *rng.pick(&[(0, 0), (100, 100), (50, 100), (90, 50), (100, 80), (20, 100)]);
        for (i, e) in log.iter().enumerate() {
            let Event::Write(at, data) = e else { continue };
            if i < flushed {
                bytes.write(*at, data);
                continue;
            }
            if rng.below(100) >= writes {
                continue;
            }
            for (n, piece) in data.chunks(SECTOR).enumerate() {
                if rng.below(100) < pieces {
                    bytes.write(*at + (n * SECTOR) as u64, piece);
                }
            }
        }
        bytes
    }
}

impl State {
    fn may_fail(&mut self) -> SysResult<()> {
        self.calls += 1;
        match &self.fail {
            Some((range, e)) if range.contains(&self.calls) => Err(*e),
            _ => Ok(()),
        }
    }

    pub fn read(&mut self, at: u64, buf: &mut [u8]) -> SysResult<()> {
        self.may_fail()?;
        self.reads += 1;
        self.bytes.read(at, buf);
        Ok(())
    }

    pub fn write(&mut self, at: u64, buf: &[u8]) -> SysResult<()> {
        if self.read_only {
            return Err(Errno::EROFS);
        }
        self.may_fail()?;
        let end = at + buf.len() as u64;
        if end > self.size || end > self.quota && end > self.bytes.len() {
            return Err(Errno::ENOSPC);
        }
        if self.record {
            self.log.push(Event::Write(at, buf.into()));
        }
        self.bytes.write(at, buf);
        Ok(())
    }

    pub fn flush(&mut self) -> SysResult<()> {
        self.may_fail()?;
        if self.record {
            self.log.push(Event::Flush);
        }
        Ok(())
    }

    pub fn ctl(&mut self, cmd: u32, arg: u64) -> SysResult<u64> {
        match cmd {
            diskctl::SIZE => Ok(self.size),
            diskctl::FLAGS => Ok(if self.read_only { diskctl::READ_ONLY as u64 } else { 0 }),
            // A log couldn't say what a crash leaves of this.
            diskctl::TRUNCATE if self.record => Err(Errno::ENOTTY),
            diskctl::TRUNCATE => {
                self.bytes.truncate(arg);
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }
}
