//! devfs: the devices by name.
//!
//! `null zero full random urandom` have no state. `tty` and `console` are the terminal (`tty`), and
//! `tty1` and so on the devices that are attached just now, which `attach` tells of. `ptmx` makes a
//! pseudo-terminal, and `pts` is the directory of those there are.
//! `fd` is the directory of the caller's descriptors: links that lead straight to the open file's own vnode, so that
//! opening one opens that file anew, and that who walks a tree without following links doesn't enter (one of them is the
//! directory that he reads). `stdin stdout stderr` are three of the files.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::{Stat, clock, devctl, mode};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::proc::Lwp;
use crate::tty::{self, Terminal};
use crate::uio::{Count, Piece, Uio};
use crate::vfs::file::File;
use crate::vfs::mount::Mount;
use crate::vfs::procfs;
use crate::vfs::vnode::{Dirent, Head, Owner, SetAttr, Vnode, VnodeRef};

/// What a device does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Zero,
    Full,
    Random,
    Tty,
    Console,
    Ptmx,
    Attach,
}

/// Device numbers as Linux has them: major << 8 | minor, for minors below 256.
const fn number(major: u64, minor: u64) -> u64 {
    major << 8 | minor
}

const DEVICES: [(&[u8], Kind, u64); 9] = [
    (b"null", Kind::Null, number(1, 3)),
    (b"zero", Kind::Zero, number(1, 5)),
    (b"full", Kind::Full, number(1, 7)),
    (b"random", Kind::Random, number(1, 8)),
    (b"urandom", Kind::Random, number(1, 9)),
    (b"tty", Kind::Tty, tty::TTY_NUMBER),
    (b"console", Kind::Console, tty::CONSOLE_NUMBER),
    (b"attach", Kind::Attach, tty::ATTACH_NUMBER),
    (b"ptmx", Kind::Ptmx, tty::PTMX_NUMBER),
];

/// Names for descriptors 0, 1 and 2.
const STANDARD: [&[u8]; 3] = [b"stdin", b"stdout", b"stderr"];

const INO_ROOT: u64 = 1;
const INO_FD: u64 = 2;
const INO_PTS: u64 = 3;
const INO_DEVICES: u64 = 16;
const INO_STANDARD: u64 = 64;
/// Of the attached devices: these and their cookies.
const INO_ATTACHED: u64 = 128;
const COOKIE_ATTACHED: u64 = 1000;
/// Of the caller's descriptors.
const INO_FDS: u64 = 1 << 32;

/// The most random bytes that one read gives.
const RANDOM_MAX: usize = (32 << 20) - 1;

static ZEROS: [u8; 4096] = [0; 4096];

/// A new instance.
pub fn make(kernel: &Kernel, flags: u32) -> Arc<Mount> {
    let mount = Mount::new(kernel, "devfs", flags, false);
    let made_ns = kernel.machine.clock(clock::REALTIME, 0) as i64;
    let device = |(i, &(_, kind, rdev))| {
        Arc::new(Device { head: Head::new(mount.clone()), ino: INO_DEVICES + i as u64, kind, rdev, made_ns })
    };
    let root = Root {
        head: Head::new(mount.clone()),
        devices: DEVICES.iter().enumerate().map(device).collect(),
        fd: Arc::new(FdDir { head: Head::new(mount.clone()), made_ns }),
        pts: Arc::new(tty::Pts::new(mount.clone(), made_ns)),
        made_ns,
    };
    mount.set_root(Arc::new(root));
    mount
}

/// Opens a device by number, for device nodes in other file systems. ENXIO.
pub fn open_device(lp: &Lwp, rdev: u64, flags: u32) -> SysResult<VnodeRef> {
    let mount = lp.kernel.mounts.all().into_iter().find(|m| m.fstype == "devfs").ok_or(Errno::ENXIO)?;
    let root = mount.root()?;
    let root: &Root = root.as_any().downcast_ref().ok_or(Errno::ENXIO)?;
    let device: VnodeRef = match root.devices.iter().find(|d| d.rdev == rdev) {
        Some(device) => device.clone(),
        None => tty::open_number(lp, &mount, rdev)?,
    };
    match device.open(lp, flags)? {
        Some(vp) => Ok(vp),
        None => Ok(device),
    }
}

