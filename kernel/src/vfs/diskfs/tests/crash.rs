//! A crash at any moment: the next mount finds the state of one moment, no earlier than the last sync.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::o;

use super::work::{Dump, Op, difference, dump};
use super::{HOME, boot, disk, idle};
use crate::machdep::fake::Rng;
use crate::machdep::fake::disk::Disk;
use crate::tests::seeds;

/// What there was after an operation, and how many writes and flushes the disk had seen.
struct Moment {
    events: usize,
    synced: bool,
    dump: Dump,
    op: Option<Op>,
}

/// Works on a disk that keeps a log.
fn work(disk: &Arc<Disk>, seed: u64, steps: usize, large: usize) -> Vec<Moment> {
    let vk = boot(disk);
    disk.record();
    let log = disk.clone();
    let moments = vk.init(move |sys| {
        let mut rng = Rng::new(seed);
        let mut moments = Vec::new();
        moments.push(Moment { events: 0, synced: true, dump: dump(sys, HOME, true), op: None });
        let mut next = None;
        for _ in 0..steps {
            let mut op = next.take().unwrap_or_else(|| Op::random(&mut rng, large));
            // What comes before the write may be committed without it.
            if let Op::Write { len, flags, .. } = &mut op
                && *len > 0
                && *flags & o::CREAT == 0
            {
                let mut rest = op.clone();
                if let (Op::Write { len, .. }, Op::Write { flags, .. }) = (&mut op, &mut rest) {
                    *len = 0;
                    *flags = *flags & !o::TRUNC | o::CREAT;
                }
                next = Some(rest);
            }
            let synced = op.run(sys, HOME).is_ok() && op.syncs();
            // Looking takes no time, but moves times of access, which may be written.
            let dump = dump(sys, HOME, true);
            let events = log.state().log.len();
            moments.push(Moment { events, synced, dump, op: Some(op) });
        }
        moments
    });
    assert_eq!(vk.shutdown(0), 0);
    moments
}

/// Crashes after so many events and looks what the next mount finds.
fn crash(disk: &Disk, moments: &[Moment], events: usize, rng: &mut Rng, name: &str) {
    let after = Disk::new(disk.crashed(events, rng), disk.state().size);
    let vk = boot(&after);
    let found = vk.init(|sys| dump(sys, HOME, true));
    let first = moments.iter().rposition(|m| m.synced && m.events <= events).unwrap_or(0);
    let last = moments.iter().position(|m| m.events > events).unwrap_or(moments.len() - 1);
    if !moments[first..=last].iter().any(|m| m.dump == found) {
        let ops: Vec<_> = moments[first..=last].iter().map(|m| &m.op).collect();
        let near = moments[first..=last].iter().min_by_key(|m| difference(&m.dump, &found).len());
        let near = near.unwrap_or(&moments[last]);
        panic!(
            "{name}, crash after {events}: none of the states after {ops:?}; the next, after {:?}, differs:\n{}",
            near.op,
            difference(&near.dump, &found)
        );
    }
    // It goes on from there.
    let go_on = rng.below(4) == 0;
    if go_on {
        let seed = rng.draw();
        let want = vk.init(move |sys| {
            let mut rng = Rng::new(seed);
            for _ in 0..10 {
                let _ = Op::random(&mut rng, 100_000).run(sys, HOME);
            }
            dump(sys, HOME, true)
        });
        idle(&vk, false);
        assert_eq!(vk.shutdown(0), 0);
        let vk = boot(&after);
        let found = vk.init(|sys| dump(sys, HOME, true));
        assert!(want == found, "{name}, crash after {events}, then more:\n{}", difference(&want, &found));
        vk.shutdown(0);
    } else {
        vk.shutdown(0);
    }
}

#[test]
fn after_every_write() {
    seeds(0..6, |seed| {
        let disk = disk();
        let moments = work(&disk, seed, 40, 100_000);
        let events = disk.state().log.len();
        let mut rng = Rng::new(!seed);
        for at in 0..=events {
            crash(&disk, &moments, at, &mut rng, &format!("seed {seed}"));
        }
    });
}

#[test]
fn here_and_there_in_more_work() {
    seeds(100..130, |seed| {
        let disk = disk();
        let moments = work(&disk, seed, 80, 1_500_000);
        let events = disk.state().log.len();
        let mut rng = Rng::new(!seed);
        for _ in 0..8 {
            let at = rng.below(events as u64 + 1) as usize;
            crash(&disk, &moments, at, &mut rng, &format!("seed {seed}"));
        }
    });
}

/// Where there is hardly room: every other write finds none, and journals are short.
#[test]
fn on_a_disk_that_is_nearly_full() {
    seeds(200..230, |seed| {
        let disk = Disk::new(Default::default(), (400 + 100 * (seed % 8)) << 10);
        let moments = work(&disk, seed, 80, 200_000);
        let events = disk.state().log.len();
        let mut rng = Rng::new(!seed);
        for _ in 0..12 {
            let at = rng.below(events as u64 + 1) as usize;
            crash(&disk, &moments, at, &mut rng, &format!("seed {seed}"));
        }
    });
}

/// A disk that was never used is as unused after a crash in its first boot, or is ready.
#[test]
fn in_the_first_use() {
    let fake = |disk: &Arc<Disk>| {
        let content: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        crate::machdep::fake::Fake::seeded(3)
            .dir("home")
            .dir("home/d")
            .file("home/d/f", &content)
            .symlink("home/l", "d/f")
            .disk(disk, 0, HOME)
    };
    let first = disk();
    first.record();
    let vk = fake(&first).boot();
    let want = vk.init(|sys| dump(sys, HOME, true));
    assert_eq!(want.len(), 4);
    vk.shutdown(0);
    let events = first.state().log.len();
    let mut rng = Rng::new(1);
    for at in 0..=events {
        for _ in 0..4 {
            let after = Disk::new(first.crashed(at, &mut rng), 64 << 20);
            let vk = fake(&after).boot();
            let found = vk.init(|sys| dump(sys, HOME, true));
            assert!(want == found, "crash after {at}:\n{}", difference(&want, &found));
            vk.shutdown(0);
        }
    }
}
