//! What stands on the disk.
//!
//! Blocks of 4 KiB. Blocks 0 and 1 are two superblocks, of which the valid one of the higher
//! generation counts; it names a *snapshot*, which is all metadata as a sequence of [`Record`]s, and
//! so that it fits into whatever is free, a chain of runs of blocks. The snapshot's first record names
//! the *journal*, a run of blocks with what was changed since: batches of records, each with a
//! generation, a number and a hash, up to the first that isn't valid. Which blocks are free is
//! written nowhere: it is those that nothing refers to. Blocks 2 to 15 are never written, so that a disk
//! whose first 64 KiB are zeros was never used by us, nor by anything else that is known.

use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

pub const BLOCK: usize = 4096;
/// The first block that is not reserved.
pub const FIRST: u32 = 16;
pub const MAGIC: &[u8; 8] = b"vkdiskfs";
pub const VERSION: u32 = 1;
/// A superblock is one sector, so that a crash leaves all of it or nothing.
pub const SUPER: usize = 512;
const SUPER_HASHED: usize = SUPER - 8;
/// In front of each run of a snapshot: start and length of the next one.
pub const RUN_HEADER: usize = 8;
/// In front of each batch in the journal.
pub const BATCH_HEADER: usize = 56;
const BATCH_MAGIC: &[u8; 8] = b"vkbatch\x01";
/// The inode of the root directory.
pub const ROOT: u64 = 1;
/// A record without its strings and extents takes less.
pub const RECORD_MAX: usize = 80;
pub const EXTENT_SIZE: usize = 16;

/// One hash over pieces of bytes; not for secrets. Each step is a bijection of the state and of the
/// word, so a change within one word is always seen.
#[derive(Clone, Copy)]
pub struct Hash {
    state: u64,
    len: u64,
    /// Bytes that don't make a word yet.
    tail: [u8; 8],
}

impl Hash {
    pub fn new(seed: u64) -> Hash {
        Hash { state: seed ^ 0x9e37_79b9_7f4a_7c15, len: 0, tail: [0; 8] }
    }
    fn word(&mut self, w: u64) {
        self.state = (self.state ^ w).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
    }
    pub fn add(&mut self, mut bytes: &[u8]) {
        let have = (self.len % 8) as usize;
        self.len += bytes.len() as u64;
        if have > 0 {
            let n = bytes.len().min(8 - have);
            self.tail[have..have + n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if have + n < 8 {
                return;
            }
            self.word(u64::from_le_bytes(self.tail));
        }
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|w| self.word(u64::from_le_bytes(*w)));
        self.tail[..rest.len()].copy_from_slice(rest);
    }
    pub fn finish(mut self) -> u64 {
        let have = (self.len % 8) as usize;
        self.tail[have..].fill(0);
        self.word(u64::from_le_bytes(self.tail));
        let len = self.len;
        self.word(len);
        self.state ^ self.state >> 29
    }
}

pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut h = Hash::new(seed);
    h.add(bytes);
    h.finish()
}

/// A superblock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Super {
    pub generation: u64,
    /// Random: what another file system left on the same disk is never taken for ours.
    pub id: u64,
    /// The snapshot's length without the headers of its runs, its hash, and its first run.
    pub bytes: u64,
    pub hash: u64,
    pub start: u32,
    pub len: u32,
}

/// What a superblock's place holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    Zero,
    Valid(Super),
    /// One of ours, of a version that this kernel doesn't know.
    Version(u32),
    Other,
}

impl Super {
    pub fn encode(&self) -> [u8; SUPER] {
        let mut out = [0; SUPER];
        let mut w = Writer::new(&mut out);
        w.bytes(MAGIC).u32(VERSION).u32(BLOCK as u32).u64(self.generation).u64(self.id);
        w.u64(self.bytes).u64(self.hash).u32(self.start).u32(self.len);
        let h = hash(0, &out[..SUPER_HASHED]);
        out[SUPER_HASHED..].copy_from_slice(&h.to_le_bytes());
        out
    }

