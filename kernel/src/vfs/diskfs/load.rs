//! The mount: which state is the last durable one, and that state made again.
//!
//! Nothing of a disk is believed before it was looked at: a disk that was written by something else, or
//! was damaged, is refused with a message, and is left as it is.

use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use abi::types::limits::NAME_MAX;
use abi::types::{mnt, mode};
use abi::wire::Reader;
use abi::{Errno, SysResult};
use hashbrown::HashMap;
use ksync::{SleepLock, SpinLock};

use super::alloc::Space;
use super::dev::Dev;
use super::format::{
    BATCH_HEADER, BLOCK, Batch, EXTENT_SIZE, Extent, FIRST, ROOT, RUN_HEADER, Record, SUPER, Slot, Super, hash,
};
use super::node::{Body, Node, node_of};
use super::pool::Pool;
use super::{Core, Diskfs, fill};
use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::attrs::FILE_MAX;
use crate::vfs::mount::Mount;
use crate::vfs::tree::names::{self, Inode};
use crate::vfs::vnode::{Create, VnodeRef};

/// Less is of no use.
const LEAST: u32 = 64;
/// Blocks that are read at once.
const PIECE: usize = 16;

/// Makes a disk ready to be mounted at `path`. One that was never used begins with what `image` has; None
/// when that can't be as it is for reading only. The console is told why a disk can't be mounted. ENXIO, EIO,
/// EINVAL for what isn't ours, ENOSPC for a disk that is too small.
pub fn mount(lp: &Lwp, unit: u32, flags: u32, image: &VnodeRef, path: &[u8]) -> SysResult<Option<Arc<Mount>>> {
    let say = |text: &str| lp.kernel.log(&format!("{}: disk {unit}: {text}\n", String::from_utf8_lossy(path)));
    let dev = Dev { machine: lp.kernel.machine.clone(), unit };
    let read_only = flags & mnt::RDONLY != 0 || dev.read_only().inspect_err(|e| say(e.text()))?;
    let flags = if read_only { flags | mnt::RDONLY } else { flags };
    let newest = newest(&dev).inspect_err(|e| say(e.text()))?;
    let found = match newest {
        Newest::None if read_only => {
            say("was never used, and can't be now, as it is for reading only");
            return Ok(None);
        }
        Newest::None => None,
        Newest::Super(s) => Some(s),
        Newest::Version(v) => {
            say(&format!("is of version {v}, which this kernel doesn't know"));
            return Err(Errno::EINVAL);
        }
        Newest::Other => {
            say("holds something that isn't a file system of this kernel; it is left as it is");
            return Err(Errno::EINVAL);
        }
    };
    let limit = dev.limit()?;
    if found.is_none() && limit < LEAST {
        say("is too small");
        return Err(Errno::ENOSPC);
    }
    let mount = Mount::new(&lp.kernel, "diskfs", flags, false);
    let done = make(lp, dev, &mount, limit, found).and_then(|fs| match found {
        Some(_) => ready(lp, &fs, read_only),
        None => fill::first_use(lp, &fs, image).inspect_err(|e| say(&format!("can't be made ready: {}", e.text()))),
    });
    match done {
        Ok(()) => Ok(Some(mount)),
        Err(e) => {
            if found.is_some() {
                say(&format!("is damaged ({}); it is left as it is", e.text()));
            }
            mount.forget();
            Err(e)
        }
    }
}

enum Newest {
    None,
    Super(Super),
    Version(u32),
    Other,
}

fn newest(dev: &Dev) -> SysResult<Newest> {
    let mut head = Vec::new();
    let len = FIRST as usize * BLOCK;
    head.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    head.resize(len, 0);
    dev.read(0, &mut head)?;
    let slots = [Super::decode(&head[..SUPER])?, Super::decode(&head[BLOCK..BLOCK + SUPER])?];
    if let Some(v) = slots.iter().find_map(|s| if let Slot::Version(v) = s { Some(*v) } else { None }) {
        return Ok(Newest::Version(v));
    }
    let valid = slots.iter().filter_map(|s| if let Slot::Valid(s) = s { Some(*s) } else { None });
    Ok(match valid.max_by_key(|s| s.generation) {
        Some(s) => Newest::Super(s),
        None if head.iter().all(|&b| b == 0) => Newest::None,
        None => Newest::Other,
    })
}

