//! procfs: the processes and the kernel as files.
//!
//! Nothing is kept: a vnode is made for each lookup from what the process tree says then, and a
//! text is written when its file is opened. Formats are Linux's, as programs read them (proc(5)).

pub mod fd;
mod system;
mod task;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::{Stat, mode};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::proc::{Lwp, Pid, Proc};
use crate::uio::Uio;
use crate::vfs::devfs::number_of;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::{Dirent, Head, Owner, Vnode, VnodeRef};

/// A new instance.
pub fn make(kernel: &Kernel, flags: u32) -> Arc<Mount> {
    let mount = Mount::new(kernel, "procfs", flags, false);
    mount.set_root(Node::vnode(&mount, What::Root));
    mount
}

/// What a vnode of procfs stands for.
#[derive(Clone)]
enum What {
    Root,
    /// `/proc/self`.
    Myself,
    /// A text about the kernel: its place in `system::FILES`.
    System(usize),
    /// `/proc/PID`.
    Task(Arc<Proc>),
    /// A text about a process: its place in `task::FILES`.
    TaskText(Arc<Proc>, usize),
    /// `cwd`, `root`, `exe`: its place in `task::LINKS`.
    TaskLink(Arc<Proc>, usize),
    FdDir(Arc<Proc>),
    Fd(Arc<Proc>, i32),
}

// Inode numbers: a process's files are its number times this, plus a place.
const PER_TASK: u64 = 1 << 32;
const FIRST_LINK: u64 = 64;
const FIRST_FD: u64 = 1024;

impl What {
    fn ino(&self) -> u64 {
        let task = |p: &Proc| p.pid as u64 * PER_TASK;
        match self {
            What::Root => 1,
            What::Myself => 2,
            What::System(i) => 16 + *i as u64,
            What::Task(p) => task(p),
            What::TaskText(p, i) => task(p) + 16 + *i as u64,
            What::TaskLink(p, i) => task(p) + FIRST_LINK + *i as u64,
            What::FdDir(p) => task(p) + 1,
            What::Fd(p, fd) => task(p) + FIRST_FD + *fd as u64,
        }
    }
    fn mode(&self) -> u32 {
        match self {
            What::Root | What::Task(_) => mode::IFDIR | 0o555,
            What::FdDir(_) => mode::IFDIR | 0o500,
            What::Myself | What::TaskLink(..) | What::Fd(..) => mode::IFLNK | 0o777,
            What::System(_) => mode::IFREG | 0o444,
            What::TaskText(_, i) => mode::IFREG | task::FILES[*i].perm,
        }
    }
    fn proc(&self) -> Option<&Arc<Proc>> {
        match self {
            What::Root | What::Myself | What::System(_) => None,
            What::Task(p) | What::TaskText(p, _) | What::TaskLink(p, _) | What::FdDir(p) | What::Fd(p, _) => Some(p),
        }
    }
}

struct Node {
    head: Head,
    what: What,
}

impl Node {
    fn vnode(mount: &Arc<Mount>, what: What) -> VnodeRef {
        Arc::new(Node { head: Head::new(mount.clone()), what })
    }
    fn other(&self, what: What) -> SysResult<VnodeRef> {
        Ok(Node::vnode(&self.head.mount, what))
    }

    fn stat(&self) -> Stat {
        let owner = self.owner();
        Stat {
            dev: self.head.mount.dev,
            ino: self.what.ino(),
            mode: owner.mode,
            nlink: if owner.mode & mode::IFMT == mode::IFDIR { 2 } else { 1 },
            uid: owner.uid,
            gid: owner.gid,
            blksize: 1024,
            ..Stat::default()
        }
    }

    /// What else than its text a process's things show only to its own user and to root.
    fn check_private(&self, lp: &Lwp) -> SysResult<()> {
        match self.what.proc() {
            Some(p) if p.pid != lp.proc.pid && !lp.proc.cred.may_look(&p.cred) => Err(Errno::EACCES),
            _ => Ok(()),
        }
    }

