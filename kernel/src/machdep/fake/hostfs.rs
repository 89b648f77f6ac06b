//! The host's file server, in memory: `abi::hostfs` as a host would answer it.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use abi::hostfs::{Attr, op, which};
use abi::types::{mode, o};
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<Vec<u8>, usize>),
    Link(Vec<u8>),
}

struct Node {
    content: Content,
    perm: u32,
    nlink: u32,
    atime_ns: i64,
    mtime_ns: i64,
}

/// The largest file.
const SIZE_MAX: u64 = 1 << 24;

/// The shared directories, and the handles of a kernel.
pub struct HostDirs {
    nodes: Vec<Node>,
    /// Node of each handle; the exports come first.
    handles: BTreeMap<u32, usize>,
    next: u32,
}

impl HostDirs {
    pub fn new() -> HostDirs {
        HostDirs { nodes: Vec::new(), handles: BTreeMap::new(), next: 1000 }
    }

    /// Another empty directory; its number.
    pub fn export(&mut self) -> u32 {
        let nr = self.handles.len() as u32;
        let node = self.add(Content::Dir(BTreeMap::new()), 0o755, 0);
        self.handles.insert(nr, node);
        nr
    }

    /// Handles in use, exports included.
    pub fn handles(&self) -> usize {
        self.handles.len()
    }

    fn add(&mut self, content: Content, perm: u32, now_ns: i64) -> usize {
        self.nodes.push(Node { content, perm: perm & mode::PERM, nlink: 1, atime_ns: now_ns, mtime_ns: now_ns });
        self.nodes.len() - 1
    }

    /// One request, answered in the same buffer.
    pub fn serve(&mut self, buf: &mut [u8], len: usize, now_ns: i64) -> SysResult<usize> {
        let request = buf.get(..len).ok_or(Errno::EINVAL)?.to_vec();
        let mut answer = vec![0; buf.len()];
        let mut w = Writer::new(&mut answer);
        w.u32(0);
        let done = self.answer(&mut Reader::new(&request), &mut w, now_ns);
        let n = match done {
            Ok(()) => w.len(),
            Err(e) => {
                answer[..4].copy_from_slice(&(-(e as i32)).to_le_bytes());
                4
            }
        };
        buf[..n].copy_from_slice(&answer[..n]);
        Ok(n)
    }