/// The file system in memory: empty, or as the disk has it.
fn make(lp: &Lwp, dev: Dev, mount: &Arc<Mount>, limit: u32, found: Option<Super>) -> SysResult<Arc<Diskfs>> {
    let mut random = [0; 16];
    dev.machine.random(&mut random);
    let mut r = Reader::new(&random);
    let id = r.u64()?;
    let (_, memory) = dev.machine.memory();
    let fs = Arc::new(Diskfs {
        pool: Pool::new(memory),
        seed: r.u32()?,
        id: AtomicU64::new(found.map_or(id, |f| f.id)),
        mount: Arc::downgrade(mount),
        tree: SpinLock::new(&locks::TREE, ()),
        next_ino: AtomicU64::new(ROOT + 1),
        nodes: AtomicU64::new(0),
        core: SleepLock::new(&locks::DISKFS, Core::new(Space::new(limit)?)?),
        queue: SpinLock::new(&locks::TREE_NODE, Vec::new()),
        queued: AtomicUsize::new(0),
        queue_room: AtomicUsize::new(0),
        dropped: SpinLock::new(&locks::TREE_NODE, Vec::new()),
        any_dropped: AtomicBool::new(false),
        loading: AtomicBool::new(true),
        due_ns: AtomicU64::new(u64::MAX),
        due_real_ns: AtomicI64::new(i64::MAX),
        writeback: lp.kernel.writeback.clone(),
        dev,
    });
    let new = Create { mode: mode::IFDIR | 0o755, uid: 0, gid: 0, rdev: 0, target: &[] };
    let root = Node::build(mount, &fs, Weak::new(), ROOT, &new, fs.now())?;
    mount.set_root(root.clone());
    if let Some(found) = found {
        let mut loader = Loader { lp, fs: &fs, mount, nodes: HashMap::new(), journal: (0, 0), last: ROOT };
        loader.nodes.insert(ROOT, Arc::downgrade(&root));
        let mut core = fs.core.lock(lp);
        loader.snapshot(&mut core, &found)?;
        loader.replay(&mut core)?;
        loader.claim(&mut core)?;
        core.space.there = core.space.end();
        fs.next_ino.store(loader.last.checked_add(1).ok_or(Errno::EIO)?, Relaxed);
    }
    fs.loading.store(false, Relaxed);
    Ok(fs)
}

/// What was replayed may still be in the host's caches only. It must not be lost while blocks are
/// written that the state before it needs.
fn ready(lp: &Lwp, fs: &Arc<Diskfs>, read_only: bool) -> SysResult<()> {
    if read_only {
        fs.core.lock(lp).read_only = true;
        return Ok(());
    }
    fs.dev.flush()?;
    lp.kernel.writeback.add(fs.clone())
}

struct Loader<'a> {
    lp: &'a Lwp,
    fs: &'a Arc<Diskfs>,
    mount: &'a Arc<Mount>,
    nodes: HashMap<u64, Weak<Node>>,
    journal: (u32, u32),
    /// The highest inode number so far.
    last: u64,
}