    /// Of what stands in a superblock's place.
    pub fn decode(bytes: &[u8]) -> SysResult<Slot> {
        if bytes.iter().all(|&b| b == 0) {
            return Ok(Slot::Zero);
        }
        let mut r = Reader::new(bytes);
        if r.bytes(8)? != MAGIC || hash(0, &bytes[..SUPER_HASHED]) != Reader::new(&bytes[SUPER_HASHED..]).u64()? {
            return Ok(Slot::Other);
        }
        let (version, block) = (r.u32()?, r.u32()?);
        if version != VERSION || block != BLOCK as u32 {
            return Ok(Slot::Version(version));
        }
        let (generation, id, bytes, hash) = (r.u64()?, r.u64()?, r.u64()?, r.u64()?);
        Ok(Slot::Valid(Super { generation, id, bytes, hash, start: r.u32()?, len: r.u32()? }))
    }
}

/// What stands in front of a batch.
pub struct Batch {
    pub generation: u64,
    pub id: u64,
    pub seq: u64,
    pub bytes: u32,
}

impl Batch {
    /// Blocks of the journal that a batch of so many bytes takes.
    pub fn blocks(bytes: usize) -> u32 {
        (bytes + BATCH_HEADER).div_ceil(BLOCK) as u32
    }
    fn seed(&self) -> u64 {
        self.generation.rotate_left(32) ^ self.id ^ self.seq.rotate_left(16) ^ self.bytes as u64
    }
    pub fn encode(&self, payload: &[u8]) -> [u8; BATCH_HEADER] {
        let mut out = [0; BATCH_HEADER];
        let h = hash(self.seed(), payload);
        Writer::new(&mut out)
            .bytes(BATCH_MAGIC)
            .u64(self.generation)
            .u64(self.id)
            .u64(self.seq)
            .u32(self.bytes)
            .pad(4)
            .u64(h);
        let own = hash(1, &out[..BATCH_HEADER - 8]);
        out[BATCH_HEADER - 8..].copy_from_slice(&own.to_le_bytes());
        out
    }
    /// The header, and the hash that its payload must have; None when it isn't one.
    pub fn decode(bytes: &[u8]) -> Option<(Batch, u64)> {
        let head = bytes.get(..BATCH_HEADER)?;
        let mut r = Reader::new(head);
        if r.bytes(8).ok()? != BATCH_MAGIC {
            return None;
        }
        let (generation, id, seq, bytes) = (r.u64().ok()?, r.u64().ok()?, r.u64().ok()?, r.u32().ok()?);
        let _ = r.u32().ok()?;
        let want = r.u64().ok()?;
        let own = r.u64().ok()?;
        (own == hash(1, &head[..BATCH_HEADER - 8])).then_some((Batch { generation, id, seq, bytes }, want))
    }
    pub fn matches(&self, payload: &[u8], want: u64) -> bool {
        hash(self.seed(), payload) == want
    }
}

/// A run of blocks of a file: `len` blocks from block `at` of the file on stand from block `disk` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    pub at: u64,
    pub disk: u32,
    pub len: u32,
}

/// What a snapshot and a journal are made of. Records are read in order; each says what was done, or
/// what is so from then on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// The first of a snapshot: where the journal is.
    Head {
        start: u32,
        len: u32,
    },
    /// A new file and its first name.
    Make {
        dir: u64,
        ino: u64,
        mode: u32,
        uid: u32,
        gid: u32,
        rdev: u64,
        birth_ns: i64,
        name: &'a [u8],
        target: &'a [u8],
    },
    Link {
        dir: u64,
        ino: u64,
        name: &'a [u8],
    },
    /// Of a file or of an empty directory.
    Unlink {
        dir: u64,
        name: &'a [u8],
    },
    Rename {
        from: u64,
        to: u64,
        flags: u32,
        old: &'a [u8],
        new: &'a [u8],
    },
    Inode {
        ino: u64,
        mode: u32,
        uid: u32,
        gid: u32,
        size: u64,
        atime_ns: i64,
        mtime_ns: i64,
        ctime_ns: i64,
    },
    /// From block `from` on up to `to` the file is in these extents, each as `EXTENT_SIZE` bytes, and
    /// nowhere else.
    Map {
        ino: u64,
        from: u64,
        to: u64,
        extents: &'a [u8],
    },
}

/// Where records go.
pub trait Sink {
    /// ENOMEM, or an error of the disk.
    fn put(&mut self, bytes: &[u8]) -> SysResult<()>;
    /// For tests: the next file has so many blocks.
    #[cfg(test)]
    fn blocks(&mut self, _n: u64) {}
}

impl Sink for alloc::vec::Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> SysResult<()> {
        self.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Counts.
#[derive(Default)]
pub struct Length(pub u64);
impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) -> SysResult<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
}

