//! From a number and six registers to the body of a system call: made from `abi::syscalls!`.

use abi::syscalls::{Arg, FromReg, arg_types, slots};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;

/// What bodies may answer, as `trap()` encodes it.
pub trait Answer {
    fn value(self) -> i64;
}
impl Answer for () {
    #[inline(always)]
    fn value(self) -> i64 {
        0
    }
}
impl Answer for u32 {
    #[inline(always)]
    fn value(self) -> i64 {
        self as i64
    }
}
impl Answer for i32 {
    #[inline(always)]
    fn value(self) -> i64 {
        self as i64
    }
}
impl Answer for usize {
    #[inline(always)]
    fn value(self) -> i64 {
        self as i64
    }
}
impl Answer for u64 {
    #[inline(always)]
    fn value(self) -> i64 {
        self as i64
    }
}

/// `vkernel`: the value or minus the errno.
#[inline(always)]
fn vkernel<T: Answer>(r: SysResult<T>) -> i64 {
    match r {
        Ok(v) => v.value(),
        Err(e) => -(e as i64),
    }
}

/// WASI: an errno, 0 for success.
#[inline(always)]
fn wasi(r: SysResult<()>) -> i64 {
    match r {
        Ok(()) => 0,
        Err(e) => e as i64,
    }
}
use wasi as wasi_unstable;

macro_rules! dispatch {
    ($($nr:literal $module:ident $name:ident($($arg:ident: $ty:ident),*) = $($body:ident)::+;)*) => {
        /// Carries out one system call. Part of `trap`, which is the only one to call it in place:
        /// a frame less on the way of every call.
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        pub fn dispatch(lp: &Lwp, nr: u32, a0: u64, a1: u64, a2: u64, a3: u64, a4: u64, a5: u64) -> i64 {
            match nr {
                $($nr => {
                    const N: usize = <[Arg]>::len(&[$(Arg::$ty),*]);
                    #[allow(unused)]
                    const SLOTS: [(usize, u32); N] = slots::<N>(&[$(Arg::$ty),*]);
                    #[allow(unused)]
                    let regs = [a0, a1, a2, a3, a4, a5];
                    #[allow(unused)]
                    let at = 0;
                    // No closure or loop over the slots: compilers keep them, and read tables.
                    $(
                        let (reg, shift) = SLOTS[at];
                        let $arg = <arg_types::$ty as FromReg>::from_reg(regs[reg] >> shift);
                        #[allow(unused)]
                        let at = at + 1;
                    )*
                    $module(crate::$($body)::+(lp, $($arg),*))
                })*
                _ => -(Errno::ENOSYS as i64),
            }
        }
    };
}
abi::syscalls!(dispatch);

/// The same for the tracer, out of the way.
#[cold]
#[inline(never)]
pub fn dispatch_traced(lp: &Lwp, nr: u32, [a0, a1, a2, a3, a4, a5]: [u64; 6]) -> i64 {
    dispatch(lp, nr, a0, a1, a2, a3, a4, a5)
}
