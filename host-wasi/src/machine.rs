//! The machine of one vkernel: everything that its hypercalls work on.
//!
//! Made when the vkernel is booted, shared by its task and the stores of its lwps, gone with the
//! last of them. See [`TaskCell`] for why hardly anything here has a lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::types::vmctl;
use tokio::sync::Semaphore;

use crate::bootimage::BootImage;
use crate::builder::HostShared;
use crate::cache::COMPILING;
use crate::devices::Devices;
use crate::disk::Disk;
use crate::external::External;
use crate::hostfs;
use crate::images::Images;
use crate::mapping::Pool;
use crate::memory::{KernelMemory, Space, Total};
use crate::taskcell::TaskCell;
use sched::Sched;

/// How a vkernel ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with the wait status of pid 1.
    Halted(u32),
    /// The kernel's fault, or the machine's.
    Panicked(String),
    /// Its time was over.
    TimedOut,
    /// By the embedder.
    Killed,
}

/// Where the time went, in nanoseconds.
#[derive(Default)]
pub(crate) struct Times {
    pub boot: AtomicU64,
    pub compile: AtomicU64,
    pub instantiate: AtomicU64,
    pub run: AtomicU64,
}

pub(crate) struct Machine {
    pub host: Arc<HostShared>,
    pub memory: Arc<KernelMemory>,
    pub external: Arc<External>,
    /// Blob 0.
    pub config: Vec<u8>,
    pub boot_image: BootImage,
    pub sched: TaskCell<Sched>,
    pub spaces: TaskCell<HashMap<u32, Vmspace>>,
    pub images: TaskCell<Images>,
    pub devices: TaskCell<Devices>,
    pub files: TaskCell<hostfs::Server>,
    /// By unit.
    pub disks: Vec<Disk>,
    /// Its turns to compile.
    pub compiling: Arc<Semaphore>,
    ending: TaskCell<Option<Ending>>,
    pub total: Arc<Total>,
    pub times: Times,
}

/// What an id of the kernel's names.
pub(crate) struct Vmspace {
    /// What its lwp is in, or will be.
    pub space: Arc<Space>,
    /// What it will be in after exec.
    next: Option<Arc<Space>>,
    limit: u64,
    /// Lwps that may run in it.
    pub lwps: u32,
}

impl Machine {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        host: Arc<HostShared>,
        memory: Arc<KernelMemory>,
        boot_image: BootImage,
        config: Vec<u8>,
        devices: Devices,
        files: hostfs::Server,
        disks: Vec<Disk>,
        total_memory: u64,
    ) -> Arc<Machine> {
        Arc::new(Machine {
            host,
            memory,
            external: Arc::default(),
            config,
            boot_image,
            sched: TaskCell::new(Sched::new()),
            spaces: TaskCell::new(HashMap::new()),
            images: TaskCell::new(Images::default()),
            devices: TaskCell::new(devices),
            files: TaskCell::new(files),
            disks,
            compiling: Arc::new(Semaphore::new(COMPILING)),
            ending: TaskCell::new(None),
            total: Total::new(total_memory),
            times: Times::default(),
        })
    }

    /// Ends the vkernel as soon as the task looks. The first reason counts.
    pub fn end(&self, how: Ending) {
        self.ending.with(|ending| _ = ending.get_or_insert(how));
    }

    pub fn ending(&self) -> Option<Ending> {
        self.ending.with(|ending| ending.clone())
    }

    pub fn has_ended(&self) -> bool {
        self.ending.with(|ending| ending.is_some())
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.host.pool
    }

    pub fn vmspace_create(&self, id: u32, image: u32, limit: u64) -> Result<(), Errno> {
        let initial = self.images.with(|images| images.get(image)).ok_or(Errno::ENOENT)?.initial_bytes;
        self.spaces.with(|spaces| {
            if spaces.contains_key(&id) {
                return Err(Errno::EEXIST);
            }
            let space = Space::new(&self.total, self.pool(), initial, limit)?;
            spaces.insert(id, Vmspace { space, next: None, limit, lwps: 0 });
            Ok(())
        })
    }

    /// `memory` is that of the caller, whose address space is `from`.
    pub fn vmspace_fork(&self, id: u32, from: u32, memory: &[u8]) -> Result<(), Errno> {
        self.spaces.with(|spaces| {
            if spaces.contains_key(&id) {
                return Err(Errno::EEXIST);
            }
            let limit = spaces.get(&from).ok_or(Errno::ENOENT)?.limit;
            let space = Space::copy(&self.total, self.pool(), memory, limit)?;
            spaces.insert(id, Vmspace { space, next: None, limit, lwps: 0 });
            Ok(())
        })
    }

    pub fn vmspace_destroy(&self, id: u32) -> Result<(), Errno> {
        self.spaces.with(|spaces| {
            if spaces.get(&id).ok_or(Errno::ENOENT)?.lwps > 0 {
                return Err(Errno::EBUSY);
            }
            spaces.remove(&id);
            Ok(())
        })
    }

    pub fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        if cmd == vmctl::HANDLERS {
            let image = self.images.with(|i| i.get(arg as u32)).ok_or(Errno::ENOENT)?;
            return Ok(image.handler.is_some() as u64);
        }
        let fresh = match cmd {
            vmctl::EXEC => Some(self.images.with(|i| i.get(arg as u32)).ok_or(Errno::ENOENT)?.initial_bytes),
            _ => None,
        };
        self.spaces.with(|spaces| {
            let vmspace = spaces.get_mut(&id).ok_or(Errno::ENOENT)?;
            match cmd {
                vmctl::SIZE => Ok(vmspace.space.size()),
                vmctl::PEAK => Ok(vmspace.space.peak()),
                vmctl::SET_LIMIT => {
                    vmspace.limit = arg;
                    vmspace.space.set_limit(arg);
                    Ok(0)
                }
                vmctl::EXEC => {
                    let initial = fresh.ok_or(Errno::ENOENT)?;
                    vmspace.next = Some(Space::new(&self.total, self.pool(), initial, vmspace.limit)?);
                    Ok(0)
                }
                _ => Err(Errno::ENOTSUP),
            }
        })
    }

    /// The space that an lwp enters now: the one prepared for exec, if there is one.
    pub fn enter_vmspace(&self, id: u32) -> Result<Arc<Space>, Errno> {
        self.spaces.with(|spaces| {
            let vmspace = spaces.get_mut(&id).ok_or(Errno::ENOENT)?;
            if let Some(next) = vmspace.next.take() {
                vmspace.space = next;
            }
            Ok(vmspace.space.clone())
        })
    }

    /// Counts an lwp in or out.
    pub fn count_lwp(&self, vmspace: u32, by: i32) {
        self.spaces.with(|spaces| {
            if let Some(v) = spaces.get_mut(&vmspace) {
                v.lwps = v.lwps.saturating_add_signed(by);
            }
        });
    }
}

impl Times {
    /// Adds what has passed since `since` to one of them.
    pub fn add(to: &AtomicU64, since: u64) {
        to.fetch_add(crate::clock::monotonic_ns().saturating_sub(since), Relaxed);
    }
}
