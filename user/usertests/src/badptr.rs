//! A bad pointer in every pointer argument of every system call: an errno, and nothing lost.

use abi::Errno;
use abi::syscalls::{Arg, SYSCALLS, Syscall};

use crate::harness::open_fds;
use crate::rawcall::{Setup, bad_pointers, call, decode, memory_end};

crate::tests! { badptr: every_argument, scatter_lists, lists_outside, spawn_requests, wrapping_lengths, last_bytes }

const LENGTHS: [u64; 3] = [1, 4096, 0x7fff_ffff];

/// Calls that may succeed without a look at the pointer: there is nothing to write.
const MAY_IGNORE: [&str; 1] = ["getgroups"];
/// Calls that write less than the length they are given, so that one byte may be enough.
const MAY_WRITE_ONE: [&str; 1] = ["fd_prestat_dir_name"];

fn every_argument() {
    let mut setup = Setup::new();
    let before = open_fds();
    let mut tried = 0;
    for s in SYSCALLS {
        for (i, (name, kind)) in s.args.iter().enumerate() {
            if !matches!(kind, Arg::In | Arg::Out | Arg::Str) {
                continue;
            }
            for pointer in bad_pointers() {
                for len in LENGTHS {
                    let mut args = setup.arguments(s);
                    args[i] = pointer as u64;
                    if let Some(at) = s.args.iter().skip(i).position(|a| a.1 == Arg::Len) {
                        args[i + at] = len;
                    }
                    check(s, name, pointer, len, &args);
                    assert_eq!(open_fds(), before, "{} with {name} = {pointer:#x} left a descriptor behind", s.name);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

fn check(s: &Syscall, name: &str, pointer: u32, len: u64, args: &[u64]) {
    // As a name the last byte must not be one, whatever a call has written there before.
    // SAFETY: the byte is the heap's unused end.
    unsafe { (memory_end() as *mut u8).sub(1).write_volatile(0) };
    // SAFETY: all pointers but the bad one are to the set-up's own buffer, with room for any structure.
    let answer = decode(s, unsafe { call(s.nr, args) });
    let one_byte = pointer == memory_end() - 1 && (len == 1 || MAY_WRITE_ONE.contains(&s.name));
    if answer.is_ok() && !one_byte && !MAY_IGNORE.contains(&s.name) {
        panic!("{} with {name} = {pointer:#x}, length {len:#x}: {answer:?}", s.name);
    }
}

fn rw_calls() -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|s| matches!(s.name, "fd_read" | "fd_write" | "fd_pread" | "fd_pwrite"))
}

/// The lists are fine; what they point to is not.
fn scatter_lists() {
    let mut setup = Setup::new();
    for s in rw_calls() {
        for base in bad_pointers() {
            for len in [2u32, 4096, 0x7fff_ffff, 0xffff_ffff] {
                let iov = [base, len];
                let mut args = setup.arguments(s);
                args[1] = iov.as_ptr() as u64;
                // SAFETY: the list and the place for the result are ours.
                let answer = decode(s, unsafe { call(s.nr, &args) });
                assert!(
                    matches!(answer, Err(Errno::EFAULT | Errno::EINVAL)),
                    "{}({base:#x}, {len:#x}): {answer:?}",
                    s.name
                );
            }
        }
        // The first piece moves, the second can't: what was moved counts, or nothing did.
        let mut good = [b'g'; 8];
        let iovs = [good.as_mut_ptr() as u32, 8, memory_end(), 8];
        let mut args = setup.arguments(s);
        args[1] = iovs.as_ptr() as u64;
        args[2] = 2;
        // SAFETY: as above; `good` is ours.
        let answer = decode(s, unsafe { call(s.nr, &args) });
        assert!(matches!(answer, Ok(_) | Err(Errno::EFAULT)), "{}: {answer:?}", s.name);
    }
}

fn lists_outside() {
    let mut setup = Setup::new();
    let whole = [0u32; 2 * 1025];
    for s in rw_calls() {
        for (at, n) in
            [(memory_end() - 8, 2u64), (memory_end() - 4, 1), (0xffff_fff8, 1), (whole.as_ptr() as u32, 0xffff_ffff)]
        {
            let mut args = setup.arguments(s);
            (args[1], args[2]) = (at as u64, n);
            // SAFETY: a list that leads nowhere.
            let answer = decode(s, unsafe { call(s.nr, &args) });
            assert!(matches!(answer, Err(Errno::EFAULT | Errno::EINVAL)), "{}({at:#x}, {n}): {answer:?}", s.name);
        }
        for (n, want) in [(0, Ok(0)), (1024, Ok(0)), (1025, Err(Errno::EINVAL))] {
            let mut args = setup.arguments(s);
            (args[1], args[2]) = (whole.as_ptr() as u64, n);
            // SAFETY: a list of empty pieces.
            assert_eq!(decode(s, unsafe { call(s.nr, &args) }), want, "{} of {n} pieces", s.name);
        }
    }
}

/// A request that says more than it holds, in every way.
fn spawn_requests() {
    let good = crate::harness::role("exit_with", &["0"]).close(99).encode();
    let spawn = |request: &[u8]| {
        // SAFETY: the kernel reads the request.
        abi::errno::decode(unsafe { vkernel_sys::raw::spawn(request.as_ptr(), request.len() as u32) })
    };
    for cut in 0..good.len() {
        assert_eq!(spawn(&good[..cut]), Err(Errno::EINVAL), "cut at {cut} of {}", good.len());
    }
    for at in (0..good.len() - 4).step_by(4) {
        let mut wild = good.clone();
        wild[at..at + 4].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
        if let Ok(pid) = spawn(&wild) {
            // A number that says nothing wrong, such as a group's.
            crate::harness::wait_for(pid as i32);
        }
    }
    assert_eq!(spawn(&vec![0xff; 9 << 20]), Err(Errno::E2BIG));
}

/// Address and length together are more than there is, or come out at a small number again.
fn wrapping_lengths() {
    let mut setup = Setup::new();
    let scratch = setup.scratch() as u64;
    for name in ["read", "write", "getrandom", "random_get", "pread", "pwrite"] {
        let s = SYSCALLS.iter().find(|s| s.name == name).expect("in the table");
        let buf = s.args.iter().position(|a| matches!(a.1, Arg::In | Arg::Out)).expect("a buffer");
        for len in [0xffff_ffffu64, 0xffff_ffff - scratch, 0x8000_0000, memory_end() as u64] {
            let mut args = setup.arguments(s);
            // At the end of the memory, so that what could be written before the end of it is not ours.
            args[buf] = memory_end() as u64 - 16;
            args[buf + 1] = len;
            // SAFETY: up to the end of the memory there is nothing but the heap's unused end.
            let answer = decode(s, unsafe { call(s.nr, &args) });
            assert!(matches!(answer, Err(_) | Ok(0..=16)), "{name}({len:#x}): {answer:?}");
        }
    }
}

/// The last bytes of the memory are as good as any.
fn last_bytes() {
    let page = core::arch::wasm32::memory_grow(0, 1);
    assert_ne!(page, usize::MAX);
    let mut setup = Setup::new();
    for (name, len) in [("read", 4096u64), ("pread", 1), ("getrandom", 100), ("random_get", 100)] {
        let s = SYSCALLS.iter().find(|s| s.name == name).expect("in the table");
        let buf = s.args.iter().position(|a| a.1 == Arg::Out).expect("a buffer");
        let mut args = setup.arguments(s);
        (args[buf], args[buf + 1]) = (memory_end() as u64 - len, len);
        // SAFETY: the last page was grown for this.
        let answer = decode(s, unsafe { call(s.nr, &args) });
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
}