/// An open file on one of the host's three standard streams.
pub fn open_stdio(lp: &Lwp, unit: u32, flags: u32) -> SysResult<Arc<File>> {
    let stream = Terminal::of_unit(lp, unit)?;
    let start = stream.start(lp);
    let file = File::new(stream, flags);
    *file.offset.lock(lp) = start;
    Ok(Arc::new(file))
}

pub fn directory(head: &Head, ino: u64, nlink: u32, bits: u32, made_ns: i64) -> Stat {
    Stat {
        dev: head.mount.dev,
        ino,
        mode: mode::IFDIR | bits,
        nlink,
        blksize: 4096,
        atime_ns: made_ns,
        mtime_ns: made_ns,
        ctime_ns: made_ns,
        birth_ns: made_ns,
        ..Stat::default()
    }
}

struct Root {
    head: Head,
    devices: Vec<Arc<Device>>,
    fd: Arc<FdDir>,
    pts: Arc<tty::Pts>,
    made_ns: i64,
}

/// What a standard name means: the caller's descriptor, or the host's stream for who has none.
fn standard(lp: &Lwp, n: u32) -> SysResult<VnodeRef> {
    match lp.file(n as i32) {
        Ok(file) => Ok(file.vnode.clone()),
        Err(_) => Ok(Terminal::of_unit(lp, devctl::STDIN + n)?),
    }
}

