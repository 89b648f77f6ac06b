//! What a kernel is told at boot: [`BootOptions`], and its encoding as the records of
//! [`abi::image::Config`].
//!
//! Whoever builds a vkernel fills in the options; the encoded bytes are handed over once, as blob 0,
//! when the kernel boots. Nothing here reads the process's environment or the file system.

use abi::image::kind;
use abi::wire::Writer;

/// Which program becomes pid 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A path in the guest, or, without a slash, a name to look for in the guest's PATH.
    Path(Vec<u8>),
    /// A blob of the boot image that stands in no directory, called by this name.
    Blob(u32, Vec<u8>),
}

/// A shared directory as the guest sees it. Its export number is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDir {
    /// Where it is mounted; `/` replaces the root.
    pub guest: Vec<u8>,
    /// The guest may not change it. The host's file server must be told as well; this only makes
    /// the mount say so.
    pub read_only: bool,
}

/// A disk as the guest sees it. Its unit is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskMount {
    /// Where it is mounted.
    pub guest: Vec<u8>,
    /// The guest may not change it.
    pub read_only: bool,
}

/// All that a kernel can be told. `None` leaves a choice to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootOptions {
    pub program: Program,
    /// With `argv[0]`, if it isn't empty; else the program's name is the only argument.
    pub args: Vec<Vec<u8>>,
    /// `NAME=VALUE`, in this order.
    pub env: Vec<Vec<u8>>,
    pub workdir: Option<Vec<u8>>,
    /// Host directories and disks are mounted from the outside in.
    pub host_dirs: Vec<HostDir>,
    pub disks: Vec<DiskMount>,
    /// Limits of `abi::types::rlimit`: number and value.
    pub limits: Vec<(u32, u64)>,
    /// Bytes that the files of the root may take.
    pub tmpfs_size: Option<u64>,
    /// Processes in all.
    pub max_procs: Option<u32>,
    /// pid 1 waits for orphans itself.
    pub init: bool,
    /// Count system calls by name.
    pub stats: bool,
    /// Trace these calls, comma-separated; all of them when empty.
    pub trace: Option<String>,
    /// User and group of pid 1.
    pub ids: Option<(u32, u32)>,
    pub hostname: Option<String>,
    /// Bytes of kernel memory, file contents included.
    pub kernel_memory: Option<u64>,
}

impl BootOptions {
    /// Options that run this program and leave everything else to the kernel.
    pub fn new(program: Program) -> Self {
        BootOptions {
            program,
            args: Vec::new(),
            env: Vec::new(),
            workdir: None,
            host_dirs: Vec::new(),
            disks: Vec::new(),
            limits: Vec::new(),
            tmpfs_size: None,
            max_procs: None,
            init: false,
            stats: false,
            trace: None,
            ids: None,
            hostname: None,
            kernel_memory: None,
        }
    }

    /// The records, as `abi::image::BootConfig` reads them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        match &self.program {
            Program::Path(path) => record(&mut out, kind::PROGRAM, &[path]),
            Program::Blob(blob, name) => record(&mut out, kind::PROGRAM_BLOB, &[&blob.to_le_bytes(), name]),
        }
        for arg in &self.args {
            record(&mut out, kind::ARG, &[arg]);
        }
        for var in &self.env {
            record(&mut out, kind::ENV, &[var]);
        }
        if let Some(dir) = &self.workdir {
            record(&mut out, kind::WORKDIR, &[dir]);
        }
        for (kind, nr, read_only, guest) in self.mounts() {
            let flags = if read_only { abi::types::mnt::RDONLY } else { 0 };
            record(&mut out, kind, &[&nr.to_le_bytes(), &flags.to_le_bytes(), guest]);
        }
        for (resource, value) in &self.limits {
            record(&mut out, kind::LIMIT, &[&resource.to_le_bytes(), &value.to_le_bytes()]);
        }
        self.encode_rest(&mut out);
        out
    }

    /// Kind of record, number, read-only, place. A mount hides what was mounted below it before: the
    /// outer ones first.
    fn mounts(&self) -> Vec<(u32, u32, bool, &[u8])> {
        let dirs = (0..).zip(&self.host_dirs).map(|(nr, d)| (kind::HOST_DIR, nr, d.read_only, &d.guest[..]));
        let disks = (0..).zip(&self.disks).map(|(nr, d)| (kind::DISK, nr, d.read_only, &d.guest[..]));
        let mut all: Vec<_> = dirs.chain(disks).collect();
        all.sort_by_key(|m| m.3.split(|&b| b == b'/').filter(|part| !part.is_empty()).count());
        all
    }

    /// The records that are there once or not at all.
    fn encode_rest(&self, out: &mut Vec<u8>) {
        if let Some(size) = self.tmpfs_size {
            record(out, kind::TMPFS_SIZE, &[&size.to_le_bytes()]);
        }
        if let Some(n) = self.max_procs {
            record(out, kind::MAX_PROCS, &[&n.to_le_bytes()]);
        }
        if self.init {
            record(out, kind::INIT, &[]);
        }
        if self.stats {
            record(out, kind::STATS, &[]);
        }
        if let Some(calls) = &self.trace {
            record(out, kind::TRACE, &[calls.as_bytes()]);
        }
        if let Some((uid, gid)) = self.ids {
            record(out, kind::IDS, &[&uid.to_le_bytes(), &gid.to_le_bytes()]);
        }
        if let Some(bytes) = self.kernel_memory {
            record(out, kind::KERNEL_MEMORY, &[&bytes.to_le_bytes()]);
        }
        if let Some(name) = &self.hostname {
            record(out, kind::HOSTNAME, &[name.as_bytes()]);
        }
    }
}

