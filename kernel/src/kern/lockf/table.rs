//! Which ranges of which files are locked, by whom, and who waits for one.
//!
//! A file has two spaces of locks that do not see each other: ranges, for fcntl(2), and the whole, for
//! flock(2). Locks of one owner and kind in a space never overlap nor touch: they have been merged.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::{Errno, SysResult};

use crate::kern::proc::Pid;
use crate::kern::synch::WaitQueue;

/// The last byte that can be locked.
pub const LAST: u64 = i64::MAX as u64;
/// Locks of one owner in a file, or of one process in all files, and of all: kernel memory is not for them.
const OWNER_MAX: usize = 2048;
const ALL_MAX: usize = 1 << 16;

/// A file, by the address of its vnode (`Vnode::lock_key`), and whether flock(2) is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    pub vnode: usize,
    pub whole: bool,
}

/// Whose a lock is: a process's, or an open file description's (by its address).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    Proc(Pid),
    File(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Shared: others may read, too.
    Read,
    Write,
}

/// Bytes from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub first: u64,
    pub last: u64,
}

impl Range {
    pub const ALL: Range = Range { first: 0, last: LAST };

    fn overlaps(self, o: Range) -> bool {
        self.first <= o.last && o.first <= self.last
    }
    /// Overlaps, or is next to it.
    fn touches(self, o: Range) -> bool {
        self.first <= o.last.saturating_add(1) && o.first <= self.last.saturating_add(1)
    }
    fn union(self, o: Range) -> Range {
        Range { first: self.first.min(o.first), last: self.last.max(o.last) }
    }
}

/// A lock, or what is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    pub owner: Owner,
    pub kind: Kind,
    pub range: Range,
}

impl Lock {
    /// True when both can't be.
    fn excludes(&self, o: &Lock) -> bool {
        self.owner != o.owner && (self.kind == Kind::Write || o.kind == Kind::Write) && self.range.overlaps(o.range)
    }
}

#[derive(Default)]
struct Entry {
    locks: Vec<Lock>,
    /// Woken when a lock goes or shrinks.
    queue: Arc<WaitQueue>,
    waiting: usize,
}

/// A process that sleeps until it has a lock of its own.
struct Waiting {
    pid: Pid,
    key: Key,
    want: Lock,
    /// For [`Table::deadlock`]: somebody waits for it, and what it waits for has been looked at.
    found: bool,
    done: bool,
}

/// Those who are to be woken, once the table is let go of.
#[must_use]
pub struct Wake(Option<Arc<WaitQueue>>);

impl Wake {
    pub fn now(self) {
        if let Some(queue) = self.0 {
            queue.wake_all();
        }
    }
}

#[derive(Default)]
pub struct Table {
    files: BTreeMap<Key, Entry>,
    waiting: Vec<Waiting>,
    /// Locks in all.
    total: usize,
}

impl Table {
    /// The first lock that is in the way.
    pub fn conflict(&self, key: Key, want: &Lock) -> Option<Lock> {
        let locks = self.files.get(&key)?.locks.iter();
        locks.filter(|l| l.excludes(want)).min_by_key(|l| l.range.first).copied()
    }

    /// The kind of lock that somebody has, of a byte.
    pub fn held(&self, key: Key, owner: Owner, at: u64) -> Option<Kind> {
        let mut locks = self.files.get(&key)?.locks.iter();
        locks.find(|l| l.owner == owner && l.range.first <= at && at <= l.range.last).map(|l| l.kind)
    }

    /// Locks a range, over what the owner had there. EAGAIN when another's lock is in the way, ENOLCK. `count` is
    /// kept up: the owner's locks in all files, or just how many more there are.
    pub fn set(&mut self, key: Key, want: Lock, count: &mut usize) -> SysResult<Wake> {
        if self.conflict(key, &want).is_some() {
            return Err(Errno::EAGAIN);
        }
        self.limit(key, want.owner, *count)?;
        let entry = self.files.entry(key).or_default();
        // One lock may become two, and one is new.
        let room = entry.locks.try_reserve(2).map_err(|_| Errno::ENOLCK);
        let before = entry.locks.len();
        if room.is_ok() {
            entry.change(want.owner, want.range, Some(want.kind));
        }
        let queue = (want.kind == Kind::Read).then(|| entry.queue.clone());
        self.changed(key, before, count);
        room.map(|()| Wake(queue))
    }

