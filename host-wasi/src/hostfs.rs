//! The server of `hostfs_rpc`: directories of the host, shared with one vkernel.
//!
//! The protocol is [`abi::hostfs`]. A [`Server`] belongs to one vkernel, lives as long as it and
//! serves one request at a time. What a guest can do to the host is decided here and nowhere else:
//!
//! - A name is one component, never `.`, `..`, empty or with a slash in it, and is looked up in an
//!   open directory without following a link (`O_NOFOLLOW`, `AT_SYMLINK_NOFOLLOW`). So a handle can
//!   only ever lead to what stands in its directory at that moment; whoever swaps directories
//!   for links while we look changes which error comes, not where we get to.
//! - Only regular files and directories are opened. Devices and FIFOs can be seen, not touched.
//! - Below a read-only export every change is `EROFS`.
//! - Files never get set-id or sticky bits, and to new ones the host's umask applies.
//!
//! Open files are wasi-common's `File` (as `WasiFile`), directories cap-std's `Dir`. wasi-common's own
//! `WasiDir` is not used: it takes names as UTF-8 only, creates without a mode, blocks when it
//! opens a FIFO, and its directory cookies are counts, which shift when an entry is removed.

mod error;
mod file;
mod handles;
mod readdir;
mod request;

use abi::hostfs::{Attr, DATA_MAX, which};
use abi::types::{mode, o};
use abi::wire::Writer;
use abi::{Errno, SysResult};
use cap_std::fs::Dir;
use error::{from_io, from_rustix};
use handles::{Handle, Handles, Object};
use request::{Name, Request};
use rustix::fs::{AtFlags, Timespec, Timestamps};
use std::os::fd::AsFd;

/// A directory of the host and what the guest may do to it.
pub struct Export {
    pub dir: Dir,
    pub read_only: bool,
}

/// The file server of one vkernel.
pub struct Server {
    handles: Handles,
    scratch: readdir::Scratch,
}

/// An answer's fields after the 0.
enum Reply {
    Done,
    Attr(Attr),
    Opened(u32, Attr),
    Count(u32),
    Data(Vec<u8>),
}

/// Handles at a time, where half of this process's limit isn't less; more are `ENFILE`.
const MAX_HANDLES: usize = 65_536;

/// Room that any answer without data fits in: status, handle, attributes.
const SMALL_ANSWER: usize = 4 + 4 + 56;

impl Server {
    /// A server whose handles `0..exports.len()` are these directories.
    pub fn new(exports: Vec<Export>) -> Server {
        // The host needs descriptors, too: one guest doesn't get the last of them.
        let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let most = ours.map_or(MAX_HANDLES, |n| usize::try_from(n / 2).unwrap_or(MAX_HANDLES));
        Self::with_limit(exports, most.min(MAX_HANDLES))
    }

    fn with_limit(exports: Vec<Export>, max: usize) -> Server {
        Server { handles: Handles::new(exports, max), scratch: readdir::Scratch::new() }
    }

    /// Serves the request in `buf[..len]` and answers the length of the answer, in the same buffer.
    /// Nothing a guest writes into a request makes it panic.
    pub fn rpc(&mut self, buf: &mut [u8], len: usize) -> usize {
        let len = len.min(buf.len());
        match self.serve(buf, len) {
            Ok(n) => n,
            Err(e) => {
                let mut w = Writer::new(buf);
                w.i32(-(e as i32));
                w.len()
            }
        }
    }

    fn serve(&mut self, buf: &mut [u8], len: usize) -> SysResult<usize> {
        if buf.len() < SMALL_ANSWER {
            return Err(Errno::EINVAL);
        }
        let reply = match Request::decode(&buf[..len])? {
            // These two fill the buffer themselves: their data are not copied a second time.
            Request::Read { handle, offset, count } => return self.read(handle, offset, count, buf),
            Request::Readdir { handle, cookie } => {
                let dir = self.handles.dir(handle)?;
                return self.scratch.readdir(dir, cookie, buf);
            }
            other => self.answer(other)?,
        };
        let mut w = Writer::new(buf);
        w.i32(0);
        match reply {
            Reply::Done => {}
            Reply::Attr(attr) => attr.write(&mut w),
            Reply::Opened(handle, attr) => attr.write(w.u32(handle)),
            Reply::Count(n) => _ = w.u32(n),
            Reply::Data(data) => _ = w.string(&data),
        }
        if w.overflowed { Err(Errno::ENAMETOOLONG) } else { Ok(w.len()) }
    }

