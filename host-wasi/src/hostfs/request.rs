//! Requests, decoded and checked as far as that needs no file: what gets past here has clean names
//! and nothing left over.

use super::Times;
use abi::hostfs::{DATA_MAX, op, which};
use abi::types::limits;
use abi::wire::Reader;
use abi::{Errno, SysResult};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A name that can only mean an entry of one directory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Name<'a>(pub &'a OsStr);

#[derive(Debug, PartialEq)]
pub enum Request<'a> {
    Lookup { dir: u32, name: Name<'a> },
    Open { dir: u32, oflags: u32, mode: u32, name: Name<'a> },
    Close { handle: u32 },
    Getattr { handle: u32 },
    Setattr { handle: u32, which: u32, size: u64, times: Times },
    SetattrAt { dir: u32, name: Name<'a>, which: u32, times: Times },
    Read { handle: u32, offset: u64, count: u32 },
    Write { handle: u32, offset: u64, data: &'a [u8] },
    Fsync { handle: u32, data_only: bool },
    Readdir { handle: u32, cookie: u64 },
    Mkdir { dir: u32, mode: u32, name: Name<'a> },
    Unlink { dir: u32, name: Name<'a> },
    Rmdir { dir: u32, name: Name<'a> },
    Rename { from: u32, to: u32, old: Name<'a>, new: Name<'a> },
    Link { from: u32, to: u32, old: Name<'a>, new: Name<'a> },
    Symlink { dir: u32, name: Name<'a>, target: &'a OsStr },
    Readlink { dir: u32, name: Name<'a> },
    Chmod { dir: u32, mode: u32, name: Name<'a> },
}

impl<'a> Request<'a> {
    pub fn decode(bytes: &'a [u8]) -> SysResult<Request<'a>> {
        let mut r = Reader::new(bytes);
        let request = Self::fields(r.u32()?, &mut r)?;
        if r.rest().is_empty() { Ok(request) } else { Err(Errno::EINVAL) }
    }

    fn fields(nr: u32, r: &mut Reader<'a>) -> SysResult<Request<'a>> {
        Ok(match nr {
            op::LOOKUP => Request::Lookup { dir: r.u32()?, name: name(r)? },
            op::OPEN => Request::Open { dir: r.u32()?, oflags: r.u32()?, mode: r.u32()?, name: name(r)? },
            op::CLOSE => Request::Close { handle: r.u32()? },
            op::GETATTR => Request::Getattr { handle: r.u32()? },
            op::SETATTR => Request::Setattr { handle: r.u32()?, which: known(r, 7)?, size: r.u64()?, times: times(r)? },
            op::SETATTR_AT => {
                let (dir, name) = (r.u32()?, name(r)?);
                Request::SetattrAt { dir, name, which: known(r, which::ATIME | which::MTIME)?, times: times(r)? }
            }
            op::READ => Request::Read { handle: r.u32()?, offset: r.u64()?, count: r.u32()? },
            op::WRITE => Request::Write { handle: r.u32()?, offset: r.u64()?, data: data(r)? },
            op::FSYNC => Request::Fsync { handle: r.u32()?, data_only: r.u32()? != 0 },
            op::READDIR => Request::Readdir { handle: r.u32()?, cookie: r.u64()? },
            op::MKDIR => Request::Mkdir { dir: r.u32()?, mode: r.u32()?, name: name(r)? },
            op::UNLINK => Request::Unlink { dir: r.u32()?, name: name(r)? },
            op::RMDIR => Request::Rmdir { dir: r.u32()?, name: name(r)? },
            op::RENAME => Request::Rename { from: r.u32()?, to: r.u32()?, old: name(r)?, new: name(r)? },
            op::LINK => Request::Link { from: r.u32()?, to: r.u32()?, old: name(r)?, new: name(r)? },
            op::SYMLINK => Request::Symlink { dir: r.u32()?, name: name(r)?, target: link_text(r)? },
            op::READLINK => Request::Readlink { dir: r.u32()?, name: name(r)? },
            op::CHMOD => Request::Chmod { dir: r.u32()?, mode: r.u32()?, name: name(r)? },
            _ => return Err(Errno::EINVAL),
        })
    }
}

fn name<'a>(r: &mut Reader<'a>) -> SysResult<Name<'a>> {
    let name = r.string()?;
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(|&b| b == b'/' || b == 0) {
        return Err(Errno::EINVAL);
    }
    if name.len() > limits::NAME_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok(Name(OsStr::from_bytes(name)))
}

fn link_text<'a>(r: &mut Reader<'a>) -> SysResult<&'a OsStr> {
    let text = r.string()?;
    if text.contains(&0) {
        return Err(Errno::EINVAL);
    }
    match text.len() {
        0 => Err(Errno::ENOENT),
        limits::PATH_MAX.. => Err(Errno::ENAMETOOLONG),
        _ => Ok(OsStr::from_bytes(text)),
    }
}

fn data<'a>(r: &mut Reader<'a>) -> SysResult<&'a [u8]> {
    let data = r.string()?;
    if data.len() > DATA_MAX { Err(Errno::EINVAL) } else { Ok(data) }
}

fn known(r: &mut Reader<'_>, bits: u32) -> SysResult<u32> {
    let which = r.u32()?;
    if which & !bits != 0 { Err(Errno::EINVAL) } else { Ok(which) }
}

fn times(r: &mut Reader<'_>) -> SysResult<Times> {
    Ok((r.i64()?, r.i64()?))
}
