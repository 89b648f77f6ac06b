//! Error numbers: POSIX names with WASI's numbers.
//!
//! WASI's `errno` is a dense enumeration and it is what the C library of every WASI program
//! already has in its `errno.h`; taking it as *the* numbering spares each personality a table.
//! Source: WASI preview 1 `errno`, POSIX.1-2017 2.3.

/// What a system call answers.
pub type SysResult<T> = Result<T, Errno>;

macro_rules! errnos {
    ($($name:ident = $nr:literal, $text:literal;)*) => {
        /// An error number. The discriminant is the number that programs see.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u16)]
        #[allow(missing_docs, clippy::upper_case_acronyms)]
        pub enum Errno { $($name = $nr,)* }

        impl Errno {
            /// The error with this number, if there is one.
            pub const fn from_raw(nr: u32) -> Option<Errno> {
                match nr { $($nr => Some(Errno::$name),)* _ => None }
            }
            /// The POSIX name, `"ENOENT"`.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* }
            }
            /// What `strerror(3)` says.
            pub const fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }
        }
    };
}

errnos! {
    E2BIG = 1, "Argument list too long";
    EACCES = 2, "Permission denied";
    EADDRINUSE = 3, "Address in use";
    EADDRNOTAVAIL = 4, "Address not available";
    EAFNOSUPPORT = 5, "Address family not supported";
    EAGAIN = 6, "Resource temporarily unavailable";
    EALREADY = 7, "Operation already in progress";
    EBADF = 8, "Bad file descriptor";
    EBADMSG = 9, "Bad message";
    EBUSY = 10, "Resource busy";
    ECANCELED = 11, "Operation canceled";
    ECHILD = 12, "No child process";
    ECONNABORTED = 13, "Connection aborted";
    ECONNREFUSED = 14, "Connection refused";
    ECONNRESET = 15, "Connection reset";
    EDEADLK = 16, "Resource deadlock would occur";
    EDESTADDRREQ = 17, "Destination address required";
    EDOM = 18, "Domain error";
    EDQUOT = 19, "Quota exceeded";
    EEXIST = 20, "File exists";
    EFAULT = 21, "Bad address";
    EFBIG = 22, "File too large";
    EHOSTUNREACH = 23, "Host is unreachable";
    EIDRM = 24, "Identifier removed";
    EILSEQ = 25, "Illegal byte sequence";
    EINPROGRESS = 26, "Operation in progress";
    EINTR = 27, "Interrupted system call";
    EINVAL = 28, "Invalid argument";
    EIO = 29, "I/O error";
    EISCONN = 30, "Socket is connected";
    EISDIR = 31, "Is a directory";
    ELOOP = 32, "Too many levels of symbolic links";
    EMFILE = 33, "Too many open files";
    EMLINK = 34, "Too many links";
    EMSGSIZE = 35, "Message too large";
    EMULTIHOP = 36, "Multihop attempted";
    ENAMETOOLONG = 37, "File name too long";
    ENETDOWN = 38, "Network is down";
    ENETRESET = 39, "Connection reset by network";
    ENETUNREACH = 40, "Network unreachable";
    ENFILE = 41, "Too many open files in system";
    ENOBUFS = 42, "No buffer space available";
    ENODEV = 43, "No such device";
    ENOENT = 44, "No such file or directory";
    ENOEXEC = 45, "Exec format error";
    ENOLCK = 46, "No locks available";
    ENOLINK = 47, "Link has been severed";
    ENOMEM = 48, "Out of memory";
    ENOMSG = 49, "No message of the desired type";
    ENOPROTOOPT = 50, "Protocol not available";
    ENOSPC = 51, "No space left on device";
    ENOSYS = 52, "Function not implemented";
    ENOTCONN = 53, "Socket not connected";
    ENOTDIR = 54, "Not a directory";
    ENOTEMPTY = 55, "Directory not empty";
    ENOTRECOVERABLE = 56, "State not recoverable";
    ENOTSOCK = 57, "Not a socket";
    ENOTSUP = 58, "Not supported";
    ENOTTY = 59, "Not a tty";
    ENXIO = 60, "No such device or address";
    EOVERFLOW = 61, "Value too large for data type";
    EOWNERDEAD = 62, "Previous owner died";
    EPERM = 63, "Operation not permitted";
    EPIPE = 64, "Broken pipe";
    EPROTO = 65, "Protocol error";
    EPROTONOSUPPORT = 66, "Protocol not supported";
    EPROTOTYPE = 67, "Protocol wrong type for socket";
    ERANGE = 68, "Result not representable";
    EROFS = 69, "Read-only file system";
    ESPIPE = 70, "Invalid seek";
    ESRCH = 71, "No such process";
    ESTALE = 72, "Stale file handle";
    ETIMEDOUT = 73, "Operation timed out";
    ETXTBSY = 74, "Text file busy";
    EXDEV = 75, "Cross-device link";
    ENOTCAPABLE = 76, "Capabilities insufficient";
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

/// A signed register holds a result or minus an error number: the encoding of `trap()` and of
/// every hypercall that can fail.
pub const fn encode(r: SysResult<u32>) -> i64 {
    match r {
        Ok(v) => v as i64,
        Err(e) => -(e as i64),
    }
}

/// The inverse of [`encode`] for 32-bit answers. A number no host should have sent is `EIO`.
pub const fn decode(r: i32) -> SysResult<u32> {
    if r >= 0 {
        return Ok(r as u32);
    }
    match Errno::from_raw(r.unsigned_abs()) {
        Some(e) => Err(e),
        None => Err(Errno::EIO),
    }
}