    /// ENOLCK when an owner may have no more, with `count` as for `set`.
    fn limit(&self, key: Key, owner: Owner, count: usize) -> SysResult<()> {
        let here = self.files.get(&key).map_or(0, |e| e.locks.iter().filter(|l| l.owner == owner).count());
        if here.max(count) >= OWNER_MAX || self.total >= ALL_MAX { Err(Errno::ENOLCK) } else { Ok(()) }
    }

    /// Unlocks a range. ENOLCK when a lock that becomes two has no place.
    pub fn clear(&mut self, key: Key, owner: Owner, range: Range, count: &mut usize) -> SysResult<Wake> {
        let splits = |l: &Lock| l.owner == owner && l.range.first < range.first && range.last < l.range.last;
        let splits = self.files.get(&key).is_some_and(|e| e.locks.iter().any(splits));
        if splits {
            self.limit(key, owner, *count)?;
        }
        let Some(entry) = self.files.get_mut(&key) else { return Ok(Wake(None)) };
        if splits {
            entry.locks.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        }
        let before = entry.locks.len();
        entry.change(owner, range, None);
        let queue = entry.queue.clone();
        self.changed(key, before, count);
        Ok(Wake(Some(queue)))
    }

    /// Unlocks all that somebody has in a file.
    pub fn release(&mut self, key: Key, owner: Owner, count: &mut usize) -> Wake {
        // Nothing is left to be split.
        self.clear(key, owner, Range::ALL, count).unwrap_or(Wake(None))
    }

    /// A file in which the owner has locks.
    pub fn any_of(&self, owner: Owner) -> Option<Key> {
        self.files.iter().find(|(_, e)| e.locks.iter().any(|l| l.owner == owner)).map(|(key, _)| *key)
    }

    /// There were so many locks of a file.
    fn changed(&mut self, key: Key, before: usize, count: &mut usize) {
        let Some(entry) = self.files.get(&key) else { return };
        let now = entry.locks.len();
        self.total = self.total + now - before;
        *count = count.wrapping_add(now).wrapping_sub(before);
        self.tidy(key);
    }

    fn tidy(&mut self, key: Key) {
        if self.files.get(&key).is_some_and(|e| e.locks.is_empty() && e.waiting == 0) {
            self.files.remove(&key);
        }
    }

    /// Somebody is going to wait for a lock, until `leave`: where. ENOLCK.
    pub fn enter(&mut self, key: Key, pid: Pid, want: Lock) -> SysResult<Arc<WaitQueue>> {
        self.waiting.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        self.waiting.push(Waiting { pid, key, want, found: false, done: false });
        let entry = self.files.entry(key).or_default();
        entry.waiting += 1;
        Ok(entry.queue.clone())
    }

    pub fn leave(&mut self, key: Key, pid: Pid) {
        self.waiting.retain(|w| w.pid != pid);
        if let Some(entry) = self.files.get_mut(&key) {
            entry.waiting -= 1;
        }
        self.tidy(key);
    }

    /// True when `pid`, which waits, is waited for by one of those that it waits for: fcntl(2), EDEADLK. Then it
    /// waits no longer, so that others see no circle. Locks of open file descriptions have nobody who could be
    /// found to wait, as on Linux.
    pub fn deadlock(&mut self, pid: Pid) -> bool {
        for w in &mut self.waiting {
            (w.found, w.done) = (w.pid == pid, false);
        }
        while let Some(at) = self.waiting.iter().position(|w| w.found && !w.done) {
            self.waiting[at].done = true;
            let (key, want) = (self.waiting[at].key, self.waiting[at].want);
            let Some(entry) = self.files.get(&key) else { continue };
            for lock in entry.locks.iter().filter(|l| l.excludes(&want)) {
                let Owner::Proc(holder) = lock.owner else { continue };
                if holder == pid {
                    self.waiting.retain(|w| w.pid != pid);
                    return true;
                }
                self.waiting.iter_mut().filter(|w| w.pid == holder).for_each(|w| w.found = true);
            }
        }
        false
    }

    /// Locks and those who wait, for tests.
    #[cfg(test)]
    pub fn size(&self) -> (usize, usize, usize) {
        (self.files.len(), self.total, self.waiting.len())
    }
}

