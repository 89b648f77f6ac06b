//! Sockets: families, levels, options, flags.

/// Sockets: the C library's numbers, which are WASI's for families and types, and Linux's for the rest. An
/// address is a u16 family and the path, a message `struct msghdr` of the C library.
pub mod sock {
    pub const AF_UNIX: u32 = 3;
    /// The longest address: the family, and a path of 108 bytes.
    pub const ADDR_MAX: usize = 110;
    pub const DGRAM: u32 = 5;
    pub const STREAM: u32 = 6;
    pub const SEQPACKET: u32 = 7;
    /// With the type.
    pub const CLOEXEC: u32 = 0x2000;
    pub const NONBLOCK: u32 = 0x4000;
    pub const SHUT_RD: u32 = 1;
    pub const SHUT_WR: u32 = 2;
    pub const SOMAXCONN: usize = 128;

    pub const MSG_PEEK: u32 = 2;
    pub const MSG_CTRUNC: u32 = 8;
    pub const MSG_TRUNC: u32 = 0x20;
    pub const MSG_DONTWAIT: u32 = 0x40;
    pub const MSG_EOR: u32 = 0x80;
    pub const MSG_WAITALL: u32 = 0x100;
    pub const MSG_NOSIGNAL: u32 = 0x4000;
    pub const MSG_MORE: u32 = 0x8000;
    pub const MSG_CMSG_CLOEXEC: u32 = 0x4000_0000;

    pub const SOL_SOCKET: u32 = 0x7fff_ffff;
    pub const SCM_RIGHTS: u32 = 1;
    pub const SCM_CREDENTIALS: u32 = 2;
    pub const SO_REUSEADDR: u32 = 2;
    pub const SO_TYPE: u32 = 3;
    pub const SO_ERROR: u32 = 4;
    pub const SO_BROADCAST: u32 = 6;
    pub const SO_SNDBUF: u32 = 7;
    pub const SO_RCVBUF: u32 = 8;
    pub const SO_KEEPALIVE: u32 = 9;
    pub const SO_LINGER: u32 = 13;
    pub const SO_PASSCRED: u32 = 16;
    pub const SO_PEERCRED: u32 = 17;
    pub const SO_RCVTIMEO: u32 = 20;
    pub const SO_SNDTIMEO: u32 = 21;
    pub const SO_ACCEPTCONN: u32 = 30;
    pub const SO_PROTOCOL: u32 = 38;
    pub const SO_DOMAIN: u32 = 39;
}
