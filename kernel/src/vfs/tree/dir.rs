//! The entries of a directory that is held in memory.
//!
//! Entries stand in the order they were made, each under a number that only grows: that is the
//! cookie of `readdir`, so that a reader goes on at the right place whatever happened between. A
//! removed entry leaves a gap; gaps are closed when they are half of all. Names are found by hash.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::{Errno, SysResult};
use hashbrown::HashTable;

use crate::vfs::path::{copy_short, same_short};

/// The first cookie: 0 means the beginning.
pub const FIRST_COOKIE: u64 = 1;

/// Names up to this length stand in their entry.
const SHORT: usize = 19;

pub struct Entry<N> {
    pub cookie: u64,
    hash: u32,
    len: u8,
    short: [u8; SHORT],
    long: Box<[u8]>,
    /// None in a gap.
    pub node: Option<Arc<N>>,
}

impl<N> Entry<N> {
    #[inline]
    pub fn name(&self) -> &[u8] {
        if self.len as usize <= SHORT { &self.short[..self.len as usize] } else { &self.long }
    }
}

/// A directory's own state, under its lock.
pub struct Entries<N> {
    /// The directory above; dangling at the root.
    pub parent: Weak<N>,
    /// Taken out of its parent: nothing is made in it any more.
    pub removed: bool,
    seed: u32,
    list: Vec<Entry<N>>,
    live: usize,
    next_cookie: u64,
    /// Places in `list`.
    index: HashTable<u32>,
}

impl<N> Entries<N> {
    /// `seed` makes the hash one that programs can't foresee.
    pub fn new(parent: Weak<N>, seed: u32) -> Entries<N> {
        Entries {
            parent,
            removed: false,
            seed,
            list: Vec::new(),
            live: 0,
            next_cookie: FIRST_COOKIE,
            index: HashTable::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        let hash = hash(self.seed, name);
        let same = |&i: &u32| {
            let e = &self.list[i as usize];
            e.hash == hash && same_short(e.name(), name)
        };
        self.index.find(spread(hash), same).map(|&i| i as usize)
    }

    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Arc<N>> {
        self.list[self.find(name)?].node.as_ref()
    }

    /// ENOENT when the directory was removed, EEXIST, ENOSPC when there is no memory.
    pub fn insert(&mut self, name: &[u8], node: Arc<N>) -> SysResult<()> {
        if self.removed {
            return Err(Errno::ENOENT);
        }
        if self.find(name).is_some() {
            return Err(Errno::EEXIST);
        }
        let mut long = Vec::new();
        let out_of_line = if name.len() > SHORT { name.len() } else { 0 };
        let room = long.try_reserve_exact(out_of_line).is_ok() && self.list.try_reserve(1).is_ok();
        let list = &self.list;
        let room = room && self.index.try_reserve(1, |&i| spread(list[i as usize].hash)).is_ok();
        if !room {
            return Err(Errno::ENOSPC);
        }
        let len = u8::try_from(name.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        let mut short = [0; SHORT];
        if out_of_line > 0 {
            long.extend_from_slice(name);
        } else {
            copy_short(&mut short, name);
        }
        let hash = hash(self.seed, name);
        let at = self.list.len() as u32;
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.list.push(Entry { cookie, hash, len, short, long: long.into(), node: Some(node) });
        let list = &self.list;
        self.index.insert_unique(spread(hash), at, |&i| spread(list[i as usize].hash));
        self.live += 1;
        Ok(())
    }

    /// Puts another node under a name that is there; answers the old one.
    pub fn replace(&mut self, name: &[u8], node: Arc<N>) -> Option<Arc<N>> {
        let at = self.find(name)?;
        self.list[at].node.replace(node)
    }

    /// Takes an entry out. The caller drops the node with no lock held.
    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<N>> {
        let at = self.find(name)?;
        let hash = spread(self.list[at].hash);
        if let Ok(slot) = self.index.find_entry(hash, |&i| i as usize == at) {
            slot.remove();
        }
        let e = &mut self.list[at];
        e.long = Box::default();
        let node = e.node.take();
        self.live -= 1;
        while self.list.last().is_some_and(|e| e.node.is_none()) {
            self.list.pop();
        }
        if self.list.len() > 2 * self.live + 16 {
            self.close_gaps();
        }
        node
    }

    fn close_gaps(&mut self) {
        self.list.retain(|e| e.node.is_some());
        self.index.clear();
        let list = &self.list;
        for (i, e) in list.iter().enumerate() {
            self.index.insert_unique(spread(e.hash), i as u32, |&i| spread(list[i as usize].hash));
        }
    }

    /// The entries after a cookie.
    pub fn after(&self, cookie: u64) -> impl Iterator<Item = &Entry<N>> {
        let from = self.list.partition_point(|e| e.cookie <= cookie);
        self.list[from..].iter().filter(|e| e.node.is_some())
    }

    /// Empties it, for the end of a file system.
    pub fn take_all(&mut self) -> Vec<Arc<N>> {
        self.index.clear();
        self.live = 0;
        core::mem::take(&mut self.list).into_iter().filter_map(|e| e.node).collect()
    }
}

/// 32 bits, as entries are many and this machine's words are small.
fn hash(seed: u32, name: &[u8]) -> u32 {
    let mut h = seed;
    let mut words = name.chunks_exact(4);
    for w in &mut words {
        h = (h.rotate_left(5) ^ u32::from_le_bytes([w[0], w[1], w[2], w[3]])).wrapping_mul(0x9E37_79B1);
    }
    // The rest in one, with its length above it.
    let last = match *words.remainder() {
        [a] => u32::from_le_bytes([a, 0, 0, 1]),
        [a, b] => u32::from_le_bytes([a, b, 0, 2]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 3]),
        _ => 0,
    };
    h = (h.rotate_left(5) ^ last).wrapping_mul(0x9E37_79B1);
    h ^ h >> 15
}

/// The table looks at the highest bits and at the lowest.
#[inline]
fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn names(e: &Entries<u32>, cookie: u64) -> Vec<Vec<u8>> {
        e.after(cookie).map(|e| e.name().to_vec()).collect()
    }

