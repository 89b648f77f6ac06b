//! Names that were looked up in file systems where asking is slow.
//!
//! Only mounts that say `cached` use it. Names that aren't there are not kept: the other side of a
//! shared directory may make them at any time. The cache is bounded; when it is full it is emptied.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};

use abi::SysResult;
use hashbrown::HashMap;
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::vnode::{Vnode, VnodeRef};

/// Names kept at most.
const MAX: usize = 4096;

/// A directory, by its address while somebody refers to it, and a name in it.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    dir: usize,
    name: Box<[u8]>,
}

struct Known {
    /// To see that the directory is still the one that was meant.
    dir: Weak<dyn Vnode>,
    vp: Weak<dyn Vnode>,
}

pub struct NameCache {
    map: SpinLock<HashMap<Key, Known>>,
}

impl Default for NameCache {
    fn default() -> Self {
        NameCache { map: SpinLock::new(&locks::NAMECACHE, HashMap::default()) }
    }
}

fn key(dir: &VnodeRef, name: &[u8]) -> Key {
    Key { dir: Arc::as_ptr(dir).cast::<()>() as usize, name: name.into() }
}

impl NameCache {
    /// `dir.lookup`, through the cache.
    pub fn lookup(&self, lp: &Lwp, dir: &VnodeRef, name: &[u8]) -> SysResult<VnodeRef> {
        let key = key(dir, name);
        let hit = {
            let map = self.map.lock();
            map.get(&key).filter(|k| k.dir.strong_count() > 0).and_then(|k| k.vp.upgrade())
        };
        if let Some(vp) = hit {
            return Ok(vp);
        }
        let vp = dir.lookup(lp, name)?;
        let known = Known { dir: Arc::downgrade(dir), vp: Arc::downgrade(&vp) };
        let old = {
            let mut map = self.map.lock();
            let full = map.len() >= MAX || map.try_reserve(1).is_err();
            let old = if full { Some(core::mem::take(&mut *map)) } else { None };
            map.insert(key, known);
            old
        };
        drop(old);
        Ok(vp)
    }

    /// A name changed its meaning.
    pub fn purge(&self, dir: &VnodeRef, name: &[u8]) {
        let old = self.map.lock().remove(&key(dir, name));
        drop(old);
    }
}