    fn text(&self, lp: &Lwp) -> SysResult<Vec<u8>> {
        match &self.what {
            What::System(i) => Ok((system::FILES[*i].text)(lp)),
            What::TaskText(p, i) => (task::FILES[*i].text)(lp, p),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// The process behind a name of digits.
fn find(lp: &Lwp, name: &[u8]) -> SysResult<Arc<Proc>> {
    let pid: Pid = number_of(name).ok_or(Errno::ENOENT)?;
    lp.kernel.proc_find(pid).map_err(|_| Errno::ENOENT)
}

fn place<T>(list: &[T], name: impl Fn(&T) -> &'static [u8], wanted: &[u8]) -> Option<usize> {
    list.iter().position(|e| name(e) == wanted)
}

impl Vnode for Node {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        let (uid, gid) = self.what.proc().map_or((0, 0), |p| (p.cred.euid(), p.cred.egid()));
        Owner { mode: self.what.mode(), uid, gid }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(self.stat())
    }

    fn lookup(&self, lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        match &self.what {
            What::Root if name == b"self" => self.other(What::Myself),
            What::Root => match place(&system::FILES, |f| f.name, name) {
                Some(i) => self.other(What::System(i)),
                None => self.other(What::Task(find(lp, name)?)),
            },
            What::Task(p) if name == b"fd" => self.other(What::FdDir(p.clone())),
            What::Task(p) => {
                if let Some(i) = place(&task::FILES, |f| f.name, name) {
                    return self.other(What::TaskText(p.clone(), i));
                }
                let i = place(&task::LINKS, |l| l, name).ok_or(Errno::ENOENT)?;
                self.other(What::TaskLink(p.clone(), i))
            }
            What::FdDir(p) => {
                let fd = number_of(name).ok_or(Errno::ENOENT)?;
                p.files.get(fd).map_err(|_| Errno::ENOENT)?;
                self.other(What::Fd(p.clone(), fd))
            }
            _ => Err(Errno::ENOTDIR),
        }
    }
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        match &self.what {
            What::FdDir(p) => self.other(What::Task(p.clone())),
            _ => self.head.mount.root(),
        }
    }
    fn create(&self, _lp: &Lwp, _name: &[u8], _new: &crate::vfs::vnode::Create<'_>) -> SysResult<VnodeRef> {
        Err(Errno::EPERM)
    }

    fn readdir(&self, lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        let mut put = |at: u64, name: &[u8], what: What| {
            at <= cookie || f(&Dirent { ino: what.ino(), kind: (what.mode() >> 12) as u8, cookie: at, name })
        };
        match &self.what {
            What::Root => {
                let _ = put(1, b"self", What::Myself)
                    && system::FILES.iter().enumerate().all(|(i, e)| put(2 + i as u64, e.name, What::System(i)))
                    && all(lp).into_iter().all(|p| {
                        let name = alloc::format!("{}", p.pid);
                        put(100 + p.pid as u64, name.as_bytes(), What::Task(p))
                    });
            }
            What::Task(p) => {
                let links = 2 + task::FILES.len() as u64;
                let _ = put(1, b"fd", What::FdDir(p.clone()))
                    && task::FILES
                        .iter()
                        .enumerate()
                        .all(|(i, e)| put(2 + i as u64, e.name, What::TaskText(p.clone(), i)))
                    && task::LINKS
                        .iter()
                        .enumerate()
                        .all(|(i, name)| put(links + i as u64, name, What::TaskLink(p.clone(), i)));
            }
            What::FdDir(p) => {
                self.check_private(lp)?;
                let _ = p.files.numbers().all(|fd| {
                    let name = alloc::format!("{fd}");
                    put(1 + fd as u64, name.as_bytes(), What::Fd(p.clone(), fd))
                });
            }
            _ => return Err(Errno::ENOTDIR),
        }
        Ok(())
    }

    fn readlink(&self, lp: &Lwp) -> SysResult<Vec<u8>> {
        match &self.what {
            What::Myself => Ok(alloc::format!("{}", lp.proc.pid).into_bytes()),
            What::TaskLink(p, i) => {
                self.check_private(lp)?;
                task::link_text(lp, p, *i)
            }
            What::Fd(p, fd) => {
                self.check_private(lp)?;
                let file = p.files.get(*fd).map_err(|_| Errno::ENOENT)?;
                fd::text(lp, &file)
            }
            _ => Err(Errno::EINVAL),
        }
    }
    fn jump(&self, lp: &Lwp) -> SysResult<Option<VnodeRef>> {
        match &self.what {
            What::TaskLink(p, i) => {
                self.check_private(lp)?;
                task::link_target(p, *i)
            }
            What::Fd(p, fd) => {
                self.check_private(lp)?;
                Ok(Some(p.files.get(*fd).map_err(|_| Errno::ENOENT)?.vnode.clone()))
            }
            _ => Ok(None),
        }
    }

    fn open(&self, lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        match &self.what {
            What::System(_) | What::TaskText(..) => {
                let head = Head::new(self.head.mount.clone());
                Ok(Some(Arc::new(Text { head, stat: self.stat(), text: self.text(lp)? })))
            }
            _ => Ok(None),
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// All processes, by number.
fn all(lp: &Lwp) -> Vec<Arc<Proc>> {
    lp.kernel.procs.tree.lock().map.values().map(|n| n.proc.clone()).collect()
}

/// An open text: as it was when it was opened.
struct Text {
    head: Head,
    stat: Stat,
    text: Vec<u8>,
}

impl Vnode for Text {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: self.stat.mode, uid: self.stat.uid, gid: self.stat.gid }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(self.stat)
    }
    fn read(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        let from = usize::try_from(uio.offset).ok().and_then(|at| self.text.get(at..));
        uio.copy_out(from.unwrap_or(&[])).map(|_| ())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
