//! Little-endian fields in byte buffers: the one way a structure crosses to a program or a host.

use crate::{Errno, SysResult};

/// Reads fields one after the other. Running out is `EINVAL`.
pub struct Reader<'a> {
    buf: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(buf: &'a [u8]) -> Self {
        Reader { buf }
    }
    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.buf
    }
    pub fn bytes(&mut self, n: usize) -> SysResult<&'a [u8]> {
        if n > self.buf.len() {
            return Err(Errno::EINVAL);
        }
        let (head, tail) = self.buf.split_at(n);
        self.buf = tail;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> SysResult<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }
    pub fn u8(&mut self) -> SysResult<u8> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> SysResult<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    pub fn u32(&mut self) -> SysResult<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub fn i32(&mut self) -> SysResult<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }
    pub fn u64(&mut self) -> SysResult<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    pub fn i64(&mut self) -> SysResult<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }
    /// A string with its length, 32 bits, in front.
    pub fn string(&mut self) -> SysResult<&'a [u8]> {
        let n = self.u32()? as usize;
        self.bytes(n)
    }
}

/// Writes fields one after the other into a buffer of fixed size. What doesn't fit is dropped and
/// `overflowed` says so; what is skipped stays as it was (zero, for a new buffer).
pub struct Writer<'a> {
    buf: &'a mut [u8],
    at: usize,
    pub overflowed: bool,
}

impl<'a> Writer<'a> {
    pub fn new(buf: &'a mut [u8]) -> Self {
        Writer { buf, at: 0, overflowed: false }
    }
    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.at
    }
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }
    pub fn bytes(&mut self, b: &[u8]) -> &mut Self {
        match self.buf.get_mut(self.at..self.at + b.len()) {
            Some(room) => {
                room.copy_from_slice(b);
                self.at += b.len();
            }
            None => self.overflowed = true,
        }
        self
    }
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.bytes(&[v])
    }
    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.bytes(&v.to_le_bytes())
    }
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.bytes(&v.to_le_bytes())
    }
    pub fn i32(&mut self, v: i32) -> &mut Self {
        self.bytes(&v.to_le_bytes())
    }
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.bytes(&v.to_le_bytes())
    }
    pub fn i64(&mut self, v: i64) -> &mut Self {
        self.bytes(&v.to_le_bytes())
    }
    /// Padding: always zero, so that nothing of the kernel leaks.
    pub fn pad(&mut self, n: usize) -> &mut Self {
        for _ in 0..n {
            self.u8(0);
        }
        self
    }
    /// A string with its length, 32 bits, in front.
    pub fn string(&mut self, s: &[u8]) -> &mut Self {
        self.u32(s.len() as u32).bytes(s)
    }
}