impl Extent {
    pub fn encode(&self) -> [u8; EXTENT_SIZE] {
        let mut out = [0; EXTENT_SIZE];
        Writer::new(&mut out).u64(self.at).u32(self.disk).u32(self.len);
        out
    }
    pub fn decode(r: &mut Reader<'_>) -> SysResult<Extent> {
        Ok(Extent { at: r.u64()?, disk: r.u32()?, len: r.u32()? })
    }
}

impl<'a> Record<'a> {
    pub fn encode(&self, to: &mut dyn Sink) -> SysResult<()> {
        let mut fixed = [0; RECORD_MAX];
        let mut w = Writer::new(&mut fixed);
        let strings: [&[u8]; 2] = match *self {
            Record::Head { start, len } => {
                w.u8(1).u32(start).u32(len);
                [&[], &[]]
            }
            Record::Make { dir, ino, mode, uid, gid, rdev, birth_ns, name, target } => {
                w.u8(2).u64(dir).u64(ino).u32(mode).u32(uid).u32(gid).u64(rdev).i64(birth_ns);
                w.u8(name.len() as u8).u32(target.len() as u32);
                [name, target]
            }
            Record::Link { dir, ino, name } => {
                w.u8(3).u64(dir).u64(ino).u8(name.len() as u8);
                [name, &[]]
            }
            Record::Unlink { dir, name } => {
                w.u8(4).u64(dir).u8(name.len() as u8);
                [name, &[]]
            }
            Record::Rename { from, to, flags, old, new } => {
                w.u8(5).u64(from).u64(to).u32(flags).u8(old.len() as u8).u8(new.len() as u8);
                [old, new]
            }
            Record::Inode { ino, mode, uid, gid, size, atime_ns, mtime_ns, ctime_ns } => {
                w.u8(6).u64(ino).u32(mode).u32(uid).u32(gid).u64(size).i64(atime_ns).i64(mtime_ns).i64(ctime_ns);
                [&[], &[]]
            }
            Record::Map { ino, from, to, extents } => {
                w.u8(7).u64(ino).u64(from).u64(to).u32((extents.len() / EXTENT_SIZE) as u32);
                [extents, &[]]
            }
        };
        let n = w.len();
        to.put(&fixed[..n])?;
        strings.iter().try_for_each(|s| to.put(s))
    }

    pub fn decode(r: &mut Reader<'a>) -> SysResult<Record<'a>> {
        Ok(match r.u8()? {
            1 => Record::Head { start: r.u32()?, len: r.u32()? },
            2 => {
                let (dir, ino, mode, uid, gid) = (r.u64()?, r.u64()?, r.u32()?, r.u32()?, r.u32()?);
                let (rdev, birth_ns, name, target) = (r.u64()?, r.i64()?, r.u8()?, r.u32()?);
                let (name, target) = (r.bytes(name.into())?, r.bytes(target as usize)?);
                Record::Make { dir, ino, mode, uid, gid, rdev, birth_ns, name, target }
            }
            3 => {
                let (dir, ino, name) = (r.u64()?, r.u64()?, r.u8()?);
                Record::Link { dir, ino, name: r.bytes(name.into())? }
            }
            4 => {
                let (dir, name) = (r.u64()?, r.u8()?);
                Record::Unlink { dir, name: r.bytes(name.into())? }
            }
            5 => {
                let (from, to, flags, old, new) = (r.u64()?, r.u64()?, r.u32()?, r.u8()?, r.u8()?);
                Record::Rename { from, to, flags, old: r.bytes(old.into())?, new: r.bytes(new.into())? }
            }
            6 => {
                let (ino, mode, uid, gid, size) = (r.u64()?, r.u32()?, r.u32()?, r.u32()?, r.u64()?);
                let (atime_ns, mtime_ns, ctime_ns) = (r.i64()?, r.i64()?, r.i64()?);
                Record::Inode { ino, mode, uid, gid, size, atime_ns, mtime_ns, ctime_ns }
            }
            7 => {
                let (ino, from, to, n) = (r.u64()?, r.u64()?, r.u64()?, r.u32()?);
                let len = (n as usize).checked_mul(EXTENT_SIZE).ok_or(Errno::EINVAL)?;
                Record::Map { ino, from, to, extents: r.bytes(len)? }
            }
            _ => return Err(Errno::EINVAL),
        })
    }
}
