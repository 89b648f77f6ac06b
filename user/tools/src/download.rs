//! `download`: hands files to whoever shows the terminal, by iTerm2's escape sequence OSC 1337.
//!
//! A small file goes in one sequence, `File=`; a larger one in many (`MultipartFile=`, `FilePart=`,
//! `FileEnd`), of which the other side can show how far they are. A terminal that knows none of them
//! shows nothing. Specification: iterm2.com/documentation-images.html.

use crate::options::{Failure, Options};
use crate::show::printable;
use vkernel_sys::{Errno, fs, io, mode, o, proc, sig};

const USAGE: &str = "download FILE...";
/// The largest that goes in one sequence.
const WHOLE: usize = 4 << 20;
/// Of a larger one, in each; a multiple of 3, so that the pieces' base64 needs no padding between.
const PART: usize = 96 << 10;
/// What ends a download before its end.
const SIGNALS: [u32; 2] = [sig::INT, sig::TERM];

pub fn download(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "", USAGE, false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("wants a file\nusage: {USAGE}")));
    }
    let tty = io::open(b"/dev/tty", o::WRONLY | o::NOCTTY | o::CLOEXEC, 0)
        .map_err(|e| Failure::new(format!("no terminal to send files to: {e}")))?;
    for s in SIGNALS {
        // A sequence that is left unfinished would swallow what comes after it.
        proc::sigaction(s, proc::Disposition::Catch).map_err(|e| Failure::new(e.to_string()))?;
    }
    let mut status = 0;
    for path in &o.operands {
        let shown = printable(path, true);
        let shown = String::from_utf8_lossy(&shown);
        let mut terminal = Terminal { fd: tty, begun: false };
        let sent = send(&mut terminal, path);
        if sent.is_err() && terminal.begun {
            // CAN: the terminal forgets what it has of the sequence. Then it learns that the file is not whole.
            let _ = io::write_all(tty, b"\x18\x1b]1337;FileEnd\x07");
        }
        match sent {
            Ok(bytes) => eprintln!("download: {shown}: {bytes} bytes"),
            Err(Stopped::By(signal)) => return Ok(128 + signal as i32),
            Err(Stopped::Failed(e)) => {
                eprintln!("download: {shown}: {e}");
                status = 1;
            }
        }
    }
    Ok(status)
}

/// Why a file did not get through.
#[derive(Debug)]
enum Stopped {
    By(u32),
    Failed(Errno),
}

impl From<Errno> for Stopped {
    fn from(e: Errno) -> Stopped {
        Stopped::Failed(e)
    }
}

/// Where sequences go.
trait Sink {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Stopped>;
}

struct Terminal {
    fd: i32,
    /// A sequence was begun.
    begun: bool,
}

