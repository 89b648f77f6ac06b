//! Disks that somebody else wrote to, or time: the kernel refuses them or makes do, and never panics.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::work::Op;
use super::{HOME, disk, with};
use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Rng};
use crate::tests::seeds;
use crate::vfs::diskfs::format::{BATCH_HEADER, BLOCK, Batch, RUN_HEADER, SUPER, Slot, Super, hash};

/// Boots with a disk and works on it; answers the exit status and what the console says.
fn try_boot(bytes: Bytes, seed: u64) -> (u32, alloc::string::String) {
    let disk = Disk::new(bytes, 64 << 20);
    let vk = Fake::seeded(1).disk(&disk, 0, HOME).power_on();
    vk.try_init(move |sys| {
        let mut rng = Rng::new(seed);
        let _ = sys.ls(HOME);
        for _ in 0..20 {
            let _ = Op::random(&mut rng, 50_000).run(sys, HOME);
        }
        let _ = sys.call("sync", &[]);
    });
    if vk.exit_status().is_none() {
        vk.shutdown(0);
    }
    (vk.exit_status().unwrap_or(1), vk.console())
}

/// A disk with a snapshot of some files and a journal of some batches.
fn used(seed: u64) -> Bytes {
    let disk = disk();
    with(&disk, move |sys| {
        let mut rng = Rng::new(seed);
        for step in 0..60 {
            let _ = Op::random(&mut rng, 100_000).run(sys, HOME);
            if step % 10 == 0 {
                let _ = sys.call("sync", &[]);
            }
        }
    });
    // The first boot's journal becomes a snapshot only when it is full, so most of it is journal.
    disk.state().bytes.clone()
}

fn newest(bytes: &Bytes) -> Super {
    let slot = |at: u64| {
        let mut b = [0; SUPER];
        bytes.read(at, &mut b);
        Super::decode(&b)
    };
    [slot(0), slot(BLOCK as u64)]
        .into_iter()
        .filter_map(|s| if let Ok(Slot::Valid(s)) = s { Some(s) } else { None })
        .max_by_key(|s| s.generation)
        .expect("a superblock")
}

/// A snapshot's payload, when it is one run.
fn payload(bytes: &Bytes, s: &Super) -> Vec<u8> {
    let mut out = alloc::vec![0; s.bytes as usize];
    assert!(s.bytes as usize <= s.len as usize * BLOCK - RUN_HEADER);
    bytes.read(s.start as u64 * BLOCK as u64 + RUN_HEADER as u64, &mut out);
    out
}

#[test]
fn garbage_is_left_as_it_is() {
    let mut rng = Rng::new(1);
    let mut bytes = Bytes::default();
    let mut junk = alloc::vec![0; 100_000];
    rng.fill(&mut junk);
    bytes.write(0, &junk);
    let disk = Disk::new(bytes, 64 << 20);
    let vk = Fake::seeded(1).disk(&disk, 0, HOME).power_on();
    vk.run();
    assert_eq!(vk.exit_status(), Some(126 << 8));
    assert!(
        vk.console().contains("disk 0: holds something that isn't a file system of this kernel"),
        "{}",
        vk.console()
    );
    let mut after = alloc::vec![0; 100_000];
    disk.state().bytes.read(0, &mut after);
    assert!(after == junk && disk.state().bytes.len() < 110_000);
    // Not ours either: nothing but zeros at first, as other file systems have it.
    let mut bytes = Bytes::default();
    bytes.write(32 << 10, b"\x01CD001\x01");
    assert_eq!(try_boot(bytes, 1).0, 126 << 8);
}

#[test]
fn another_version_is_refused() {
    let mut bytes = used(1);
    let mut s = newest(&bytes).encode();
    s[8] = 9;
    let h = hash(0, &s[..SUPER - 8]);
    s[SUPER - 8..].copy_from_slice(&h.to_le_bytes());
    bytes.write(0, &s);
    let (status, said) = try_boot(bytes, 1);
    assert_eq!(status, 126 << 8);
    assert!(said.contains("disk 0: is of version 9"), "{said}");
}

#[test]
fn flipped_bits_anywhere() {
    let base = used(2);
    let blocks = base.len() / BLOCK as u64;
    seeds(0..300, |seed| {
        let mut rng = Rng::new(seed);
        let mut bytes = base.clone();
        for _ in 0..=rng.below(4) {
            // The superblocks more often than the rest.
            let block = if rng.one_in(3) { rng.below(2) } else { rng.below(blocks) };
            let within = if rng.one_in(2) { 64 } else { 4096 };
            let at = block * BLOCK as u64 + rng.below(within);
            let mut b = [0];
            bytes.read(at, &mut b);
            bytes.write(at, &[b[0] ^ 1 << rng.below(8)]);
        }
        try_boot(bytes, seed);
    });
}

/// Changes whose hashes are right: what a damaged kernel, or an enemy, would write.
#[test]
fn records_that_make_no_sense() {
    let base = used(3);
    let newest = newest(&base);
    seeds(0..600, |seed| {
        let mut rng = Rng::new(seed);
        let mut bytes = base.clone();
        let mut choice = rng.clone();
        let mut change = |data: &mut [u8]| {
            for _ in 0..=rng.below(3) {
                let at = rng.below(data.len() as u64) as usize;
                data[at] = if rng.one_in(2) { rng.draw() as u8 } else { data[at] ^ 1 << rng.below(8) };
            }
        };
        let snapshot = payload(&base, &newest);
        if seed % 3 == 0 {
            let mut data = snapshot;
            change(&mut data);
            bytes.write(newest.start as u64 * BLOCK as u64 + RUN_HEADER as u64, &data);
            let s = Super { hash: hash(newest.generation ^ newest.id, &data), ..newest };
            bytes.write((s.generation & 1) * BLOCK as u64, &s.encode());
        } else {
            change_batch(&mut bytes, &snapshot, &mut choice, &mut change);
        }
        try_boot(bytes, seed);
    });
}

fn change_batch(bytes: &mut Bytes, snapshot: &[u8], rng: &mut Rng, change: &mut dyn FnMut(&mut [u8])) {
    // The first record: kind, start, length of the journal.
    let word = |at: usize| u32::from_le_bytes([snapshot[at], snapshot[at + 1], snapshot[at + 2], snapshot[at + 3]]);
    let (start, len) = (word(1), word(5));
    let mut at = start;
    let skip = rng.below(4);
    for n in 0.. {
        let mut head = [0; BATCH_HEADER];
        bytes.read(at as u64 * BLOCK as u64, &mut head);
        let Some((batch, _)) = Batch::decode(&head).filter(|_| at < start + len) else { return };
        if n == skip && batch.bytes > 0 {
            let mut data = alloc::vec![0; batch.bytes as usize];
            bytes.read(at as u64 * BLOCK as u64 + BATCH_HEADER as u64, &mut data);
            change(&mut data);
            let head = batch.encode(&data);
            bytes.write(at as u64 * BLOCK as u64, &head);
            bytes.write(at as u64 * BLOCK as u64 + BATCH_HEADER as u64, &data);
            return;
        }
        at += Batch::blocks(batch.bytes as usize);
    }
}

#[test]
fn a_disk_that_is_too_small() {
    let disk: Arc<Disk> = Disk::new(Bytes::default(), 100 << 10);
    let vk = Fake::seeded(1).disk(&disk, 0, HOME).power_on();
    vk.run();
    assert_eq!(vk.exit_status(), Some(126 << 8));
    assert!(vk.console().contains("disk 0: is too small"), "{}", vk.console());
}
