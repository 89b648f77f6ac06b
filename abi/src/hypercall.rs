//! THE host table: all that a kernel may ask of the machine it runs on.
//!
//! Each is an import of `kernel.wasm` from module `"host"`. Pointers are kernel addresses. An
//! answer is a value, or minus an [`Errno`](crate::Errno). *Blocks* means that the calling lwp
//! may be suspended while others run; the others return at once. `intr` may call none that block.
//!
//! Change [`VERSION`] with any change here: a host refuses a kernel of another version.

/// The version of this contract. The kernel exports it as `hypercall_version() -> i32`.
pub const VERSION: u32 = 5;

/// Value types of arguments and answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    I32,
    I64,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Hypercall {
    pub name: &'static str,
    pub args: &'static [(&'static str, Ty)],
    pub result: Option<Ty>,
    pub blocks: bool,
}

/// Calls `$cb!` with the table.
#[macro_export]
macro_rules! hypercalls {
    ($cb:ident) => {
        $cb! {
            /// Kernel messages, like `write(2)` to the console. Never fails.
            cons_write(ptr: u32, len: u32) -> ();
            /// `clock_gettime(2)` in nanoseconds; the CPU clocks take an lwp. See `types::clock`.
            clock(id: u32, lwp: u32) -> u64;
            /// `getentropy(2)`, any length.
            random(ptr: u32, len: u32) -> ();

            /// `futex(2)` FUTEX_WAIT until an absolute CLOCK_MONOTONIC time, or for ever with `u64::MAX`.
            /// Answers 0 woken, 1 the word had changed, 2 timed out.
            blocks park(word: u32, expected: u32, deadline_ns: u64) -> i32;
            /// FUTEX_WAKE: wakes up to `n` lwps parked on the word; answers how many.
            unpark(word: u32, n: u32) -> i32;

            /// A new lwp; the host calls `lwp_next(lwp, Start, 0)` on an instance of its own. May block when its address
            /// space was forked; there is room for the copy, or it is ENOMEM. EAGAIN, ENOMEM.
            blocks lwp_create(lwp: u32, vmspace: u32) -> i32;
            /// Acts on an lwp that is in user code, as `trapframe::kick` says. Nothing for one that is in
            /// the kernel: it looks for itself before it goes back.
            lwp_kick(lwp: u32, how: u32) -> ();

            /// Where in its program the calling lwp was when it last left that: the numbers of functions as the program's file
            /// has them, the innermost first, a u32 each, as many as there is room for. Answers their length in bytes. A
            /// host that can't tell knows none. ENOENT when its address space can't be reached, as it runs no program.
            lwp_frames(ptr: u32, len: u32) -> i32;

            /// A new address space under an id of the caller's choice, big enough for the image's
            /// initial memory, and never above `limit` bytes. EEXIST, ENOENT (no such image), ENOMEM, EAGAIN (the machine has no
            /// room for one more, whatever its size).
            vmspace_create(id: u32, image: u32, limit: u64) -> i32;
            /// A new address space under an id of the caller's choice, for an lwp that will run the image that
            /// the calling lwp runs in address space `from`. When it does, its memory will be as long as the
            /// caller's is now and hold the same bytes, and nothing of the image is run before its entry point.
            /// The limit is that of `from`. EEXIST, ENOENT, ENOMEM, EAGAIN (as `vmspace_create`), ENOSYS where
            /// the host can't.
            vmspace_fork(id: u32, from: u32) -> i32;
            /// ENOENT, EBUSY when an lwp is in it.
            vmspace_destroy(id: u32) -> i32;
            /// `cmd` as in `types::vmctl`; ENOENT, ENOTSUP for what wasm cannot do.
            vmspace_ctl(id: u32, cmd: u32, arg: u64) -> i64;

            /// Starts to hand over a program of `size` bytes; answers a handle. EFBIG, ENOMEM.
            image_begin(size: u64) -> i32;
            /// The next bytes of it. EINVAL past the size.
            image_write(handle: u32, ptr: u32, len: u32) -> i32;
            /// Validates and compiles; the handle is gone. Answers an image. Cached by content.
            /// ENOEXEC when it isn't a program; the reason can be had with `image_error`.
            blocks image_commit(handle: u32) -> i32;
            /// The image of a file of the boot image that was not changed. As `image_commit`.
            blocks image_blob(blob: u32) -> i32;
            /// Why the last commit of this host failed, as text: answers its length.
            image_error(ptr: u32, len: u32) -> i32;
            /// The kernel forgets an image. ENOENT.
            image_close(image: u32) -> i32;

            /// `pread(2)` of a blob of the boot image; blob 0 is the boot configuration, blob 1 the
            /// image's index. ENOENT, EIO.
            blocks blob_read(blob: u32, off: u64, ptr: u32, len: u32) -> i32;
            /// One request to the host's file server, answered in the same buffer of `cap` bytes: the
            /// answer's length. See `hostfs`.
            blocks hostfs_rpc(ptr: u32, len: u32, cap: u32) -> i32;

            /// Reads (`write` = 0) or writes a character device; EAGAIN when it isn't ready, and then
            /// `intr(DEVICE, unit)` follows when it is. Reading answers 0 at end of file.
            dev_rw(unit: u32, write: u32, ptr: u32, len: u32) -> i32;
            /// `cmd` as in `types::devctl`. ENXIO (no such unit), ENOTTY.
            dev_ctl(unit: u32, cmd: u32, ptr: u32, len: u32) -> i32;

            /// Reads (`write` = 0) or writes a disk at a byte offset; a read past what was ever written
            /// gives zeros. Answers `len`. A write may stay in the host's caches, in any order, until
            /// `disk_flush`. ENXIO (no such unit), EROFS, ENOSPC, EIO.
            blocks disk_rw(unit: u32, write: u32, off: u64, ptr: u32, len: u32) -> i32;
            /// All that was written before is kept from now on, whatever happens. ENXIO, EIO.
            blocks disk_flush(unit: u32) -> i32;
            /// `cmd` as in `types::diskctl`. ENXIO, ENOTTY.
            disk_ctl(unit: u32, cmd: u32, arg: u64) -> i64;

            /// Ends the vkernel with this wait status. The host calls nothing more.
            halt(status: u32) -> ();
            /// Ends the vkernel with a message.
            panic(ptr: u32, len: u32) -> ();
        }
    };
}

