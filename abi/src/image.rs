//! The boot image's index and the boot configuration, as the host hands them to the kernel.
//!
//! Both are flat little-endian records read with [`crate::wire::Reader`]. File contents stay with
//! the host as numbered *blobs* until somebody reads them.

use crate::wire::Reader;
use crate::{Errno, SysResult};

/// Blob 0: [`BootConfig`].
pub const BLOB_CONFIG: u32 = 0;
/// Blob 1: the index, a sequence of [`Entry`]s; a directory stands before what it holds.
pub const BLOB_INDEX: u32 = 1;
/// Blobs from here are files.
pub const BLOB_FIRST: u32 = 2;

/// One file of the image. Wire form: `u32 mode, u32 uid, u32 gid, i64 mtime_ns, u64 size, u32 blob,
/// string path, string target`. `path` is relative to the root without leading or trailing slash;
/// `target` is a symbolic link's text, or the path of the entry this one is a hard link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Type and permissions; 0 says hard link.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_ns: i64,
    pub size: u64,
    /// 0 when there is no content; the device number of a device node.
    pub blob: u32,
    pub path: &'a [u8],
    pub target: &'a [u8],
}

/// Reads the index, entry by entry.
pub struct Index<'a>(pub Reader<'a>);

impl<'a> Index<'a> {
    pub fn next_entry(&mut self) -> SysResult<Option<Entry<'a>>> {
        let r = &mut self.0;
        if r.rest().is_empty() {
            return Ok(None);
        }
        Ok(Some(Entry {
            mode: r.u32()?,
            uid: r.u32()?,
            gid: r.u32()?,
            mtime_ns: r.i64()?,
            size: r.u64()?,
            blob: r.u32()?,
            path: r.string()?,
            target: r.string()?,
        }))
    }
}

/// What a kernel boots with, a sequence of records `u32 kind, u32 length, payload`. Unknown kinds
/// are `EINVAL`: host and kernel come from one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config<'a> {
    /// The program of pid 1: a path, or (when it holds no slash) a name to look for in PATH.
    Program(&'a [u8]),
    /// A program outside the image, as a blob, called by this name.
    ProgramBlob(u32, &'a [u8]),
    /// One more argument; the first is argv\[0\].
    Arg(&'a [u8]),
    /// `NAME=VALUE`.
    Env(&'a [u8]),
    /// The working directory.
    Workdir(&'a [u8]),
    /// `hostfs` export number, `mnt` flags, mount point (made if it isn't there; `/` replaces the root).
    HostDir(u32, u32, &'a [u8]),
    /// Default limit of one of `types::rlimit`.
    Limit(u32, u64),
    /// Bytes that the tmpfs of the root may hold.
    TmpfsSize(u64),
    /// Processes in all.
    MaxProcs(u32),
    /// pid 1 is an `init` that waits for its orphans; else they are reaped by the kernel.
    Init,
    /// Count system calls by name.
    Stats,
    /// Print a line for each call to the console: a comma-separated list of names, all when empty.
    Trace(&'a [u8]),
    /// User and group id of pid 1.
    Ids(u32, u32),
    /// The host's name.
    Hostname(&'a [u8]),
    /// Bytes of kernel memory that may be used, file contents included.
    KernelMemory(u64),
    /// Disk unit, `mnt` flags, mount point. A disk that was never used begins with what the image has there.
    Disk(u32, u32, &'a [u8]),
    /// How many lwps may run at the same time, for those who ask; 1 where it isn't said.
    Cpus(u32),
}

/// Reads the configuration, record by record.
pub struct BootConfig<'a>(pub Reader<'a>);

/// Numbers of the records, in the order of [`Config`].
pub mod kind {
    pub const PROGRAM: u32 = 1;
    pub const PROGRAM_BLOB: u32 = 2;
    pub const ARG: u32 = 3;
    pub const ENV: u32 = 4;
    pub const WORKDIR: u32 = 5;
    pub const HOST_DIR: u32 = 6;
    pub const LIMIT: u32 = 7;
    pub const TMPFS_SIZE: u32 = 8;
    pub const MAX_PROCS: u32 = 9;
    pub const INIT: u32 = 10;
    pub const STATS: u32 = 11;
    pub const TRACE: u32 = 12;
    pub const IDS: u32 = 13;
    pub const HOSTNAME: u32 = 14;
    pub const KERNEL_MEMORY: u32 = 15;
    pub const DISK: u32 = 16;
    pub const CPUS: u32 = 17;
}

impl<'a> BootConfig<'a> {
    pub fn next_record(&mut self) -> SysResult<Option<Config<'a>>> {
        if self.0.rest().is_empty() {
            return Ok(None);
        }
        let nr = self.0.u32()?;
        let mut r = Reader::new(self.0.string()?);
        Ok(Some(match nr {
            kind::PROGRAM => Config::Program(r.rest()),
            kind::PROGRAM_BLOB => Config::ProgramBlob(r.u32()?, r.rest()),
            kind::ARG => Config::Arg(r.rest()),
            kind::ENV => Config::Env(r.rest()),
            kind::WORKDIR => Config::Workdir(r.rest()),
            kind::HOST_DIR => Config::HostDir(r.u32()?, r.u32()?, r.rest()),
            kind::LIMIT => Config::Limit(r.u32()?, r.u64()?),
            kind::TMPFS_SIZE => Config::TmpfsSize(r.u64()?),
            kind::MAX_PROCS => Config::MaxProcs(r.u32()?),
            kind::INIT => Config::Init,
            kind::STATS => Config::Stats,
            kind::TRACE => Config::Trace(r.rest()),
            kind::IDS => Config::Ids(r.u32()?, r.u32()?),
            kind::HOSTNAME => Config::Hostname(r.rest()),
            kind::KERNEL_MEMORY => Config::KernelMemory(r.u64()?),
            kind::CPUS => Config::Cpus(r.u32()?),
            kind::DISK => Config::Disk(r.u32()?, r.u32()?, r.rest()),
            _ => return Err(Errno::EINVAL),
        }))
    }
}
