//! Names that were looked up in file systems where asking is slow: those whose mount says `cached`.
//!
//! What is known holds for a moment only, as the other side of a shared directory may change it at
//! any time; names that aren't there are not kept for that reason. The cache holds on to the files,
//! so it is small: when it is full it is emptied.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::SysResult;
use abi::types::clock;
use hashbrown::HashMap;
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::vnode::VnodeRef;

/// Names kept at most. Each directory among them is one that the host keeps open.
const MAX: usize = 256;
/// How long a name is believed.
pub const TRUST_NS: u64 = 50_000_000;

/// The names of one directory, which is known by its address as long as `dir` holds it.
struct Known {
    dir: VnodeRef,
    names: HashMap<Box<[u8]>, (VnodeRef, u64)>,
}

#[derive(Default)]
struct Map {
    dirs: HashMap<usize, Known>,
    count: usize,
}

pub struct NameCache {
    map: SpinLock<Map>,
}

impl Default for NameCache {
    fn default() -> Self {
        NameCache { map: SpinLock::new(&locks::NAMECACHE, Map::default()) }
    }
}

fn address(dir: &VnodeRef) -> usize {
    Arc::as_ptr(dir).cast::<()>() as usize
}

impl NameCache {
    /// `dir.lookup`, through the cache.
    pub fn lookup(&self, lp: &Lwp, dir: &VnodeRef, name: &[u8]) -> SysResult<VnodeRef> {
        let now = lp.machine().clock(clock::MONOTONIC, 0);
        let known = self.map.lock().dirs.get(&address(dir)).and_then(|k| k.names.get(name)).cloned();
        if let Some((vp, until)) = known
            && now < until
        {
            return Ok(vp);
        }
        match dir.lookup(lp, name) {
            Ok(vp) if vp.cachable() => {
                self.enter(dir, name, &vp, now.saturating_add(TRUST_NS));
                Ok(vp)
            }
            other => {
                self.purge(dir, name);
                other
            }
        }
    }

    fn enter(&self, dir: &VnodeRef, name: &[u8], vp: &VnodeRef, until: u64) {
        let mut map = self.map.lock();
        // What goes is let go with no lock held: that may talk to the host.
        let emptied = if map.count >= MAX { core::mem::take(&mut *map) } else { Map::default() };
        let known =
            map.dirs.entry(address(dir)).or_insert_with(|| Known { dir: dir.clone(), names: HashMap::default() });
        let old = known.names.insert(name.into(), (vp.clone(), until));
        map.count += old.is_none() as usize;
        drop(map);
        drop((emptied, old));
    }

    /// A name changed its meaning.
    pub fn purge(&self, dir: &VnodeRef, name: &[u8]) {
        let mut map = self.map.lock();
        let Some(known) = map.dirs.get_mut(&address(dir)) else { return };
        let old = known.names.remove(name);
        let empty = known.names.is_empty();
        let gone = if empty { map.dirs.remove(&address(dir)) } else { None };
        map.count -= old.is_some() as usize;
        drop(map);
        drop((old, gone.map(|k| k.dir)));
    }

    /// Forgets all, before an unmount.
    pub fn clear(&self) {
        let all = core::mem::take(&mut *self.map.lock());
        drop(all);
    }
}
