//! What is asked of the kernel: arguments that get far, and some that are wild.

use abi::syscalls::{Arg, Module, Syscall};
use abi::types::o;
use vkernel_sys::Spawn;

use crate::call::CWD;

/// SplitMix64: a run that fails can be had again.
pub struct Rng(pub u64);

impl Rng {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

const PATHS: [&str; 22] = [
    "",
    ".",
    "..",
    "/",
    "/tmp",
    "/tmp/",
    "/tmp/a",
    "/tmp/b",
    "/tmp/d/e",
    "/tmp/l",
    "a",
    "b",
    "d",
    "../tmp/a",
    "/tmp/d/..",
    "/dev/null",
    "/dev/zero",
    "/dev/fd/0",
    "/proc/self/fd",
    "/proc/self/status",
    "/proc/1/maps",
    "/tmp/\0nul",
];
const KINDS: [&str; 5] = ["tmpfs", "procfs", "devfs", "hostfs", "ext4"];

const ODD: [u64; 14] =
    [0, 1, 2, 7, 8, 255, 4096, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 40, 1 << 63, u64::MAX];
const FLAGS: [u32; 10] = [
    1,
    2,
    o::CREAT,
    o::CREAT | o::RDWR,
    o::CREAT | o::EXCL | o::WRONLY,
    o::DIRECTORY,
    o::NONBLOCK,
    0x100,
    0x200,
    0x400,
];
/// Where directories come to stand: WASI's preopened one, and two of `open_all` in the main program.
const DIRS: [u64; 3] = [3, 8, 9];

/// The part of the memory that the kernel is told to write to, and what it is told to read: junk,
/// structures, strings.
pub struct Arena {
    bytes: Vec<u8>,
    strings: Vec<(u64, u64)>,
    requests: Vec<(u64, u64)>,
    kinds: Vec<(u64, u64)>,
}

const SIZE: usize = 96 << 10;
/// Structures from here on, and 30 KiB before that anything may be written to.
const STRUCTS: usize = 31_000;
const STRINGS: usize = 32 << 10;

impl Arena {
    pub fn new(rng: &mut Rng, own_path: &str) -> Arena {
        let mut bytes: Vec<u8> = (0..SIZE).map(|_| rng.draw() as u8).collect();
        let base = bytes.as_mut_ptr() as u64;
        let mut at = STRINGS;
        let mut put = |bytes: &mut Vec<u8>, s: &[u8]| {
            bytes[at..at + s.len()].copy_from_slice(s);
            let place = (base + at as u64, s.len() as u64);
            at += s.len() + 1;
            place
        };
        let (long, deep) = ("n".repeat(300), "d/".repeat(900));
        let strings = PATHS.iter().copied().chain([long.as_str(), deep.as_str()]);
        let strings = strings.map(|s| put(&mut bytes, s.as_bytes())).collect();
        let kinds = KINDS.iter().map(|s| put(&mut bytes, s.as_bytes())).collect();
        // Good requests for spawn and exec, of which a byte may then be changed.
        let own = || Spawn::new(own_path.as_bytes()).arg(b"fuzz").arg(b"--seven");
        let big = vec![b'x'; 20_000];
        let requests = [own(), own().dup2(1, 2).close(1).chdir(b"/tmp"), own().env(&big)].map(|r| {
            let mut wire = r.encode();
            if rng.one_in(2) {
                let i = rng.below(wire.len() as u64) as usize;
                wire[i] = rng.draw() as u8;
            }
            put(&mut bytes, &wire)
        });
        let mut arena = Arena { bytes, strings, requests: requests.to_vec(), kinds };
        arena.stir(rng);
        arena
    }

    /// New structures: vectors of buffers, what poll(2) reads, subscriptions.
    pub fn stir(&mut self, rng: &mut Rng) {
        let base = self.bytes.as_ptr() as u64;
        let mut put = |at: usize, word: u64| self.bytes[at..at + 4].copy_from_slice(&(word as u32).to_le_bytes());
        for i in 0..64 {
            put(STRUCTS + i * 8, base + rng.below(30_000));
            put(STRUCTS + i * 8 + 4, rng.below(300));
            put(STRUCTS + 512 + i * 8, rng.below(14));
            put(STRUCTS + 512 + i * 8 + 4, rng.below(8));
        }
    }

