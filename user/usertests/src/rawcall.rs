//! Any system call by its number, with any arguments: the imports are made from the table.

use abi::syscalls::{Arg, Module, Syscall};
use abi::types::at;
use abi::{Errno, SysResult};
use vkernel_sys::{io, sys};

/// How an argument is passed.
mod passed {
    pub type Fd = i32;
    pub type Pid = i32;
    pub type Int = i32;
    pub type Uint = u32;
    pub type Mode = u32;
    pub type Flags = u32;
    pub type Sig = u32;
    pub type Clock = u32;
    pub type Len = u32;
    pub type In = u32;
    pub type Out = u32;
    pub type Str = u32;
    pub type Off = i64;
    pub type U64 = u64;
}

/// Declares one import and calls it. Two have a result of another type.
macro_rules! import {
    (vkernel lseek($($arg:ident: $ty:ident),*)) => {
        import!("vkernel", lseek($($arg: $ty),*) -> i64)
    };
    (wasi proc_exit($($arg:ident: $ty:ident),*)) => {{
        import!("wasi_snapshot_preview1", proc_exit($($arg: $ty),*) -> ());
        0
    }};
    (vkernel $name:ident($($arg:ident: $ty:ident),*)) => {
        import!("vkernel", $name($($arg: $ty),*) -> i32) as i64
    };
    (wasi $name:ident($($arg:ident: $ty:ident),*)) => {
        import!("wasi_snapshot_preview1", $name($($arg: $ty),*) -> i32) as i64
    };
    (wasi_unstable $name:ident($($arg:ident: $ty:ident),*)) => {
        import!("wasi_unstable", $name($($arg: $ty),*) -> i32) as i64
    };
    ($module:literal, $name:ident($($arg:ident: $ty:ident),*) -> $ret:ty) => {{
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            fn $name($($arg: passed::$ty),*) -> $ret;
        }
        // SAFETY: whoever calls `call` answers for what its pointers point to.
        unsafe { $name($($arg as passed::$ty),*) }
    }};
}

macro_rules! calls {
    ($($nr:literal $module:ident $name:ident($($arg:ident: $ty:ident),*) = $($body:ident)::+;)*) => {
        /// What the program sees of a call: a value or minus an errno, or an errno for WASI.
        ///
        /// # Safety
        /// The kernel writes wherever `Out` arguments point in this program's memory.
        pub unsafe fn call(nr: u32, args: &[u64]) -> i64 {
            match nr {
                $($nr => {
                    #[allow(unused)]
                    let mut args = args.iter().copied();
                    $(let $arg = args.next().unwrap_or(0);)*
                    import!($module $name($($arg: $ty),*))
                })*
                _ => panic!("no system call {nr}"),
            }
        }
    };
}
abi::syscalls!(calls);

/// The answer as a result: for WASI calls, whether it succeeded.
pub fn decode(s: &Syscall, answer: i64) -> SysResult<i64> {
    let errno = match s.module {
        Module::vkernel if answer < 0 => -answer,
        Module::vkernel => return Ok(answer),
        _ if answer == 0 => return Ok(0),
        _ => answer,
    };
    Err(Errno::from_raw(errno as u32).unwrap_or_else(|| panic!("{}: {answer} is no errno", s.name)))
}

/// The size of this program's memory, the first address it doesn't have.
pub fn memory_end() -> u32 {
    (core::arch::wasm32::memory_size(0) as u32) << 16
}

/// Pointers that cannot be used, but for the last byte of the memory.
pub fn bad_pointers() -> [u32; 4] {
    let end = memory_end();
    [0xffff_ffff, end - 1, end, 0x8000_0000]
}

/// Arguments for a call with which it gets far: descriptors and paths that are there.
pub struct Setup {
    pub file: i32,
    pub dir: i32,
    pub preopen: i32,
    scratch: Box<[u8; SCRATCH]>,
}

const SCRATCH: usize = 8192;
const CONTENT: usize = 64 << 10;

impl Setup {
    /// In an empty working directory.
    pub fn new() -> Setup {
        use abi::types::o;
        crate::harness::write_file(b"f", &vec![b'c'; CONTENT]);
        vkernel_sys::fs::symlink(b"some-target-or-other", b"l").expect("symlink");
        // The directory that the library was given stands below these.
        let preopen = (3..).find(|&fd| prestat(fd) == Some(0)).expect("a preopened directory");
        let file = io::open(b"f", o::RDWR, 0).expect("open");
        let dir = io::open(b".", o::RDONLY | o::DIRECTORY, 0).expect("open");
        Setup { file, dir, preopen, scratch: Box::new([0; SCRATCH]) }
    }

    /// An address that may be read and written, zeros.
    pub fn scratch(&mut self) -> u32 {
        self.scratch.fill(0);
        self.scratch.as_mut_ptr() as u32
    }

    /// Everything well, for a call that will be given one bad pointer.
    pub fn arguments(&mut self, s: &Syscall) -> Vec<u64> {
        io::lseek(self.file, 0, abi::types::seek::SET).expect("lseek");
        io::lseek(self.dir, 0, abi::types::seek::SET).expect("lseek");
        let scratch = self.scratch();
        let path = if s.name.contains("readlink") { b"l".as_ptr() } else { b"f".as_ptr() } as u32;
        let reads_dir = matches!(s.name, "getdents" | "fd_readdir");
        let mut args: Vec<u64> = Vec::new();
        for (name, kind) in s.args {
            args.push(match (kind, *name) {
                (Arg::Fd, "dir" | "from" | "to") if s.module == Module::vkernel => at::FDCWD as u32 as u64,
                (Arg::Fd, "dir" | "from" | "to") => self.preopen as u64,
                (Arg::Fd, _) if s.name.contains("prestat") => self.preopen as u64,
                (Arg::Fd, _) if reads_dir => self.dir as u64,
                (Arg::Fd, _) => self.file as u64,
                (Arg::Str, _) => path as u64,
                (Arg::In | Arg::Out, _) => scratch as u64,
                (Arg::Len, _) => 1,
                _ => 0,
            });
        }
        args
    }
}

/// The tag of `fd_prestat_get`, if there is one.
pub fn prestat(fd: i32) -> Option<u8> {
    let mut prestat = [0xffu8; 8];
    let s = abi::syscalls::by_import(abi::syscalls::WASI_PREVIEW1, "fd_prestat_get").expect("in the table");
    // SAFETY: the kernel writes a `prestat`, 8 bytes.
    let answer = unsafe { call(s.nr, &[fd as u32 as u64, prestat.as_mut_ptr() as u64]) };
    (answer == 0).then_some(prestat[0])
}

/// A WASI call by its name, preview 1.
///
/// # Safety
/// As [`call`].
pub unsafe fn wasi(name: &str, args: &[u64]) -> SysResult<()> {
    let s = abi::syscalls::by_import(abi::syscalls::WASI_PREVIEW1, name).expect("a call of preview 1");
    // SAFETY: as the caller says.
    decode(s, unsafe { call(s.nr, args) }).map(|_| ())
}

/// A random number.
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    sys::getrandom(&mut bytes).expect("getrandom");
    u64::from_le_bytes(bytes)
}
