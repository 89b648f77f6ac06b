//! How a program enters the kernel and why it comes to leave user code.
//!
//! The kernel exports, all 32-bit but where said:
//!
//! | export | meaning |
//! | --- | --- |
//! | `boot() -> i32` | once, on the first instance; mounts the image; answers 0 or -errno |
//! | `start() -> i32` | once, after `boot` or on a restored image of a booted kernel: makes pid 1; 0 or -errno |
//! | `first_lwp() -> lwp` | the lwp of pid 1, to be started with [`Reason::Start`]; it runs in [`FIRST_VMSPACE`] |
//! | `cpu_stack() -> sp` | a kernel stack for the interrupt instance of one more CPU; the first has one; 0 without memory |
//! | `kstack(lwp) -> sp` | the top of that lwp's kernel stack, for `__stack_pointer` |
//! | `lwp_next(lwp, reason, detail) -> i64` | see [`Next`]; may sleep |
//! | `lwp_gone(lwp)` | the host is done with it (after [`Next::Gone`]): its memory is freed |
//! | `trap(lwp, nr, a0..a5: i64) -> i64` | a system call |
//! | `signal(lwp, step, a: i64, b: i64) -> i64` | a step of running a signal's handler: [`step`] |
//! | `intr(irq, arg)` | on the interrupt instance of a CPU while no lwp of that CPU runs; never sleeps |
//! | `report() -> i64` | counters as text, a line `name value` each: address, length in the upper half |
//! | `hypercall_version() -> i32` | [`crate::hypercall::VERSION`] it was built for |
//! | `uaccess(slot)` | table slot of the first of the functions in [`UACCESS`] |

/// Why user code was left, or was never entered: the second argument of `lwp_next`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Reason {
    /// A new lwp: nothing has run yet.
    Start = 0,
    /// The program's entry point returned.
    Returned = 1,
    /// The stub executed `unreachable` because `trap()` answered [`ACTION_UNWIND`].
    Unwound = 2,
    /// Left at a preemption point because of `lwp_kick`.
    Kicked = 3,
    /// The image could not be set up; detail is an errno.
    ExecFailed = 4,
    // Faults of the program.
    Unreachable = 16,
    MemoryBounds = 17,
    TableBounds = 18,
    DivideByZero = 19,
    IntegerOverflow = 20,
    BadConversion = 21,
    StackOverflow = 22,
    NullReference = 23,
    BadSignature = 24,
    Unaligned = 25,
    /// A wasm exception that nothing caught.
    Uncaught = 26,
    /// Any other trap of the engine.
    Other = 27,
}

impl Reason {
    pub const fn from_raw(nr: u32) -> Reason {
        match nr {
            0 => Reason::Start,
            1 => Reason::Returned,
            2 => Reason::Unwound,
            3 => Reason::Kicked,
            4 => Reason::ExecFailed,
            16 => Reason::Unreachable,
            17 => Reason::MemoryBounds,
            18 => Reason::TableBounds,
            19 => Reason::DivideByZero,
            20 => Reason::IntegerOverflow,
            21 => Reason::BadConversion,
            22 => Reason::StackOverflow,
            23 => Reason::NullReference,
            24 => Reason::BadSignature,
            25 => Reason::Unaligned,
            26 => Reason::Uncaught,
            _ => Reason::Other,
        }
    }

    /// What a person is told about a fault.
    pub const fn text(self) -> &'static str {
        match self {
            Reason::Start => "started",
            Reason::Returned => "returned",
            Reason::Unwound => "unwound",
            Reason::Kicked => "interrupted",
            Reason::ExecFailed => "exec failed",
            Reason::Unreachable => "unreachable instruction executed",
            Reason::MemoryBounds => "memory access out of bounds",
            Reason::TableBounds => "table access out of bounds",
            Reason::DivideByZero => "integer division by zero",
            Reason::IntegerOverflow => "integer overflow",
            Reason::BadConversion => "invalid conversion to integer",
            Reason::StackOverflow => "stack overflow",
            Reason::NullReference => "null reference called",
            Reason::BadSignature => "indirect call of the wrong type",
            Reason::Unaligned => "unaligned atomic access",
            Reason::Uncaught => "uncaught exception",
            Reason::Other => "fault",
        }
    }
}

/// What `lwp_next` answers, packed in an i64: the verb below, the image in the upper half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The lwp is over. The host drops what it made for it.
    Gone,
    /// Instantiate this image in the lwp's vmspace, afresh, and call its entry point.
    Run { image: u32 },
    /// Go back to where user code was preempted. Only an answer to [`Reason::Kicked`].
    Resume,
    /// Run the handlers of signals that have come. After [`Reason::Kicked`] that is where user code was preempted,
    /// which goes on afterwards; after a fault the stub's `deliver` is called, as an entry point.
    Signal,
}