    fn pointer(&self, rng: &mut Rng) -> u64 {
        let base = self.bytes.as_ptr() as u64;
        let end = (core::arch::wasm32::memory_size(0) as u64) << 16;
        match rng.below(24) {
            0 => 0,
            1 => end - rng.below(4),
            2 => 0xffff_ffff - rng.below(16),
            3 => end + rng.below(0xffff_ffff - end),
            4 => rng.pick(&self.strings).0,
            5..12 => base + STRUCTS as u64 + rng.below(128) * 8,
            _ => base + rng.below(8 << 10),
        }
    }

    /// The argument at `i`. Neighbours matter: a descriptor by a path is a directory's, a length
    /// after a pointer to structures is small.
    fn argument(&self, rng: &mut Rng, s: &Syscall, i: usize) -> u64 {
        let kind = s.args[i].1;
        if rng.one_in(30) && kind != Arg::Out {
            return number(rng);
        }
        let before = i.checked_sub(1).map(|i| s.args[i].1);
        let paths = s.args.iter().any(|a| a.1 == Arg::Str);
        match kind {
            Arg::Fd if paths && s.module == Module::vkernel && rng.one_in(2) => CWD,
            Arg::Fd if paths && !rng.one_in(8) => rng.pick(&DIRS),
            Arg::Fd => rng.below(18),
            Arg::Pid => rng.pick(&[0, u32::MAX as u64, 2, 3, 4, 5, 6, 99]),
            Arg::Sig => rng.below(33),
            Arg::Clock => rng.below(5),
            Arg::Mode => rng.pick(&[0o644, 0o755, 0o777, 0, 0o100644, 0o10600, 0o20600, 0o40755, 0o177777]),
            Arg::Flags if paths && !rng.one_in(4) || rng.one_in(2) => 0,
            Arg::Flags => rng.pick(&FLAGS) as u64,
            Arg::Len if before == Some(Arg::In) && !rng.one_in(4) => 1 + rng.below(4),
            // Either within the arena wherever that begins, or beyond the memory's end.
            Arg::Len => rng.pick(&[0, 1, 8, 24, 64, 300, 4096, 20_000, u32::MAX as u64]),
            Arg::In | Arg::Out | Arg::Str => self.pointer(rng),
            Arg::Off => rng.pick(&[0, 0, 1, 100, 5000, 70_000, u64::MAX, 1 << 35, i64::MAX as u64]),
            // Sleeps and timeouts are short, as a rule.
            Arg::U64 if (s.name.contains("sleep") || s.name == "ppoll") && !rng.one_in(20) => rng.below(1_000_000),
            Arg::Int if s.name == "poll" && !rng.one_in(20) => rng.below(3),
            Arg::U64 if rng.one_in(2) => rng.pick(&[0, u64::MAX, 0x1fff_ffff]),
            Arg::U64 | Arg::Int | Arg::Uint => number(rng),
        }
    }

    pub fn arguments(&self, rng: &mut Rng, s: &Syscall) -> Vec<u64> {
        let mut args: Vec<u64> = (0..s.args.len()).map(|i| self.argument(rng, s, i)).collect();
        for i in 0..args.len() {
            // A string with its length, mostly.
            if s.args[i].1 == Arg::Str && !rng.one_in(6) {
                (args[i], args[i + 1]) = rng.pick(&self.strings);
            }
        }
        match s.name {
            "spawn" | "exec" if !rng.one_in(6) => {
                let (at, len) = rng.pick(&self.requests);
                args = vec![at, len];
            }
            // Not 0, by which the child is known.
            "fork_at" => args[0] |= 1,
            // The names below /tmp that this may hide are nobody's who must go on.
            "mount" => (args[0], args[1], args[2], args[3]) = self.kind_and_place(rng),
            "unmount" => (_, _, args[0], args[1]) = self.kind_and_place(rng),
            _ => {}
        }
        args
    }

    fn kind_and_place(&self, rng: &mut Rng) -> (u64, u64, u64, u64) {
        let (kind, place) = (rng.pick(&self.kinds), rng.pick(&self.strings[6..10]));
        (kind.0, kind.1, place.0, place.1)
    }
}

fn number(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => rng.pick(&ODD),
        1 => {
            let shift = rng.below(64);
            rng.draw() >> shift
        }
        _ => rng.below(6),
    }
}