/// Appends `u32 kind, u32 length, payload`.
fn record(out: &mut Vec<u8>, kind: u32, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    let mut head = [0; 8];
    Writer::new(&mut head).u32(kind).u32(len as u32);
    out.extend_from_slice(&head);
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::image::{BootConfig, Config};
    use abi::types::{mnt, rlimit};
    use abi::wire::Reader;

    fn read(bytes: &[u8]) -> Vec<Config<'_>> {
        let mut r = BootConfig(Reader::new(bytes));
        let mut out = Vec::new();
        while let Some(record) = r.next_record().expect("a record that the kernel can read") {
            out.push(record);
        }
        out
    }

    #[test]
    fn what_is_encoded_is_what_the_kernel_reads() {
        let mut o = BootOptions::new(Program::Blob(7, b"hello.wasm".to_vec()));
        o.args = vec![b"hello".to_vec(), b"".to_vec(), b"a b\n\xff".to_vec()];
        o.env = vec![b"PATH=/bin".to_vec(), b"EMPTY=".to_vec()];
        o.workdir = Some(b"/src".to_vec());
        o.host_dirs = vec![
            HostDir { guest: b"/src".to_vec(), read_only: false },
            HostDir { guest: b"/data".to_vec(), read_only: true },
        ];
        o.disks = vec![
            DiskMount { guest: b"/data/home".to_vec(), read_only: true },
            DiskMount { guest: b"/home".to_vec(), read_only: false },
        ];
        o.limits = vec![(rlimit::AS, 1 << 33), (rlimit::NOFILE, 256)];
        o.tmpfs_size = Some(5 << 32);
        o.max_procs = Some(64);
        o.init = true;
        o.stats = true;
        o.trace = Some("open,read".into());
        o.ids = Some((1000, 100));
        o.hostname = Some("box".into());
        o.kernel_memory = Some(64 << 20);
        let bytes = o.encode();
        assert_eq!(
            read(&bytes),
            [
                Config::ProgramBlob(7, b"hello.wasm"),
                Config::Arg(b"hello"),
                Config::Arg(b""),
                Config::Arg(b"a b\n\xff"),
                Config::Env(b"PATH=/bin"),
                Config::Env(b"EMPTY="),
                Config::Workdir(b"/src"),
                Config::HostDir(0, 0, b"/src"),
                Config::HostDir(1, mnt::RDONLY, b"/data"),
                Config::Disk(1, 0, b"/home"),
                Config::Disk(0, mnt::RDONLY, b"/data/home"),
                Config::Limit(rlimit::AS, 1 << 33),
                Config::Limit(rlimit::NOFILE, 256),
                Config::TmpfsSize(5 << 32),
                Config::MaxProcs(64),
                Config::Init,
                Config::Stats,
                Config::Trace(b"open,read"),
                Config::Ids(1000, 100),
                Config::KernelMemory(64 << 20),
                Config::Hostname(b"box"),
            ]
        );
    }

    #[test]
    fn what_is_not_said_is_left_to_the_kernel() {
        let bytes = BootOptions::new(Program::Path(b"sh".to_vec())).encode();
        assert_eq!(read(&bytes), [Config::Program(b"sh")]);
    }
}
