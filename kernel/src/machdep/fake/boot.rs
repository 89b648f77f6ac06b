//! What a fake machine boots with: programs, files, the boot configuration.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::image::{BLOB_CONFIG, BLOB_FIRST, BLOB_INDEX, kind};
use abi::types::mode;
use abi::{Errno, SysResult};

use super::disk::Disk;
use super::hostfs::HostDirs;
use super::lwp;
use super::machine::FakeMachine;
use super::sched::Goal;
use super::{Sys, Vk};
use crate::Kernel;

/// What a test's closure does in its process.
pub type Body = Box<dyn FnOnce(&Sys) + Send>;

/// A machine that isn't switched on yet.
pub struct Fake {
    pub machine: Arc<FakeMachine>,
    config: Vec<u8>,
    index: Vec<u8>,
    next_blob: u32,
    program: String,
}

impl Fake {
    /// With pid 1 and the test's processes as programs, and the directories they need.
    pub fn seeded(seed: u64) -> Fake {
        let machine = FakeMachine::new(seed);
        let (config, index) = (Vec::new(), Vec::new());
        let mut f = Fake { machine, config, index, next_blob: BLOB_FIRST, program: "/bin/init".to_string() };
        for dir in ["bin", "dev", "proc", "tmp"] {
            f = f.dir(dir);
        }
        f.program("init", serve).program("test", run_body)
    }

    /// A program, as `/bin/NAME`.
    pub fn program(self, name: &str, f: impl Fn(&Sys) -> i32 + Send + Sync + 'static) -> Fake {
        self.machine.world().programs.insert(name.to_string(), Arc::new(f));
        let content = format!("#image {name}\n");
        self.file_mode(&format!("bin/{name}"), content.as_bytes(), 0o755)
    }

    /// A file of the boot image; its path without the first slash.
    pub fn file(self, path: &str, content: &[u8]) -> Fake {
        self.file_mode(path, content, 0o644)
    }

    pub fn file_mode(mut self, path: &str, content: &[u8], perm: u32) -> Fake {
        let blob = self.next_blob;
        self.next_blob += 1;
        self.machine.world().blobs.insert(blob, content.to_vec());
        self.entry(mode::IFREG | perm, content.len() as u64, blob, path, "");
        self
    }

    pub fn dir(mut self, path: &str) -> Fake {
        self.entry(mode::IFDIR | 0o755, 0, 0, path, "");
        self
    }

    pub fn symlink(mut self, path: &str, target: &str) -> Fake {
        self.entry(mode::IFLNK | 0o777, target.len() as u64, 0, path, target);
        self
    }

    /// As `abi::image::Entry` is written.
    fn entry(&mut self, mode: u32, size: u64, blob: u32, path: &str, target: &str) {
        let w = &mut self.index;
        for v in [mode, 0, 0] {
            w.extend_from_slice(&v.to_le_bytes());
        }
        w.extend_from_slice(&1_000_000_000u64.to_le_bytes());
        w.extend_from_slice(&size.to_le_bytes());
        w.extend_from_slice(&blob.to_le_bytes());
        for s in [path, target] {
            w.extend_from_slice(&(s.len() as u32).to_le_bytes());
            w.extend_from_slice(s.as_bytes());
        }
    }

    /// A record of the boot configuration, `abi::image::kind`.
    pub fn config(mut self, kind: u32, payload: &[u8]) -> Fake {
        self.config.extend_from_slice(&kind.to_le_bytes());
        self.config.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.config.extend_from_slice(payload);
        self
    }

    /// Orphans become the children of pid 1 and stay until it waits.
    pub fn init_waits(self) -> Fake {
        self.config(kind::INIT, &[])
    }

    /// What the root may hold, bytes.
    pub fn tmpfs_size(self, bytes: u64) -> Fake {
        self.config(kind::TMPFS_SIZE, &bytes.to_le_bytes())
    }

    pub fn max_procs(self, n: u32) -> Fake {
        self.config(kind::MAX_PROCS, &n.to_le_bytes())
    }

    /// An empty directory of the host's, mounted at `path`.
    pub fn host_dir(self, path: &str) -> Fake {
        let export = self.machine.world().host.get_or_insert_with(HostDirs::new).export();
        let mut payload = [export.to_le_bytes(), 0u32.to_le_bytes()].concat();
        payload.extend_from_slice(path.as_bytes());
        self.config(kind::HOST_DIR, &payload)
    }

    /// A disk, mounted at `path` with these `mnt` flags.
    pub fn disk(self, disk: &Arc<Disk>, flags: u32, path: &str) -> Fake {
        let unit = {
            let mut w = self.machine.world();
            w.disks.push(disk.clone());
            w.disks.len() as u32 - 1
        };
        let mut payload = [unit.to_le_bytes(), flags.to_le_bytes()].concat();
        payload.extend_from_slice(path.as_bytes());
        self.config(kind::DISK, &payload)
    }

    /// Another program for pid 1; then only `Vk::run` and the like make sense.
    pub fn pid1(mut self, path: &str) -> Fake {
        self.program = path.to_string();
        self
    }

    /// What a unit is, a `types::devctl::KIND_`.
    pub fn unit(self, unit: u32, kind: u32) -> Fake {
        self.machine.world().units[unit as usize].kind = kind;
        self
    }

    /// Sleepers are woken for no reason now and then, as a futex may.
    pub fn spurious(self) -> Fake {
        self.machine.sched.set_spurious(32);
        self
    }

    /// Loses the baton at one point in `n`; else the seed chooses how often.
    pub fn switch_one_in(self, n: u64) -> Fake {
        self.machine.sched.set_switch(n);
        self
    }

    fn finish(self) -> Fake {
        let program = self.program.clone();
        let f = self.config(kind::PROGRAM, program.as_bytes()).config(kind::ARG, program.as_bytes());
        let mut w = f.machine.world();
        w.blobs.insert(BLOB_CONFIG, f.config.clone());
        w.blobs.insert(BLOB_INDEX, f.index.clone());
        drop(w);
        f
    }

    /// Switches it on; pid 1 waits for the test when this answers.
    pub fn boot(self) -> Vk {
        let vk = self.power_on();
        vk.machine.sched.run(Goal::Idle(vk.init), true);
        vk
    }

    /// Switches it on; nothing has run yet.
    pub fn power_on(self) -> Vk {
        let seed = self.machine.sched.seed();
        self.try_power_on().unwrap_or_else(|e| panic!("seed {seed}: boot: {e}"))
    }

    /// As `power_on`; an error when the kernel doesn't come up.
    pub fn try_power_on(self) -> SysResult<Vk> {
        let machine = self.finish().machine;
        let kernel = Kernel::new(machine.clone());
        kernel.boot()?;
        kernel.start()?;
        let first = kernel.first_lwp().ok_or(Errno::ESRCH)?;
        let init = lwp::start(&machine, &first);
        Ok(Vk { kernel, machine, init })
    }
}

/// The program of pid 1: does what `Vk::init` asks.
fn serve(sys: &Sys) -> i32 {
    loop {
        let command = sys.machine.world().commands.pop_front();
        match command {
            Some(f) => f(sys),
            None => sys.idle(),
        }
    }
}

/// The program of `Vk::lwp`: the closure its last argument names.
fn run_body(sys: &Sys) -> i32 {
    let key = sys.argv().last().and_then(|a| a.parse::<usize>().ok());
    let body: Option<Body> = key.and_then(|k| sys.machine.world().bodies.get_mut(k)?.take());
    match body {
        Some(f) => {
            f(sys);
            0
        }
        None => 127,
    }
}