impl Entry {
    /// The range becomes this, for the owner; there is room for two more.
    fn change(&mut self, owner: Owner, range: Range, kind: Option<Kind>) {
        let mut merged = range;
        let mut at = 0;
        while let Some(l) = self.locks.get(at).copied() {
            if l.owner == owner && Some(l.kind) == kind && l.range.touches(range) {
                merged = merged.union(l.range);
                self.locks.swap_remove(at);
            } else if l.owner == owner && l.range.overlaps(range) {
                self.locks.swap_remove(at);
                if l.range.first < range.first {
                    self.locks.push(Lock { range: Range { last: range.first - 1, ..l.range }, ..l });
                }
                if l.range.last > range.last {
                    self.locks.push(Lock { range: Range { first: range.last + 1, ..l.range }, ..l });
                }
            } else {
                at += 1;
            }
        }
        if let Some(kind) = kind {
            self.locks.push(Lock { owner, kind, range: merged });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { vnode: 1, whole: false };

    /// Against a table with an entry for each byte.
    #[test]
    fn random_changes_leave_what_a_plain_model_has() {
        const BYTES: usize = 24;
        let mut rng = crate::machdep::fake::Rng::new(7);
        let mut next = |n: u64| rng.below(n) as usize;
        for _ in 0..300 {
            let (mut table, mut model) = (Table::default(), [[None; BYTES]; 3]);
            let mut counts = [0; 3];
            for _ in 0..60 {
                let (who, a, b, what) = (next(3), next(BYTES as u64), next(BYTES as u64), next(3));
                let range = Range { first: a.min(b) as u64, last: a.max(b) as u64 };
                let bytes = a.min(b)..=a.max(b);
                let owner = Owner::Proc(who as i32 + 1);
                let kind = [None, Some(Kind::Read), Some(Kind::Write)][what];
                let others = |k: Kind| {
                    let clash = |have: &Option<Kind>| have.is_some_and(|h| h == Kind::Write || k == Kind::Write);
                    (0..3).any(|o| o != who && model[o][bytes.clone()].iter().any(clash))
                };
                let refused = kind.is_some_and(others);
                let done = match kind {
                    Some(kind) => table.set(KEY, Lock { owner, kind, range }, &mut counts[who]),
                    None => table.clear(KEY, owner, range, &mut counts[who]),
                };
                assert_eq!(done.err(), refused.then_some(Errno::EAGAIN));
                if !refused {
                    model[who][bytes].fill(kind);
                }
                for (o, bytes) in model.iter().enumerate() {
                    let owner = Owner::Proc(o as i32 + 1);
                    let have: Vec<_> = (0..BYTES as u64).map(|at| table.held(KEY, owner, at)).collect();
                    assert_eq!(&have[..], &bytes[..]);
                    // As few locks as can be.
                    let runs = bytes.iter().scan(None, |last, k| {
                        let begins = k.is_some() && *last != Some(*k);
                        *last = Some(*k);
                        Some(begins as usize)
                    });
                    assert_eq!(counts[o], runs.sum::<usize>());
                }
            }
            for (o, count) in counts.iter_mut().enumerate() {
                let _ = table.release(KEY, Owner::Proc(o as i32 + 1), count);
            }
            assert_eq!((counts, table.size()), ([0; 3], (0, 0, 0)));
        }
    }

    #[test]
    fn the_last_byte_touches_nothing_behind_it() {
        let (mut table, mut count) = (Table::default(), 0);
        let owner = Owner::File(9);
        for first in [LAST, 0] {
            let want = Lock { owner, kind: Kind::Write, range: Range { first, last: first.max(5) } };
            let _ = table.set(KEY, want, &mut count).expect("set");
        }
        assert_eq!(count, 2);
        let _ = table.set(KEY, Lock { owner, kind: Kind::Write, range: Range::ALL }, &mut count).expect("set");
        assert_eq!(count, 1);
    }

    #[test]
    fn an_owner_and_all_have_a_limit() {
        let mut table = Table::default();
        let lock = |who, at| Lock { owner: Owner::Proc(who), kind: Kind::Read, range: Range { first: at, last: at } };
        for who in 0..(ALL_MAX / OWNER_MAX) as i32 {
            let mut count = 0;
            for n in 0..OWNER_MAX as u64 {
                let _ =
                    table.set(Key { vnode: who as usize, whole: false }, lock(who, n * 2), &mut count).expect("set");
            }
            let more = table.set(KEY, lock(who, 1 << 40), &mut count);
            assert_eq!(more.err(), Some(Errno::ENOLCK));
        }
        assert_eq!(table.set(KEY, lock(-1, 0), &mut 0).err(), Some(Errno::ENOLCK));
    }
}