impl Loader<'_> {
    fn snapshot(&mut self, core: &mut Core, found: &Super) -> SysResult<()> {
        let mut payload = Vec::new();
        let most = core.space.limit as u64 * BLOCK as u64;
        let bytes = usize::try_from(found.bytes.min(most)).map_err(|_| Errno::ENOMEM)?;
        payload.try_reserve_exact(bytes).map_err(|_| Errno::ENOMEM)?;
        let mut run = (found.start, found.len);
        while (payload.len() as u64) < found.bytes {
            core.space.claim(run.0, run.1)?;
            core.runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            core.runs.push(run);
            run = self.read_run(run, bytes, &mut payload)?;
        }
        if hash(found.generation ^ found.id, &payload) != found.hash {
            return Err(Errno::EIO);
        }
        core.generation = found.generation;
        core.snapshot_bytes = found.bytes;
        self.apply(&payload)?;
        if self.journal.1 > 0 {
            core.space.claim(self.journal.0, self.journal.1)?;
        }
        core.journal = self.journal;
        Ok(())
    }

    /// Appends what a run holds, up to `bytes` in all. Answers the next run.
    fn read_run(&self, (start, len): (u32, u32), bytes: usize, payload: &mut Vec<u8>) -> SysResult<(u32, u32)> {
        let mut piece = Vec::new();
        piece.try_reserve_exact(PIECE * BLOCK).map_err(|_| Errno::ENOMEM)?;
        let (mut next, mut at) = ((0, 0), 0);
        if len == 0 {
            return Err(Errno::EIO);
        }
        while at < len {
            let n = (len - at).min(PIECE as u32);
            piece.resize(n as usize * BLOCK, 0);
            self.fs.dev.read(start + at, &mut piece)?;
            let mut data = &piece[..];
            if at == 0 {
                let mut r = Reader::new(data);
                next = (r.u32()?, r.u32()?);
                data = &data[RUN_HEADER..];
            }
            let n_bytes = data.len().min(bytes - payload.len());
            payload.extend_from_slice(&data[..n_bytes]);
            at += n;
        }
        Ok(next)
    }

    /// The journal's valid batches, in order.
    fn replay(&mut self, core: &mut Core) -> SysResult<()> {
        let (start, len) = core.journal;
        let id = self.fs.id.load(Relaxed);
        let mut batch = Vec::new();
        while core.journal_used < len {
            let at = start + core.journal_used;
            batch.try_reserve(BLOCK).map_err(|_| Errno::ENOMEM)?;
            batch.resize(BLOCK, 0);
            self.fs.dev.read(at, &mut batch)?;
            let Some((head, want)) = Batch::decode(&batch) else { break };
            let blocks = Batch::blocks(head.bytes as usize);
            let ours = (head.generation, head.id, head.seq) == (core.generation, id, core.seq);
            if !ours || blocks > len - core.journal_used {
                break;
            }
            let all = blocks as usize * BLOCK;
            batch.try_reserve(all).map_err(|_| Errno::ENOMEM)?;
            batch.resize(all, 0);
            if blocks > 1 {
                self.fs.dev.read(at + 1, &mut batch[BLOCK..])?;
            }
            let payload = &batch[BATCH_HEADER..BATCH_HEADER + head.bytes as usize];
            if !head.matches(payload, want) {
                break;
            }
            self.apply(payload)?;
            core.journal_used += blocks;
            core.seq += 1;
            core.journaled += head.bytes as u64;
        }
        Ok(())
    }

    /// Every block has one owner at most.
    fn claim(&mut self, core: &mut Core) -> SysResult<()> {
        for node in self.nodes.values().filter_map(Weak::upgrade) {
            let Body::File(file) = &node.body else { continue };
            let data = file.data.lock(self.lp);
            data.map.extents().iter().try_for_each(|e| core.space.claim(e.disk, e.len))?;
            node.count_blocks(&data);
        }
        Ok(())
    }

    fn apply(&mut self, records: &[u8]) -> SysResult<()> {
        let mut r = Reader::new(records);
        while !r.rest().is_empty() {
            let record = Record::decode(&mut r).map_err(|_| Errno::EIO)?;
            // Whatever doesn't fit is damage.
            self.one(&record).map_err(|e| if e == Errno::ENOMEM { e } else { Errno::EIO })?;
        }
        Ok(())
    }

    fn node(&self, ino: u64) -> SysResult<Arc<Node>> {
        self.nodes.get(&ino).and_then(Weak::upgrade).ok_or(Errno::EIO)
    }

    fn one(&mut self, record: &Record<'_>) -> SysResult<()> {
        match *record {
            Record::Head { start, len } => self.journal = (start, len),
            Record::Make { dir, ino, mode, uid, gid, rdev, birth_ns, name, target } => {
                let new = Create { mode, uid, gid, rdev, target };
                self.make(dir, ino, &new, birth_ns, name)?;
            }
            Record::Link { dir, ino, name } => {
                let (dir, node) = (self.node(dir)?, self.node(ino)?);
                if node.is_dir() {
                    return Err(Errno::EIO);
                }
                names::link(&*dir, check(name)?, &*node)?;
            }
            Record::Unlink { dir, name } => {
                let dir = self.node(dir)?;
                let is_dir = dir.entries()?.lock().get(name).is_some_and(|n| n.is_dir());
                names::remove(&*dir, name, is_dir)?;
            }
            Record::Rename { from, to, flags, old, new } => {
                names::rename(&*self.node(from)?, old, &*self.node(to)?, check(new)?, flags)?;
            }
            Record::Inode { ino, mode: bits, uid, gid, size, atime_ns, mtime_ns, ctime_ns } => {
                let node = self.node(ino)?;
                let a = &node.attr;
                if (bits ^ a.mode.load(Relaxed)) & mode::IFMT != 0 || size > FILE_MAX {
                    return Err(Errno::EIO);
                }
                for (to, v) in [(&a.mode, bits), (&a.uid, uid), (&a.gid, gid)] {
                    to.store(v, Relaxed);
                }
                a.set_times(atime_ns, mtime_ns, ctime_ns);
                if let Body::File(file) = &node.body {
                    file.size.store(size, Relaxed);
                }
            }
            Record::Map { ino, from, to, extents } => self.map(ino, (from, to), extents)?,
        }
        Ok(())
    }

    fn make(&mut self, dir: u64, ino: u64, new: &Create<'_>, birth_ns: i64, name: &[u8]) -> SysResult<()> {
        let parent = self.node(dir)?;
        parent.entries()?;
        if self.nodes.get(&ino).is_some_and(|n| n.strong_count() > 0) {
            return Err(Errno::EIO);
        }
        let node = Node::build(self.mount, self.fs, Arc::downgrade(&parent), ino, new, birth_ns)?;
        self.nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.nodes.insert(ino, Arc::downgrade(&node));
        self.last = self.last.max(ino);
        names::enter(&*parent, check(name)?, &node)
    }

    fn map(&mut self, ino: u64, (from, to): (u64, u64), extents: &[u8]) -> SysResult<()> {
        let node = self.node(ino)?;
        let mut data = node.file()?.data.lock(self.lp);
        data.map.clear(from, to, |_, _| {})?;
        let mut r = Reader::new(extents);
        let mut at = from;
        for _ in 0..extents.len() / EXTENT_SIZE {
            let e = Extent::decode(&mut r)?;
            let end = e.at.checked_add(e.len as u64).filter(|&end| e.at >= at && end <= to && e.len > 0);
            at = end.ok_or(Errno::EIO)?;
            // Where it is on the disk is looked at when all are there.
            e.disk.checked_add(e.len).ok_or(Errno::EIO)?;
            data.map.set(e)?;
        }
        Ok(())
    }
}

/// A name as it can stand in a directory.
fn check(name: &[u8]) -> SysResult<&[u8]> {
    let bad = name.is_empty() || name.len() > NAME_MAX || name == b"." || name == b"..";
    if bad || name.iter().any(|&b| b == b'/' || b == 0) { Err(Errno::EIO) } else { Ok(name) }
}

/// The root directory's node.
pub(super) fn root(mount: &Mount) -> SysResult<Arc<Node>> {
    node_of(&mount.root()?).and_then(|n| n.weak().upgrade()).ok_or(Errno::EIO)
}
