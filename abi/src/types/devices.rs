//! What the control hypercalls are asked: `dev_ctl`, `disk_ctl`, `vmspace_ctl`.

/// `dev_ctl` hypercall commands and the kinds of units.
pub mod devctl {
    /// Fills [`super::Winsize`] (8 bytes). ENOTTY.
    pub const GET_WINSIZE: u32 = 1;
    /// One byte: 0 cooked, 1 raw. ENOTTY.
    pub const SET_RAW: u32 = 2;
    /// Answers one of the `KIND_`s.
    pub const KIND: u32 = 3;
    /// Answers the `poll` events that would not block now, and asks for `intr(DEVICE)` for the rest
    /// of the events given in one little-endian u16.
    pub const POLL: u32 = 4;
    pub const KIND_TTY: u32 = 1;
    pub const KIND_PIPE: u32 = 2;
    pub const KIND_FILE: u32 = 3;
    pub const KIND_NULL: u32 = 4;
    /// Units 0, 1 and 2 are the host's standard input, output and error.
    pub const STDIN: u32 = 0;
    pub const STDOUT: u32 = 1;
    pub const STDERR: u32 = 2;
    /// Where the lines of the system-call trace go; write only.
    pub const TRACE: u32 = 3;

    /// A terminal that moves plain keys and plain output: the kernel edits lines, echoes and finds
    /// the keys that send signals.
    pub const KIND_SCREEN: u32 = 5;
    /// Devices that come and go: `irq::ATTACH` and `irq::HANGUP`.
    pub const ATTACHED_FIRST: u32 = 16;
    pub const ATTACHED_MAX: u32 = 64;
    /// What is to run on an attached device, as `types::attach` says; answers its length. ERANGE when
    /// the buffer is too small.
    pub const COMMAND: u32 = 5;
    /// The session on an attached device is over: a u32 wait status. The host then forgets the unit.
    pub const EXITED: u32 = 6;
    /// Of a `KIND_FILE`: goes to a u64 position, or nowhere with all ones, and fills two u64: the position and the file's size.
    /// ESPIPE where there is no position.
    pub const SEEK: u32 = 7;
}

/// What is to run on an attached device: a sequence of records `u32 kind, u32 length, payload` like the
/// boot configuration's. Without `ARG` it is a login shell.
pub mod attach {
    /// One more argument; the first is the program, a path or a name to look for in PATH.
    pub const ARG: u32 = 1;
    /// `NAME=VALUE`.
    pub const ENV: u32 = 2;
    /// The working directory.
    pub const WORKDIR: u32 = 3;

    /// What a `read(2)` of `/dev/attach` answers: `u32 unit, u32 kind` (a `devctl::KIND_`), `u32 event`,
    /// then for `CAME` the records above. One event at a time; EAGAIN when there is none and nobody wants
    /// to wait. A `write(2)` of `u32 unit, u32 wait status` says that the session on a unit is over.
    pub const EVENT_SIZE: usize = 12;
    /// A unit came: something is to be run on it.
    pub const CAME: u32 = 1;
    /// The one at the other end of a unit has gone.
    pub const WENT: u32 = 2;
}

/// `disk_ctl` hypercall commands.
pub mod diskctl {
    /// Answers how large the disk may become, in bytes.
    pub const SIZE: u32 = 1;
    /// Answers the bits below.
    pub const FLAGS: u32 = 2;
    /// The argument is a byte offset: what lies behind it is no longer needed and reads as zeros.
    pub const TRUNCATE: u32 = 3;
    pub const READ_ONLY: u32 = 1;
}

/// `vmspace_ctl` hypercall commands.
pub mod vmctl {
    /// Answers the current size in bytes.
    pub const SIZE: u32 = 1;
    /// Sets the limit in bytes; what is already there stays.
    pub const SET_LIMIT: u32 = 2;
    /// Answers the largest size it has had, in bytes.
    pub const PEAK: u32 = 3;
    /// Prepares a fresh memory for the image given as argument under the same id: exec. The lwp in
    /// it enters the fresh one at its next `Next::Run`; until then nothing changes for it. ENOMEM,
    /// ENOENT.
    pub const EXEC: u32 = 4;
    /// Answers 1 when the image given as argument has a `__vk_signal`, 0 when it hasn't.
    pub const HANDLERS: u32 = 5;
}