impl Vnode for Root {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFDIR | 0o755, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(directory(&self.head, INO_ROOT, 4, 0o755, self.made_ns))
    }
    fn lookup(&self, lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        if let Some(i) = DEVICES.iter().position(|d| d.0 == name) {
            return Ok(self.devices[i].clone());
        }
        if let Some(n) = STANDARD.iter().position(|s| *s == name) {
            return standard(lp, n as u32);
        }
        if name == b"fd" {
            return Ok(self.fd.clone());
        }
        if name == b"pts" {
            return Ok(self.pts.clone());
        }
        tty::lookup(lp, &self.head.mount, name, INO_ATTACHED).ok_or(Errno::ENOENT)
    }
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        self.head.mount.root()
    }
    fn readdir(&self, lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        let chr = (mode::IFCHR >> 12) as u8;
        let devices = DEVICES.iter().enumerate().map(|(i, d)| (d.0, INO_DEVICES + i as u64, chr));
        let standard = STANDARD.iter().enumerate().map(|(i, s)| (*s, INO_STANDARD + i as u64, chr));
        let dirs = [(&b"fd"[..], INO_FD), (b"pts", INO_PTS)].map(|d| (d.0, d.1, (mode::IFDIR >> 12) as u8));
        let all = devices.chain(standard).chain(dirs).zip(1u64..);
        for ((name, ino, kind), at) in all.skip(cookie.min(COOKIE_ATTACHED) as usize) {
            if !f(&Dirent { ino, kind, cookie: at, name }) {
                return Ok(());
            }
        }
        for (n, name, mode) in tty::names(&lp.kernel) {
            let at = COOKIE_ATTACHED + n;
            if at > cookie
                && !f(&Dirent { ino: INO_ATTACHED + n, kind: (mode >> 12) as u8, cookie: at, name: name.as_bytes() })
            {
                break;
            }
        }
        Ok(())
    }
    fn create(&self, _lp: &Lwp, _name: &[u8], _new: &crate::vfs::vnode::Create<'_>) -> SysResult<VnodeRef> {
        Err(Errno::EPERM)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// `/dev/fd`.
struct FdDir {
    head: Head,
    made_ns: i64,
}

/// A descriptor's number as a name, and back: no sign, no leading zeros.
pub fn number_of(name: &[u8]) -> Option<i32> {
    if name.is_empty() || name.len() > 10 || name[0] == b'0' && name.len() > 1 {
        return None;
    }
    let mut n = 0i64;
    for b in name {
        n = n * 10 + (b.is_ascii_digit().then(|| b - b'0')?) as i64;
    }
    i32::try_from(n).ok()
}

impl Vnode for FdDir {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFDIR | 0o555, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(directory(&self.head, INO_FD, 2, 0o555, self.made_ns))
    }
    fn lookup(&self, lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        let fd = number_of(name).ok_or(Errno::ENOENT)?;
        lp.file(fd).map_err(|_| Errno::ENOENT)?;
        let link = FdLink { head: Head::new(self.head.mount.clone()), fd, made_ns: self.made_ns };
        Ok(Arc::new(link))
    }
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        self.head.mount.root()
    }
    fn readdir(&self, lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        for fd in lp.proc.files.numbers() {
            let at = fd as u64 + 1;
            let name = alloc::format!("{fd}");
            let kind = (mode::IFLNK >> 12) as u8;
            if at > cookie && !f(&Dirent { ino: INO_FDS + fd as u64, kind, cookie: at, name: name.as_bytes() }) {
                break;
            }
        }
        Ok(())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// `/dev/fd/N`, for whoever looks at it.
struct FdLink {
    head: Head,
    fd: i32,
    made_ns: i64,
}

impl Vnode for FdLink {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFLNK | 0o777, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let dir = directory(&self.head, INO_FDS + self.fd as u64, 1, 0, self.made_ns);
        Ok(Stat { mode: self.owner().mode, ..dir })
    }
    fn readlink(&self, lp: &Lwp) -> SysResult<Vec<u8>> {
        let file = lp.file(self.fd).map_err(|_| Errno::ENOENT)?;
        procfs::fd::text(lp, &file)
    }
    fn jump(&self, lp: &Lwp) -> SysResult<Option<VnodeRef>> {
        lp.file(self.fd).map(|f| Some(f.vnode.clone())).map_err(|_| Errno::ENOENT)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct Device {
    head: Head,
    ino: u64,
    kind: Kind,
    rdev: u64,
    made_ns: i64,
}

impl Vnode for Device {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        // Serving what is attached is for init.
        let bits = if self.kind == Kind::Attach { 0o600 } else { 0o666 };
        Owner { mode: mode::IFCHR | bits, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let dir = directory(&self.head, self.ino, 1, 0, self.made_ns);
        Ok(Stat { mode: self.owner().mode, rdev: self.rdev, ..dir })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        // Times go nowhere; `touch /dev/null` is no error.
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
    fn open(&self, lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        match self.kind {
            Kind::Tty => tty::session::controlling(lp).map(Some),
            Kind::Ptmx => tty::open_master(lp).map(Some),
            Kind::Attach => Ok(Some(tty::attach::Attach::open(lp))),
            Kind::Console => Terminal::console(lp).map(Some),
            _ => Ok(None),
        }
    }
    fn read(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        match self.kind {
            Kind::Zero | Kind::Full => {
                while uio.resid > 0 {
                    uio.copy_out(&ZEROS)?;
                }
            }
            Kind::Random => {
                let mut piece = [0; 256];
                // As Linux gives at once: the asker of gigabytes comes again, and may be stopped between.
                let last = uio.resid.saturating_sub(RANDOM_MAX);
                while uio.resid > last {
                    let n = piece.len().min(uio.resid - last);
                    uio.lwp().machine().random(&mut piece[..n]);
                    uio.copy_out(&piece[..n])?;
                }
            }
            _ => {}
        }
        Ok(())
    }
    fn quick(&self) -> bool {
        matches!(self.kind, Kind::Null | Kind::Zero | Kind::Full)
    }
    fn read_piece(&self, lp: &Lwp, piece: Piece, _offset: u64) -> Option<Count> {
        if self.kind == Kind::Null { None } else { piece.give(lp, &ZEROS) }
    }
    fn write_piece(&self, lp: &Lwp, piece: Piece, _offset: u64) -> Option<Count> {
        if self.kind == Kind::Full { None } else { piece.swallow(lp) }
    }
    fn write(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        if self.kind == Kind::Full && uio.resid > 0 {
            return Err(Errno::ENOSPC);
        }
        uio.resid = 0;
        Ok(())
    }
    /// What they move does not depend on where: no offset, and so no lock on it.
    fn positioned(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::number_of;

    #[test]
    fn descriptors_have_one_name_each() {
        assert_eq!(number_of(b"0"), Some(0));
        assert_eq!(number_of(b"1023"), Some(1023));
        for bad in [&b""[..], b"-1", b"+1", b"01", b"1a", b"4294967296", b"99999999999"] {
            assert_eq!(number_of(bad), None);
        }
    }
}
