//! The handles of a server: numbers that stand for open directories and files.
//!
//! The first are the exports and stay; the others come from `OPEN` and go with `CLOSE`, and a free
//! number is used again.

use super::file;
use super::{Export, Reply};
use abi::{Errno, SysResult};
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use wasi_common::sync::file::File;

pub struct Handle {
    pub object: Object,
    /// Inherited from the export.
    pub read_only: bool,
}

pub enum Object {
    Dir(Dir),
    File(File),
}

pub struct Handles {
    exports: usize,
    max: usize,
    slots: Vec<Option<Handle>>,
    free: Vec<u32>,
}

impl Handles {
    /// A table of at most `max` handles, exports included.
    pub fn new(exports: Vec<Export>, max: usize) -> Self {
        let open = |e: Export| Some(Handle { object: Object::Dir(readable(e.dir)), read_only: e.read_only });
        let slots: Vec<_> = exports.into_iter().map(open).collect();
        Handles { exports: slots.len(), max, slots, free: Vec::new() }
    }

    pub fn get(&self, handle: u32) -> SysResult<&Handle> {
        self.slots.get(handle as usize).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    pub fn dir(&self, handle: u32) -> SysResult<&Dir> {
        match &self.get(handle)?.object {
            Object::Dir(dir) => Ok(dir),
            Object::File(_) => Err(Errno::ENOTDIR),
        }
    }

    /// A directory whose entries may be changed.
    pub fn writable_dir(&self, handle: u32) -> SysResult<&Dir> {
        let dir = self.dir(handle)?;
        if self.get(handle)?.read_only { Err(Errno::EROFS) } else { Ok(dir) }
    }

    /// A file that may be changed, as far as its export goes.
    pub fn writable_file(&self, handle: u32) -> SysResult<file::Writable<'_>> {
        match self.get(handle)? {
            Handle { read_only: true, .. } => Err(Errno::EROFS),
            Handle { object: Object::File(f), .. } => Ok(file::Writable(f)),
            Handle { object: Object::Dir(_), .. } => Err(Errno::EISDIR),
        }
    }

    /// Is there room for one more? To be asked before a file is made.
    pub fn room(&self) -> SysResult<()> {
        if self.free.is_empty() && self.slots.len() >= self.max { Err(Errno::ENFILE) } else { Ok(()) }
    }

    pub fn add(&mut self, handle: Handle) -> SysResult<u32> {
        self.room()?;
        if let Some(nr) = self.free.pop() {
            self.slots[nr as usize] = Some(handle);
            return Ok(nr);
        }
        self.slots.push(Some(handle));
        Ok((self.slots.len() - 1) as u32)
    }

    pub fn close(&mut self, handle: u32) -> SysResult<Reply> {
        if (handle as usize) < self.exports {
            return Err(Errno::EBADF);
        }
        let slot = self.slots.get_mut(handle as usize).ok_or(Errno::EBADF)?;
        slot.take().ok_or(Errno::EBADF)?;
        self.free.push(handle);
        Ok(Reply::Done)
    }
}

/// cap-std opens directories with `O_PATH`, which is no good for listing and syncing them. One that
/// may not be listed stays as it is.
fn readable(dir: Dir) -> Dir {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(&dir, ".", flags, Mode::empty()) {
        Ok(fd) => Dir::from_std_file(fd.into()),
        Err(_) => dir,
    }
}
