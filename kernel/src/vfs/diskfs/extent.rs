//! Where the blocks of a file are: runs in rising order that neither overlap nor could be one.

use alloc::vec::Vec;

use abi::{Errno, SysResult};

use super::format::Extent;

#[derive(Default)]
pub struct Map {
    list: Vec<Extent>,
    blocks: u64,
}

impl Map {
    /// Blocks that are somewhere.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }
    pub fn extents(&self) -> &[Extent] {
        &self.list
    }
    pub fn take(&mut self) -> Vec<Extent> {
        self.blocks = 0;
        core::mem::take(&mut self.list)
    }

    /// The first extent that ends behind a block.
    fn place(&self, at: u64) -> usize {
        self.list.partition_point(|e| e.at + e.len as u64 <= at)
    }

    /// Where a block is, and how many follow it there.
    pub fn find(&self, at: u64) -> Option<(u32, u32)> {
        let e = self.list.get(self.place(at))?;
        let skip = at.checked_sub(e.at)? as u32;
        Some((e.disk + skip, e.len - skip))
    }

    /// The first block from `at` on that is somewhere.
    pub fn next(&self, at: u64) -> Option<u64> {
        self.list.get(self.place(at)).map(|e| e.at.max(at))
    }

    /// The extents between two blocks, cut to them.
    pub fn range(&self, from: u64, to: u64) -> impl Iterator<Item = Extent> + '_ {
        self.list[self.place(from)..].iter().take_while(move |e| e.at < to).map(move |e| {
            let (at, end) = (e.at.max(from), (e.at + e.len as u64).min(to));
            Extent { at, disk: e.disk + (at - e.at) as u32, len: (end - at) as u32 }
        })
    }

    /// The blocks between two are nowhere any more; tells where they were. ENOMEM, with nothing done.
    pub fn clear(&mut self, from: u64, to: u64, mut freed: impl FnMut(u32, u32)) -> SysResult<()> {
        self.list.try_reserve(2).map_err(|_| Errno::ENOMEM)?;
        let mut i = self.place(from);
        if let Some(e) = self.list.get(i).copied()
            && e.at < from
        {
            let keep = (from - e.at) as u32;
            self.list[i].len = keep;
            i += 1;
            self.list.insert(i, Extent { at: from, disk: e.disk + keep, len: e.len - keep });
        }
        let mut j = i;
        while let Some(e) = self.list.get_mut(j)
            && e.at < to
        {
            let n = (to - e.at).min(e.len as u64) as u32;
            freed(e.disk, n);
            self.blocks -= n as u64;
            if n < e.len {
                *e = Extent { at: to, disk: e.disk + n, len: e.len - n };
                break;
            }
            j += 1;
        }
        self.list.drain(i..j);
        Ok(())
    }

    /// Blocks that were nowhere are here now. ENOMEM, with nothing done.
    pub fn set(&mut self, new: Extent) -> SysResult<()> {
        self.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let i = self.place(new.at);
        self.blocks += new.len as u64;
        let joins = |a: &Extent, b: &Extent| {
            a.at + a.len as u64 == b.at && a.disk + a.len == b.disk && a.len.checked_add(b.len).is_some()
        };
        let after = self.list.get(i).is_some_and(|e| joins(&new, e));
        if i > 0 && joins(&self.list[i - 1], &new) {
            self.list[i - 1].len += new.len;
            if after {
                self.list[i - 1].len += self.list[i].len;
                self.list.remove(i);
            }
        } else if after {
            let e = &mut self.list[i];
            *e = Extent { len: e.len + new.len, ..new };
        } else {
            self.list.insert(i, new);
        }
        Ok(())
    }
}

/// Ranges of blocks whose places changed: what the journal is to be told. Few; when they are many,
/// one that spans them.
#[derive(Default)]
pub struct Changes(Vec<(u64, u64)>);

const CHANGES_MAX: usize = 256;

impl Changes {
    /// ENOMEM.
    pub fn add(&mut self, from: u64, to: u64) -> SysResult<()> {
        if let Some(last) = self.0.last_mut()
            && from <= last.1
            && to >= last.0
        {
            *last = (last.0.min(from), last.1.max(to));
            return Ok(());
        }
        if self.0.len() >= CHANGES_MAX {
            let all = self.0.iter().fold((from, to), |a, b| (a.0.min(b.0), a.1.max(b.1)));
            self.0.clear();
            self.0.push(all);
            return Ok(());
        }
        self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.0.push((from, to));
        Ok(())
    }
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machdep::fake::Rng;
    use alloc::collections::BTreeMap;

    #[test]
    fn it_is_the_same_as_a_table_of_blocks() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let (mut map, mut table) = (Map::default(), BTreeMap::new());
            for step in 0..400u32 {
                let (from, n) = (rng.below(100), 1 + rng.below(20));
                let mut freed = Vec::new();
                map.clear(from, from + n, |d, n| freed.extend(d..d + n)).unwrap();
                let was: Vec<u32> = (from..from + n).filter_map(|b| table.remove(&b)).collect();
                assert_eq!(freed, was);
                if rng.one_in(3) {
                    continue;
                }
                // Often right behind what stands before it, so that runs are joined.
                let disk = match from.checked_sub(1).and_then(|b| table.get(&b)) {
                    Some(d) if rng.one_in(2) => d + 1,
                    _ => 1000 * step,
                };
                map.set(Extent { at: from, disk, len: n as u32 }).unwrap();
                table.extend((0..n).map(|i| (from + i, disk + i as u32)));
                assert_eq!(map.blocks(), table.len() as u64);
                for b in 0..130 {
                    assert_eq!(map.find(b).map(|f| f.0), table.get(&b).copied(), "seed {seed} block {b}");
                    assert_eq!(map.next(b), table.range(b..).next().map(|e| *e.0));
                }
                let few = map.range(10, 40).map(|e| e.len as usize).sum::<usize>();
                assert_eq!(few, table.range(10..40).count());
                for w in map.extents().windows(2) {
                    let end = w[0].at + w[0].len as u64;
                    assert!(end < w[1].at || end == w[1].at && w[0].disk + w[0].len != w[1].disk);
                }
            }
        }
    }

    #[test]
    fn many_changes_become_one() {
        let mut c = Changes::default();
        c.add(5, 6).unwrap();
        c.add(6, 9).unwrap();
        c.add(4, 5).unwrap();
        assert_eq!(c.iter().collect::<Vec<_>>(), [(4, 9)]);
        for i in 0..1000 {
            c.add(i * 10 + 100, i * 10 + 101).unwrap();
        }
        assert!(c.iter().count() <= CHANGES_MAX);
        for i in 0..1000 {
            assert!(c.iter().any(|(a, b)| a <= i * 10 + 100 && i * 10 + 101 <= b));
        }
    }
}
