//! The first use of a disk: it becomes a copy of what the image has at its mount point.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::{Stat, mode};
use abi::{Errno, SysResult};
use hashbrown::HashMap;

use super::node::Node;
use super::{Diskfs, load};
use crate::kern::proc::Lwp;
use crate::uio::Uio;
use crate::vfs::tree::names::{self, Inode};
use crate::vfs::vnode::{Create, SetAttr, Vnode, VnodeRef};

/// How much of a file is copied at once.
const PIECE: usize = 64 << 10;

/// Fills an empty file system and commits it; until then the disk is as unused as before.
pub fn first_use(lp: &Lwp, fs: &Arc<Diskfs>, image: &VnodeRef) -> SysResult<()> {
    let mount = fs.mount.upgrade().ok_or(Errno::EIO)?;
    let root = load::root(&mount)?;
    fs.core.lock(lp).filling = true;
    let mut copy = Copy { lp, buf: Vec::new(), linked: HashMap::new() };
    copy.buf.try_reserve_exact(PIECE).map_err(|_| Errno::ENOMEM)?;
    copy.buf.resize(PIECE, 0);
    copy.tree(image, root)?;
    let mut core = fs.core.lock(lp);
    core.filling = false;
    fs.commit(lp, &mut core)?;
    drop(core);
    lp.kernel.writeback.add(fs.clone())
}

struct Copy<'a> {
    lp: &'a Lwp,
    buf: Vec<u8>,
    /// Files of several names, by their number in the image.
    linked: HashMap<u64, Arc<Node>>,
}

impl Copy<'_> {
    fn tree(&mut self, from: &VnodeRef, to: Arc<Node>) -> SysResult<()> {
        let mut work = Vec::new();
        let mut dirs = Vec::new();
        work.push((from.clone(), to));
        while let Some((from, to)) = work.pop() {
            let mut names = Vec::new();
            from.readdir(self.lp, 0, &mut |e| {
                names.push(e.name.to_vec());
                true
            })?;
            for name in names {
                let source = from.lookup(self.lp, &name)?;
                let stat = source.getattr(self.lp)?;
                if stat.mode & mode::IFMT == mode::IFDIR {
                    let node = to.make(&name, &like(&stat, &[]))?;
                    work.push((source, node));
                } else {
                    self.file(&source, &stat, &to, &name)?;
                }
            }
            // When all is in it, as that changes its times.
            dirs.push((to, from.getattr(self.lp)?));
        }
        dirs.iter().try_for_each(|(node, stat)| self.adorn(node, stat))
    }

    fn file(&mut self, source: &VnodeRef, stat: &Stat, dir: &Node, name: &[u8]) -> SysResult<()> {
        if let Some(node) = self.linked.get(&stat.ino) {
            names::link(dir, name, &**node)?;
            return self.adorn(node, stat);
        }
        let target = if stat.mode & mode::IFMT == mode::IFLNK { source.readlink(self.lp)? } else { Vec::new() };
        let node = dir.make(name, &like(stat, &target))?;
        if stat.mode & mode::IFMT == mode::IFREG {
            self.content(source, &node)?;
        }
        if stat.nlink > 1 {
            self.linked.insert(stat.ino, node.clone());
        }
        self.adorn(&node, stat)
    }

    fn content(&mut self, source: &VnodeRef, node: &Node) -> SysResult<()> {
        // A host's file isn't open yet.
        let opened = source.open(self.lp, abi::types::o::RDONLY)?;
        let file = opened.as_ref().unwrap_or(source);
        let done = self.copy(file, node);
        file.close(abi::types::o::RDONLY);
        done
    }

    fn copy(&mut self, file: &VnodeRef, node: &Node) -> SysResult<()> {
        let mut at = 0;
        loop {
            let mut uio = Uio::into_kernel(self.lp, &mut self.buf, at);
            file.read(&mut uio, 0)?;
            let n = PIECE - uio.resid;
            if n == 0 {
                return Ok(());
            }
            node.write(&mut Uio::from_kernel(self.lp, &self.buf[..n], at), 0)?;
            at += n as u64;
        }
    }

    fn adorn(&self, node: &Node, stat: &Stat) -> SysResult<()> {
        let set = SetAttr {
            mode: Some(stat.mode & mode::PERM),
            uid: Some(stat.uid),
            gid: Some(stat.gid),
            ..SetAttr::default()
        };
        node.setattr(self.lp, &set)?;
        node.attr.set_times(stat.atime_ns, stat.mtime_ns, stat.ctime_ns);
        node.mark();
        Ok(())
    }
}

fn like<'a>(stat: &Stat, target: &'a [u8]) -> Create<'a> {
    Create { mode: stat.mode, uid: stat.uid, gid: stat.gid, rdev: stat.rdev, target }
}