    fn answer(&mut self, request: Request<'_>) -> SysResult<Reply> {
        match request {
            Request::Lookup { dir, name } => Ok(Reply::Attr(stat_at(self.handles.dir(dir)?, name)?)),
            Request::Open { dir, oflags, mode, name } => self.open(dir, oflags, mode, name),
            Request::Close { handle } => self.handles.close(handle),
            Request::Getattr { handle } => self.handles.get(handle)?.object.attr().map(Reply::Attr),
            Request::Setattr { handle, which, size, times } => self.setattr(handle, which, size, times),
            Request::SetattrAt { dir, name, which, times } => {
                let dir = self.handles.writable_dir(dir)?;
                let times = timestamps(which, times);
                rustix::fs::utimensat(dir, name.0, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(from_rustix)?;
                Ok(Reply::Done)
            }
            Request::Write { handle, offset, data } => self.handles.writable_file(handle)?.write(offset, data),
            Request::Fsync { handle, data_only } => self.handles.get(handle)?.object.fsync(data_only),
            Request::Mkdir { dir, mode, name } => self.mkdir(dir, mode, name),
            Request::Chmod { dir, mode, name } => file::chmod(self.handles.writable_dir(dir)?, name, mode),
            Request::Unlink { dir, name } => done(self.handles.writable_dir(dir)?.remove_file(name.0)),
            Request::Rmdir { dir, name } => done(self.handles.writable_dir(dir)?.remove_dir(name.0)),
            Request::Rename { from, to, old, new } => {
                let (from, to) = (self.handles.writable_dir(from)?, self.handles.writable_dir(to)?);
                done(from.rename(old.0, to, new.0))
            }
            Request::Link { from, to, old, new } => {
                // A link changes its file too (`nlink`), and would make it writable through the other export.
                let (from, to) = (self.handles.writable_dir(from)?, self.handles.writable_dir(to)?);
                done(from.hard_link(old.0, to, new.0))
            }
            // The text is for the guest to resolve in its own name space: anything goes.
            Request::Symlink { dir, name, target } => {
                done(self.handles.writable_dir(dir)?.symlink_contents(target, name.0))
            }
            Request::Readlink { dir, name } => {
                let target = rustix::fs::readlinkat(self.handles.dir(dir)?, name.0, Vec::new()).map_err(from_rustix)?;
                Ok(Reply::Data(target.into_bytes()))
            }
            Request::Read { .. } | Request::Readdir { .. } => Err(Errno::EINVAL),
        }
    }

    fn read(&mut self, handle: u32, offset: u64, count: u32, buf: &mut [u8]) -> SysResult<usize> {
        let Object::File(file) = &self.handles.get(handle)?.object else { return Err(Errno::EISDIR) };
        let room = (count as usize).min(DATA_MAX).min(buf.len() - 8);
        let n = file::read(file, offset, &mut buf[8..8 + room])?;
        Writer::new(buf).i32(0).u32(n as u32);
        Ok(8 + n)
    }

    /// `open(2)` of one name. What stands there is looked at first, as opening a device can do
    /// something, and again after, as it may have been exchanged.
    fn open(&mut self, dir: u32, oflags: u32, mode: u32, name: Name<'_>) -> SysResult<Reply> {
        let Handle { object: Object::Dir(dir), read_only } = self.handles.get(dir)? else {
            return Err(Errno::ENOTDIR);
        };
        let read_only = *read_only;
        let mut oflags = file::check_flags(oflags)?;
        let found = match stat_at(dir, name) {
            Err(Errno::ENOENT) if oflags & o::CREAT != 0 => None,
            other => Some(other?.mode & mode::IFMT),
        };
        match found {
            Some(_) if oflags & o::CREAT != 0 && oflags & o::EXCL != 0 => return Err(Errno::EEXIST),
            Some(mode::IFLNK) => return Err(Errno::ELOOP),
            Some(mode::IFREG | mode::IFDIR) | None => {}
            Some(_) => return Err(Errno::EACCES),
        }
        if read_only {
            if found.is_none() || oflags & o::ACCMODE != o::RDONLY || oflags & o::TRUNC != 0 {
                return Err(Errno::EROFS);
            }
            // Somebody may have removed the file since.
            oflags &= !o::CREAT;
        }
        self.handles.room()?;
        let object = file::open(dir, name, oflags, mode)?;
        let attr = object.attr()?;
        Ok(Reply::Opened(self.handles.add(Handle { object, read_only })?, attr))
    }

    fn setattr(&mut self, handle: u32, which: u32, size: u64, times: Times) -> SysResult<Reply> {
        let handle = self.handles.get(handle)?;
        if handle.read_only {
            return Err(Errno::EROFS);
        }
        if which & which::SIZE != 0 {
            handle.object.set_size(size)?;
        }
        if which & (which::ATIME | which::MTIME) != 0 {
            rustix::fs::futimens(handle.object.fd()?, &timestamps(which, times)).map_err(from_rustix)?;
        }
        Ok(Reply::Done)
    }

    fn mkdir(&mut self, dir: u32, mode: u32, name: Name<'_>) -> SysResult<Reply> {
        let dir = self.handles.writable_dir(dir)?;
        let mode = rustix::fs::Mode::from_bits_truncate(mode & file::NEW_MODE);
        rustix::fs::mkdirat(dir.as_fd(), name.0, mode).map_err(from_rustix)?;
        Ok(Reply::Done)
    }
}

/// Access and modification time, in ns since 1970.
type Times = (i64, i64);

fn timestamps(which: u32, (atime_ns, mtime_ns): Times) -> Timestamps {
    let time = |bit, ns: i64| match which & bit {
        0 => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ },
        _ => Timespec { tv_sec: ns.div_euclid(1_000_000_000), tv_nsec: ns.rem_euclid(1_000_000_000) },
    };
    Timestamps { last_access: time(which::ATIME, atime_ns), last_modification: time(which::MTIME, mtime_ns) }
}

fn stat_at(dir: &Dir, name: Name<'_>) -> SysResult<Attr> {
    let stat = rustix::fs::statat(dir, name.0, AtFlags::SYMLINK_NOFOLLOW).map_err(from_rustix)?;
    Ok(file::attr(&stat))
}

fn done(r: std::io::Result<()>) -> SysResult<Reply> {
    r.map(|()| Reply::Done).map_err(|e| from_io(&e))
}

#[cfg(test)]
mod tests;