macro_rules! rows {
    (@ty u32) => {
        Some(Ty::I32)
    };
    (@ty i32) => {
        Some(Ty::I32)
    };
    (@ty u64) => {
        Some(Ty::I64)
    };
    (@ty i64) => {
        Some(Ty::I64)
    };
    (@ty ()) => {
        None
    };
}
// A leading `blocks` cannot be told from a name by one pattern, so a muncher takes row by row.
macro_rules! table {
    (@out [$($done:expr,)*]) => { &[$($done,)*] };
    (@out [$($done:expr,)*] $(#[$doc:meta])* blocks $name:ident ( $($arg:ident : $ty:tt),* ) -> $ret:tt ; $($rest:tt)*) => {
        table!(@out [$($done,)* table!(@row true $name ($($arg $ty)*) $ret),] $($rest)*)
    };
    (@out [$($done:expr,)*] $(#[$doc:meta])* $name:ident ( $($arg:ident : $ty:tt),* ) -> $ret:tt ; $($rest:tt)*) => {
        table!(@out [$($done,)* table!(@row false $name ($($arg $ty)*) $ret),] $($rest)*)
    };
    (@row $blocks:literal $name:ident ($($arg:ident $ty:tt)*) $ret:tt) => {
        Hypercall {
            name: stringify!($name),
            args: &[$((stringify!($arg), match rows!(@ty $ty) { Some(t) => t, None => Ty::I32 })),*],
            result: rows!(@ty $ret),
            blocks: $blocks,
        }
    };
    ($($all:tt)*) => { table!(@out [] $($all)*) };
}

/// The table as data, for hosts and for the check of a kernel's imports.
pub static HYPERCALLS: &[Hypercall] = hypercalls!(table);