impl Next {
    pub const fn encode(self) -> i64 {
        match self {
            Next::Gone => 0,
            Next::Run { image } => 1 | (image as i64) << 32,
            Next::Resume => 2,
            Next::Signal => 3,
        }
    }
    pub const fn decode(raw: i64) -> Next {
        match raw as u32 {
            1 => Next::Run { image: (raw >> 32) as u32 },
            2 => Next::Resume,
            3 => Next::Signal,
            _ => Next::Gone,
        }
    }
}

/// The address space of pid 1, which the kernel creates like any other.
pub const FIRST_VMSPACE: u32 = 1;

/// `trap()` answers below this are actions for the stub, not results.
pub const ACTION: i64 = -(1 << 32);
/// Leave user code: execute `unreachable`, at once.
pub const ACTION_UNWIND: i64 = i64::MIN;
/// Run a signal's handler: its [`step`]s, which end in an answer like this call's.
pub const ACTION_DELIVER: i64 = i64::MIN + 1;
/// Make the same call again, with the same arguments: a handler has run that was set with SA_RESTART.
pub const ACTION_RESTART: i64 = i64::MIN + 2;
/// As the result that a handler's end is told: the lowest of the numbers that say for which signal, see [`step::RETURN`].
pub const RESULT_FAULT: i64 = i64::MIN + 64;

/// The steps of running a handler: the second argument of the kernel's export `signal`. After
/// [`ACTION_DELIVER`] the stub asks what to call and keeps all that must outlive the handler on its own
/// stack, so that one that never returns (it throws) leaves nothing in the kernel.
pub mod step {
    /// The handler in the lower half, the signal above, and [`SIGINFO`] if it wants to know more.
    pub const HANDLER: u32 = 0;
    /// The mask to return to.
    pub const MASK: u32 = 1;
    /// What the interrupted call is to answer.
    pub const RESULT: u32 = 2;
    /// The handler has returned; with the mask and the result from above. Answers as `trap`.
    pub const RETURN: u32 = 3;
    /// No call was interrupted: user code asks whether there is something to deliver. Answers as `trap`.
    pub const POLL: u32 = 4;

    pub const SIGINFO: i64 = 1 << 40;
}

/// The function that a program with handlers exports: `(handler, signal, info) -> ()`. It calls the
/// handler by its own table; with `info` 1 it first asks for the `siginfo` (before any other system call).
pub const HANDLER_EXPORT: &str = "__vk_signal";

/// The functions of the uaccess module, in the order of their table slots.
/// All answer 0, or `EFAULT` as a positive number; `usize` answers the memory's size in bytes
/// divided by 65,536. `give(list, src, most, count)` and `take(dst, list, most, count)` are all that most reads and writes do:
/// they move the whole of the one piece that an `iovec` at `list` names, from 1 to `most` bytes, store its length at
/// `count`, and answer it. Where anything of that can't be they answer 0, and nothing has been moved.
pub const UACCESS: [&str; 7] = ["copyin", "copyout", "put32", "put64", "usize", "give", "take"];

/// What `lwp_kick` does to an lwp in user code.
pub mod kick {
    /// It leaves user code soon, for good: `lwp_next(lwp, Kicked, 0)`.
    pub const LEAVE: u32 = 0;
    /// It stands still where it is. A machine that can't do that may call `lwp_next(lwp, Kicked, 0)`,
    /// which sleeps, and go on in user code when that answers `Resume`.
    pub const STOP: u32 = 1;
    /// One that stands still goes on.
    pub const GO: u32 = 2;
    /// It has a signal to handle, and asks soon: `signal(lwp, step::POLL, 0, 0)`, or `lwp_next(lwp, Kicked, 0)`,
    /// which answers `Signal` then.
    pub const SIGNAL: u32 = 3;
    /// Wherever it is: the numbers from here on say its nice value, from -20 to 19. A machine that doesn't
    /// share out the CPU itself may ignore them.
    pub const NICE: u32 = 64;
    pub const fn nice(value: i32) -> u32 {
        NICE + (value + 20) as u32
    }
}

/// Interrupts: the first argument of `intr`.
pub mod irq {
    /// A device is ready; argument: its unit.
    pub const DEVICE: u32 = 1;
    /// Somebody pressed the interrupt key; argument: the signal (SIGINT, SIGQUIT, SIGTSTP).
    pub const SIGNAL: u32 = 2;
    /// The time given to this vkernel is over: every process is killed.
    pub const SHUTDOWN: u32 = 3;
    /// A terminal's window changed its size; argument: its unit, or 0 for standard input and output.
    pub const WINCH: u32 = 4;
    /// A CPU-bound lwp was preempted; argument: the lwp. For accounting and CPU limits.
    pub const TICK: u32 = 5;
    /// The host wants something run on a new device; argument: its unit, from
    /// `devctl::ATTACHED_FIRST` on. `init` asks with `devctl::COMMAND` what it is.
    pub const ATTACH: u32 = 6;
    /// The one at the other end of an attached device has gone; argument: its unit.
    pub const HANGUP: u32 = 7;
}