    fn answer(&mut self, r: &mut Reader<'_>, w: &mut Writer<'_>, now_ns: i64) -> SysResult<()> {
        let op = r.u32()?;
        let handle = r.u32()?;
        let at = *self.handles.get(&handle).ok_or(Errno::EBADF)?;
        match op {
            op::LOOKUP => self.attr(self.child(at, r.string()?)?).write(w),
            op::OPEN => {
                let (flags, perm, name) = (r.u32()?, r.u32()?, r.string()?);
                let node = self.open(at, flags, perm, name, now_ns)?;
                self.next += 1;
                self.handles.insert(self.next, node);
                w.u32(self.next);
                self.attr(node).write(w);
            }
            op::CLOSE => {
                self.handles.remove(&handle);
            }
            op::GETATTR => self.attr(at).write(w),
            op::SETATTR => {
                let (set, size, atime, mtime) = (r.u32()?, r.u64()?, r.i64()?, r.i64()?);
                if set & which::SIZE != 0 {
                    // Holes would take memory here.
                    if size > SIZE_MAX {
                        return Err(Errno::EFBIG);
                    }
                    self.file(at)?.resize(size as usize, 0);
                    self.nodes[at].mtime_ns = now_ns;
                }
                self.times(at, set, atime, mtime);
            }
            op::SETATTR_AT => {
                let (name, set, atime, mtime) = (r.string()?, r.u32()?, r.i64()?, r.i64()?);
                let node = self.child(at, name)?;
                self.times(node, set, atime, mtime);
            }
            op::READ => {
                let (offset, count) = (r.u64()? as usize, r.u32()? as usize);
                let f = self.file(at)?;
                let rest = f.get(offset..).unwrap_or(&[]);
                w.string(&rest[..rest.len().min(count)]);
            }
            op::WRITE => {
                let (offset, data) = (r.u64()? as usize, r.string()?);
                let f = self.file(at)?;
                f.resize(f.len().max(offset + data.len()), 0);
                f[offset..][..data.len()].copy_from_slice(data);
                self.nodes[at].mtime_ns = now_ns;
                w.u32(data.len() as u32);
            }
            op::FSYNC => {}
            op::READDIR => self.readdir(at, r.u64()?, w)?,
            op::MKDIR => {
                let (perm, name) = (r.u32()?, r.string()?);
                self.make(at, name, Content::Dir(BTreeMap::new()), perm, now_ns)?;
            }
            op::CHMOD => {
                let (perm, name) = (r.u32()?, r.string()?);
                let node = self.child(at, name)?;
                self.nodes[node].perm = perm & 0o777;
            }
            op::UNLINK => self.remove(at, r.string()?, false)?,
            op::RMDIR => self.remove(at, r.string()?, true)?,
            op::RENAME => {
                let to = *self.handles.get(&r.u32()?).ok_or(Errno::EBADF)?;
                let (old, new) = (r.string()?.to_vec(), r.string()?.to_vec());
                self.rename(at, to, &old, &new)?;
            }
            op::LINK => {
                let to = *self.handles.get(&r.u32()?).ok_or(Errno::EBADF)?;
                let (old, new) = (r.string()?.to_vec(), r.string()?.to_vec());
                let node = self.child(at, &old)?;
                if matches!(self.nodes[node].content, Content::Dir(_)) {
                    return Err(Errno::EPERM);
                }
                if self.child(to, &new).is_ok() {
                    return Err(Errno::EEXIST);
                }
                self.dir(to)?.insert(new, node);
                self.nodes[node].nlink += 1;
            }
            op::SYMLINK => {
                let (name, target) = (r.string()?, r.string()?);
                self.make(at, name, Content::Link(target.to_vec()), 0o777, now_ns)?;
            }
            op::READLINK => {
                let node = self.child(at, r.string()?)?;
                match &self.nodes[node].content {
                    Content::Link(t) => w.string(t),
                    _ => return Err(Errno::EINVAL),
                };
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(())
    }

    fn dir(&mut self, node: usize) -> SysResult<&mut BTreeMap<Vec<u8>, usize>> {
        match &mut self.nodes[node].content {
            Content::Dir(d) => Ok(d),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn file(&mut self, node: usize) -> SysResult<&mut Vec<u8>> {
        match &mut self.nodes[node].content {
            Content::File(f) => Ok(f),
            Content::Dir(_) => Err(Errno::EISDIR),
            Content::Link(_) => Err(Errno::EINVAL),
        }
    }

    fn child(&self, dir: usize, name: &[u8]) -> SysResult<usize> {
        match &self.nodes[dir].content {
            Content::Dir(d) => d.get(name).copied().ok_or(Errno::ENOENT),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn make(&mut self, dir: usize, name: &[u8], content: Content, perm: u32, now_ns: i64) -> SysResult<usize> {
        if self.child(dir, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.dir(dir)?;
        let node = self.add(content, perm, now_ns);
        self.dir(dir)?.insert(name.to_vec(), node);
        self.nodes[dir].mtime_ns = now_ns;
        Ok(node)
    }

    fn open(&mut self, dir: usize, flags: u32, perm: u32, name: &[u8], now_ns: i64) -> SysResult<usize> {
        let node = match self.child(dir, name) {
            Ok(_) if flags & (o::CREAT | o::EXCL) == o::CREAT | o::EXCL => return Err(Errno::EEXIST),
            Err(Errno::ENOENT) if flags & o::CREAT != 0 => {
                self.make(dir, name, Content::File(Vec::new()), perm, now_ns)?
            }
            other => other?,
        };
        if matches!(self.nodes[node].content, Content::Link(_)) {
            return Err(Errno::ELOOP);
        }
        if flags & o::TRUNC != 0 {
            self.file(node)?.clear();
        }
        Ok(node)
    }

    fn remove(&mut self, dir: usize, name: &[u8], want_dir: bool) -> SysResult<()> {
        let node = self.child(dir, name)?;
        match (&self.nodes[node].content, want_dir) {
            (Content::Dir(d), true) if !d.is_empty() => return Err(Errno::ENOTEMPTY),
            (Content::Dir(_), false) => return Err(Errno::EISDIR),
            (Content::File(_) | Content::Link(_), true) => return Err(Errno::ENOTDIR),
            _ => {}
        }
        self.nodes[node].nlink -= 1;
        self.dir(dir)?.remove(name);
        Ok(())
    }

    fn rename(&mut self, from: usize, to: usize, old: &[u8], new: &[u8]) -> SysResult<()> {
        let node = self.child(from, old)?;
        match self.child(to, new) {
            Ok(there) if there == node => return Ok(()),
            Ok(_) => {
                let is_dir = matches!(self.nodes[node].content, Content::Dir(_));
                self.remove(to, new, is_dir)?;
            }
            Err(_) => {}
        }
        self.dir(from)?.remove(old);
        self.dir(to)?.insert(new.to_vec(), node);
        Ok(())
    }

    fn readdir(&mut self, at: usize, cookie: u64, w: &mut Writer<'_>) -> SysResult<()> {
        // A cookie is one more than the number of its entry.
        let entries: Vec<(u64, Vec<u8>, usize)> = {
            let d = self.dir(at)?;
            d.iter().enumerate().map(|(i, (name, node))| (i as u64 + 1, name.clone(), *node)).collect()
        };
        let rest: Vec<_> = entries.into_iter().filter(|e| e.0 > cookie).take(16).collect();
        w.u32(rest.len() as u32);
        for (cookie, name, node) in rest {
            w.u64(cookie).u64(node as u64 + 1).u32(self.kind(node) >> 12).string(&name);
        }
        Ok(())
    }

    fn times(&mut self, node: usize, set: u32, atime_ns: i64, mtime_ns: i64) {
        let n = &mut self.nodes[node];
        if set & which::ATIME != 0 {
            n.atime_ns = atime_ns;
        }
        if set & which::MTIME != 0 {
            n.mtime_ns = mtime_ns;
        }
    }

    fn kind(&self, node: usize) -> u32 {
        match self.nodes[node].content {
            Content::File(_) => mode::IFREG,
            Content::Dir(_) => mode::IFDIR,
            Content::Link(_) => mode::IFLNK,
        }
    }

    fn attr(&self, node: usize) -> Attr {
        let n = &self.nodes[node];
        let size = match &n.content {
            Content::File(b) | Content::Link(b) => b.len() as u64,
            Content::Dir(_) => 0,
        };
        Attr {
            dev: 1,
            ino: node as u64 + 1,
            mode: self.kind(node) | n.perm,
            nlink: n.nlink,
            size,
            atime_ns: n.atime_ns,
            mtime_ns: n.mtime_ns,
            ctime_ns: n.mtime_ns,
        }
    }
}

impl Default for HostDirs {
    fn default() -> Self {
        HostDirs::new()
    }
}
