//! Reading a file and writing it back.

use super::buffer::Buffer;
use kit::options::Failure;
use vkernel_sys::{Errno, SysResult, at, fs, io, mode, o};

/// A file's lines, and a word about it. One that is not there begins empty.
pub fn open(path: &[u8]) -> Result<(Buffer, String), Failure> {
    if fs::stat(path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR) {
        return Err(Failure::with(path, Errno::EISDIR));
    }
    match io::read_file(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes);
            let text =
                text.map_err(|_| Failure::new(format!("{}: not a text in UTF-8", String::from_utf8_lossy(path))))?;
            let b = Buffer::of(&text);
            let message = format!("{} lines", b.line_count());
            Ok((b, message))
        }
        Err(Errno::ENOENT) => Ok((Buffer::default(), "new file".into())),
        Err(e) => Err(Failure::with(path, e)),
    }
}

/// Beside it first, and then in its place: who reads it meanwhile sees all of the old or all of the new.
pub fn save(path: &[u8], b: &Buffer) -> SysResult<()> {
    let mut path = path.to_vec();
    // What a link leads to is what is changed; a loop of them ends somewhere.
    for _ in 0..8 {
        let Ok(to) = fs::readlink(&path) else { break };
        let dir = path.iter().rposition(|b| *b == b'/').map_or(&b""[..], |n| &path[..=n]);
        path = if to.starts_with(b"/") { to } else { [dir, &to].concat() };
    }
    let old = fs::stat(&path).ok();
    if old.as_ref().is_some_and(|s| s.mode & mode::IFMT != mode::IFREG) {
        // A device can't be replaced.
        let fd = io::open(&path, o::WRONLY | o::CLOEXEC, 0)?;
        let done = io::write_all(fd, b.text().as_bytes());
        return io::close(fd).and(done);
    }
    let aside = [path.as_slice(), b".edit-new"].concat();
    let fd = io::open(&aside, o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC, 0o666)?;
    let written = io::write_all(fd, b.text().as_bytes()).and_then(|()| io::fsync(fd));
    let done = io::close(fd).and(written).and_then(|()| {
        if let Some(old) = old {
            // Who may not give files away keeps them.
            let _ = fs::chown(&aside, old.uid, old.gid, at::SYMLINK_NOFOLLOW);
            fs::chmod(&aside, old.mode & 0o7777, 0)?;
        }
        fs::rename(&aside, &path, 0)
    });
    if done.is_err() {
        let _ = fs::unlink(&aside);
    }
    done
}