impl Sink for Terminal {
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Stopped> {
        while !bytes.is_empty() {
            if let Some(signal) = proc::sigtake(&SIGNALS) {
                return Err(Stopped::By(signal));
            }
            match io::write(self.fd, bytes) {
                Ok(n) => {
                    self.begun = true;
                    bytes = &bytes[n..];
                }
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

/// Sends a file; answers how many bytes it had.
fn send(to: &mut impl Sink, path: &[u8]) -> Result<u64, Stopped> {
    let fd = io::open(path, o::RDONLY | o::CLOEXEC, 0)?;
    let sent = fs::fstat(fd).map_err(Stopped::from).and_then(|s| match s.mode & mode::IFMT {
        mode::IFDIR => Err(Errno::EISDIR.into()),
        mode::IFREG => send_open(to, fd, path, Some(s.size)),
        _ => send_open(to, fd, path, None),
    });
    // It was only read.
    let _ = io::close(fd);
    sent
}

fn send_open(to: &mut impl Sink, fd: i32, path: &[u8], size: Option<u64>) -> Result<u64, Stopped> {
    let name = path.rsplit(|&b| b == b'/').find(|p| !p.is_empty()).unwrap_or(b"download");
    let name = base64(name);
    let first = fill(fd, WHOLE + 1)?;
    if first.len() <= WHOLE {
        to.put(format!("\x1b]1337;File=name={name};size={};inline=0:", first.len()).as_bytes())?;
        for part in first.chunks(PART) {
            to.put(base64(part).as_bytes())?;
        }
        to.put(b"\x07")?;
        return Ok(first.len() as u64);
    }
    // What a pipe or a device will give is not known before its end.
    let size = size.map_or(String::new(), |n| format!(";size={n}"));
    to.put(format!("\x1b]1337;MultipartFile=name={name}{size};inline=0\x07").as_bytes())?;
    let mut sent = 0;
    let mut part = first;
    while !part.is_empty() {
        let whole = part.len() / 3 * 3;
        // Only at the end are there bytes that don't make three.
        let rest = part.split_off(whole);
        for piece in part.chunks(PART) {
            to.put(format!("\x1b]1337;FilePart={}\x07", base64(piece)).as_bytes())?;
        }
        sent += whole as u64;
        part = rest;
        let more = fill(fd, PART)?;
        if more.is_empty() {
            if !part.is_empty() {
                to.put(format!("\x1b]1337;FilePart={}\x07", base64(&part)).as_bytes())?;
                sent += part.len() as u64;
            }
            break;
        }
        part.extend_from_slice(&more);
    }
    to.put(b"\x1b]1337;FileEnd\x07")?;
    Ok(sent)
}

/// So many bytes, or all there are.
fn fill(fd: i32, want: usize) -> Result<Vec<u8>, Stopped> {
    let mut out = Vec::new();
    let mut buf = vec![0; PART];
    while out.len() < want {
        let room = (want - out.len()).min(buf.len());
        match io::read(fd, &mut buf[..room]) {
            Ok(0) => break,
            Ok(n) => out.extend_from_slice(&buf[..n]),
            Err(Errno::EINTR) => {
                if let Some(signal) = proc::sigtake(&SIGNALS) {
                    return Err(Stopped::By(signal));
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(out)
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| three.get(i).copied().unwrap_or(0) as u32;
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= three.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Vec<u8>);
    impl Sink for Kept {
        fn put(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn sent(content: &[u8]) -> (String, u64) {
        let path = std::env::temp_dir().join(format!("download-{}-{}", std::process::id(), content.len()));
        std::fs::write(&path, content).unwrap();
        let mut kept = Kept(Vec::new());
        let n = send(&mut kept, path.as_os_str().as_encoded_bytes()).unwrap();
        std::fs::remove_file(&path).unwrap();
        (String::from_utf8(kept.0).unwrap(), n)
    }

    fn decoded(text: &str) -> Vec<u8> {
        let value = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let mut out = Vec::new();
        for four in text.as_bytes().chunks(4) {
            let bits = four.iter().fold(0u32, |b, &c| b << 6 | value(c) as u32);
            let n = four.iter().filter(|&&c| c != b'=').count() - 1;
            out.extend_from_slice(&bits.to_be_bytes()[1..=n]);
        }
        out
    }

    #[test]
    fn base64_is_rfc_4648s() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_small_file_is_one_sequence() {
        let content: Vec<u8> = (0..200_000u32).map(|i| (i * 7) as u8).collect();
        let (text, n) = sent(&content);
        assert_eq!(n, 200_000);
        let (head, body) = text.strip_prefix("\x1b]1337;File=name=").unwrap().split_once(':').unwrap();
        assert!(head.ends_with(";size=200000;inline=0"), "{head}");
        assert!(decoded(body.strip_suffix('\x07').unwrap()) == content);
        assert!(sent(b"").0.ends_with(";size=0;inline=0:\x07"));
    }

    #[test]
    fn a_large_file_comes_in_parts() {
        let content: Vec<u8> = (0..WHOLE as u32 + 12_346).map(|i| (i / 3) as u8).collect();
        let (text, n) = sent(&content);
        assert_eq!(n, content.len() as u64);
        let mut sequences = text.split_terminator('\x07').map(|s| s.strip_prefix("\x1b]1337;").unwrap());
        let head = sequences.next().unwrap();
        assert!(head.starts_with("MultipartFile=name=") && head.contains(&format!(";size={n};")), "{head}");
        let mut got = Vec::new();
        let mut ended = false;
        for s in sequences {
            assert!(!ended);
            match s.strip_prefix("FilePart=") {
                Some(part) => got.extend(decoded(part)),
                None => ended = s == "FileEnd",
            }
        }
        assert!(ended && got == content);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let mut kept = Kept(Vec::new());
        assert!(matches!(send(&mut kept, b"/"), Err(Stopped::Failed(Errno::EISDIR))));
        assert!(matches!(send(&mut kept, b"/no/such/file"), Err(Stopped::Failed(Errno::ENOENT))));
        assert!(kept.0.is_empty());
    }
}
