//! `tar` and `gzip`, in one program: the name it is called by chooses. The formats are the crates tar's and flate2's.

mod gzip;
mod tar;

use kit::options;

kit::commands! {
    "gunzip" => gzip::gunzip,
    "gzip" => gzip::gzip,
    "tar" => tar::tar,
    "zcat" => gzip::zcat,
}

fn main() {
    kit::main("archive", COMMANDS)
}

/// A descriptor, for crates that read and write by the standard library's traits.
pub struct Fd(pub i32);

fn error(e: vkernel_sys::Errno) -> std::io::Error {
    std::io::Error::other(e.to_string())
}

impl std::io::Read for Fd {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match vkernel_sys::io::read(self.0, buf) {
                Err(vkernel_sys::Errno::EINTR) => {}
                other => return other.map_err(error),
            }
        }
    }
}

impl std::io::Write for Fd {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        vkernel_sys::io::write_all(self.0, buf).map_err(error)?;
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
