//! The disk itself, in blocks, and a buffer that gathers writes.

use alloc::vec::Vec;

use abi::types::diskctl;
use abi::{Errno, SysResult};

use super::format::{BLOCK, RUN_HEADER, Sink};
use crate::machdep::MachineRef;

/// One disk of the machine.
#[derive(Clone)]
pub struct Dev {
    pub machine: MachineRef,
    pub unit: u32,
}

fn place(block: u32) -> u64 {
    block as u64 * BLOCK as u64
}

impl Dev {
    /// Whole blocks.
    pub fn read(&self, block: u32, buf: &mut [u8]) -> SysResult<()> {
        self.machine.disk_read(self.unit, place(block), buf)
    }
    pub fn write(&self, block: u32, buf: &[u8]) -> SysResult<()> {
        self.machine.disk_write(self.unit, place(block), buf)
    }
    pub fn flush(&self) -> SysResult<()> {
        self.machine.disk_flush(self.unit)
    }
    /// How many blocks it may have.
    pub fn limit(&self) -> SysResult<u32> {
        let blocks = self.machine.disk_ctl(self.unit, diskctl::SIZE, 0)? / BLOCK as u64;
        Ok(blocks.min(u32::MAX as u64 - 64) as u32)
    }
    pub fn read_only(&self) -> SysResult<bool> {
        Ok(self.machine.disk_ctl(self.unit, diskctl::FLAGS, 0)? & diskctl::READ_ONLY as u64 != 0)
    }
    /// From this block on nothing is needed. Some hosts can't.
    pub fn truncate(&self, block: u32) -> SysResult<()> {
        self.machine.disk_ctl(self.unit, diskctl::TRUNCATE, place(block)).map(|_| ())
    }
}

/// Blocks on their way to the disk: those that stand together go together.
#[derive(Default)]
pub struct Out {
    start: u32,
    buf: Vec<u8>,
    /// Something was written since the last flush.
    pub unflushed: bool,
}

/// Bytes that are gathered at most.
const GATHER: usize = 128 << 10;

impl Out {
    /// Writes `blocks` blocks from `start` on; behind `data` they are zeros. ENOMEM, or the disk's errors,
    /// perhaps of what was put before.
    pub fn put(&mut self, dev: &Dev, start: u32, blocks: u32, data: &[u8]) -> SysResult<()> {
        let bytes = blocks as usize * BLOCK;
        let next = self.start as u64 + (self.buf.len() / BLOCK) as u64;
        if !self.buf.is_empty() && (next != start as u64 || self.buf.len() + bytes > GATHER) {
            self.finish(dev)?;
        }
        if self.buf.is_empty() {
            self.start = start;
            self.buf
                .try_reserve(bytes.max(GATHER))
                .or_else(|_| self.buf.try_reserve(bytes))
                .map_err(|_| Errno::ENOMEM)?;
        }
        self.buf.extend_from_slice(data);
        self.buf.resize(self.buf.len() - data.len() + bytes, 0);
        Ok(())
    }

    /// All that was put is with the host now. After an error nothing is kept.
    pub fn finish(&mut self, dev: &Dev) -> SysResult<()> {
        if self.buf.is_empty() {
            return Ok(());
        }
        self.unflushed = true;
        let done = dev.write(self.start, &self.buf);
        self.buf.clear();
        done
    }

    pub fn flush(&mut self, dev: &Dev) -> SysResult<()> {
        if core::mem::take(&mut self.unflushed) { dev.flush() } else { Ok(()) }
    }
}

/// A snapshot on its way: bytes fill the chain of runs, each behind its header.
pub struct Chain<'a> {
    pub dev: &'a Dev,
    pub out: &'a mut Out,
    /// Those that aren't full.
    runs: &'a [(u32, u32)],
    /// The block that is being filled, and which of the first run it is.
    block: [u8; BLOCK],
    len: usize,
    at: u32,
    pub hash: super::format::Hash,
}

impl<'a> Chain<'a> {
    pub fn new(dev: &'a Dev, out: &'a mut Out, runs: &'a [(u32, u32)], seed: u64) -> Chain<'a> {
        let hash = super::format::Hash::new(seed);
        let mut chain = Chain { dev, out, runs, block: [0; BLOCK], len: 0, at: 0, hash };
        chain.header();
        chain
    }

    fn header(&mut self) {
        let (start, len) = self.runs.get(1).copied().unwrap_or((0, 0));
        self.block[..4].copy_from_slice(&start.to_le_bytes());
        self.block[4..8].copy_from_slice(&len.to_le_bytes());
        self.len = RUN_HEADER;
    }

    fn push(&mut self) -> SysResult<()> {
        let &(start, len) = self.runs.first().ok_or(Errno::EIO)?;
        self.out.put(self.dev, start + self.at, 1, &self.block[..self.len])?;
        self.at += 1;
        self.len = 0;
        if self.at == len {
            (self.runs, self.at) = (&self.runs[1..], 0);
            self.header();
        }
        Ok(())
    }

    pub fn finish(mut self) -> SysResult<u64> {
        if self.len > 0 && !self.runs.is_empty() {
            self.push()?;
        }
        self.out.finish(self.dev)?;
        Ok(self.hash.finish())
    }

    /// Bytes that such runs hold.
    pub fn capacity(runs: &[(u32, u32)]) -> u64 {
        runs.iter().map(|r| r.1 as u64 * BLOCK as u64 - RUN_HEADER as u64).sum()
    }
}

impl Sink for Chain<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> SysResult<()> {
        self.hash.add(bytes);
        while !bytes.is_empty() {
            let n = bytes.len().min(BLOCK - self.len);
            self.block[self.len..self.len + n].copy_from_slice(&bytes[..n]);
            self.len += n;
            bytes = &bytes[n..];
            if self.len == BLOCK {
                self.push()?;
            }
        }
        Ok(())
    }
}