    #[test]
    fn a_reader_goes_on_where_it_was_whatever_happened() {
        let mut e = Entries::new(Weak::new(), 1);
        for i in 0..100u32 {
            e.insert(format!("f{i}").as_bytes(), Arc::new(i)).unwrap();
        }
        let cookie = e.after(0).nth(49).unwrap().cookie;
        // Everything read so far goes, and some of the rest: gaps are closed on the way.
        for i in (0..50).chain(60..100) {
            assert!(e.remove(format!("f{i}").as_bytes()).is_some());
        }
        e.insert(b"new", Arc::new(0)).unwrap();
        let left = names(&e, cookie);
        assert_eq!(left.len(), 11);
        assert_eq!((&left[0][..], &left[10][..]), (&b"f50"[..], &b"new"[..]));
        assert!(e.list.len() < 40);
    }

    #[test]
    fn names_are_unique_and_found() {
        let mut e = Entries::new(Weak::new(), 1);
        e.insert(b"a", Arc::new(1)).unwrap();
        assert_eq!(e.insert(b"a", Arc::new(2)), Err(Errno::EEXIST));
        assert_eq!(e.get(b"a").map(|n| **n), Some(1));
        assert!(e.get(b"b").is_none());
        assert_eq!(e.replace(b"a", Arc::new(3)).map(|n| *n), Some(1));
        assert_eq!(e.remove(b"a").map(|n| *n), Some(3));
        assert!(e.is_empty() && e.remove(b"a").is_none());
        e.removed = true;
        assert_eq!(e.insert(b"c", Arc::new(1)), Err(Errno::ENOENT));
    }

    #[test]
    fn cookies_only_grow() {
        let mut e = Entries::new(Weak::new(), 1);
        let mut last = 0;
        for _ in 0..100 {
            e.insert(b"x", Arc::new(0)).unwrap();
            let cookie = e.after(0).next().unwrap().cookie;
            assert!(cookie > last);
            last = cookie;
            e.remove(b"x");
        }
    }
}
