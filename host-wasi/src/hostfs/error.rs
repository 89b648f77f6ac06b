//! The host's errors as the guest's: the only place where one becomes the other.

use abi::Errno;
use rustix::io::Errno as Host;
use std::io;

/// An error of wasi-common. It knows most of the host's numbers and calls the others traps, with
/// the I/O error inside.
pub fn from_wasi(e: wasi_common::Error) -> Errno {
    match e.downcast() {
        // Our numbers are WASI's.
        Ok(nr) => Errno::from_raw(nr as u32).map_or(Errno::EIO, exhausted),
        Err(trap) => trap.downcast_ref::<io::Error>().map_or(Errno::EIO, from_io),
    }
}

pub fn from_io(e: &io::Error) -> Errno {
    match Host::from_io_error(e) {
        Some(nr) => from_rustix(nr),
        // An error that the library made itself.
        None => match e.kind() {
            io::ErrorKind::NotFound => Errno::ENOENT,
            io::ErrorKind::PermissionDenied => Errno::EACCES,
            io::ErrorKind::AlreadyExists => Errno::EEXIST,
            io::ErrorKind::InvalidInput => Errno::EINVAL,
            io::ErrorKind::OutOfMemory => Errno::ENOMEM,
            _ => Errno::EIO,
        },
    }
}

/// The host process ran out of descriptors: to the guest that is the system's table, not its own.
fn exhausted(e: Errno) -> Errno {
    if e == Errno::EMFILE { Errno::ENFILE } else { e }
}

pub fn from_rustix(nr: Host) -> Errno {
    match nr {
        Host::TOOBIG => Errno::E2BIG,
        Host::ACCESS => Errno::EACCES,
        Host::AGAIN => Errno::EAGAIN,
        Host::BADF => Errno::EBADF,
        Host::BUSY => Errno::EBUSY,
        Host::DQUOT => Errno::EDQUOT,
        Host::EXIST => Errno::EEXIST,
        Host::FBIG => Errno::EFBIG,
        Host::ILSEQ => Errno::EILSEQ,
        Host::INTR => Errno::EINTR,
        Host::INVAL => Errno::EINVAL,
        Host::ISDIR => Errno::EISDIR,
        Host::LOOP => Errno::ELOOP,
        Host::MFILE | Host::NFILE => Errno::ENFILE,
        Host::MLINK => Errno::EMLINK,
        Host::NAMETOOLONG => Errno::ENAMETOOLONG,
        Host::NODEV => Errno::ENODEV,
        Host::NOENT => Errno::ENOENT,
        Host::NOMEM => Errno::ENOMEM,
        Host::NOSPC => Errno::ENOSPC,
        Host::NOSYS | Host::OPNOTSUPP => Errno::ENOTSUP,
        Host::NOTDIR => Errno::ENOTDIR,
        Host::NOTEMPTY => Errno::ENOTEMPTY,
        Host::NXIO => Errno::ENXIO,
        Host::OVERFLOW => Errno::EOVERFLOW,
        Host::PERM => Errno::EPERM,
        Host::ROFS => Errno::EROFS,
        Host::SPIPE => Errno::ESPIPE,
        Host::STALE => Errno::ESTALE,
        Host::TIMEDOUT => Errno::ETIMEDOUT,
        Host::TXTBSY => Errno::ETXTBSY,
        Host::XDEV => Errno::EXDEV,
        _ => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_of_the_host_is_the_same_whatever_way_it_comes() {
        for nr in [Host::NOENT, Host::ROFS, Host::XDEV, Host::TXTBSY, Host::NOSPC, Host::MFILE, Host::DQUOT] {
            let io = || io::Error::from_raw_os_error(nr.raw_os_error());
            assert_eq!(from_io(&io()), from_rustix(nr));
            assert_eq!(from_wasi(io().into()), from_rustix(nr), "{nr:?}");
        }
        assert_eq!(from_rustix(Host::ROFS), Errno::EROFS);
        assert_eq!(from_rustix(Host::MFILE), Errno::ENFILE);
        assert_eq!(from_rustix(Host::NOTSOCK), Errno::EIO);
    }
}
