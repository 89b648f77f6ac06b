//! Character devices: the host's standard streams and the trace.
//!
//! Units 0 to 2 are standard input, output and error, unit 3 takes the lines of the trace. Nothing
//! here blocks the vkernel's task: a descriptor is polled before it is used, because `O_NONBLOCK`
//! belongs to the open file, which we share with the shell that started us. A terminal says that it
//! can be written to when it has room for one byte, so it is opened anew, for us alone, and there
//! the flag is set. What is not ready is watched by the executor's reactor, and the kernel gets an
//! interrupt when it is.
//!
//! The terminal's mode is the process's business, not a vkernel's: see `terminal.rs`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use abi::Errno;
use abi::types::{Winsize, devctl, poll};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, SeekFrom};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::terminal;

/// What a standard stream is.
#[derive(Debug)]
pub enum Stdio {
    /// This process's own.
    Inherit,
    /// Empty to read, endless to write.
    Null,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// Collects what is written, however much it is: not for a program that isn't trusted.
    Capture(Arc<Mutex<Vec<u8>>>),
    /// An open file.
    Fd(OwnedFd),
}

/// How many devices the kernel sees.
const UNITS: u32 = 4;
/// Where the kernel's messages go.
const CONSOLE: u32 = 4;
/// All of them.
pub(crate) const STREAMS: usize = 5;

/// What can be written to a pipe that polls writable without blocking.
const PIPE_BUF: usize = 4096;

pub(crate) struct Devices {
    units: [Unit; STREAMS],
}

enum Unit {
    Null,
    Bytes { bytes: Vec<u8>, at: usize },
    Capture(Arc<Mutex<Vec<u8>>>),
    Open(Open),
}

/// A descriptor.
struct Open {
    fd: OwnedFd,
    kind: u32,
    /// Registered with the reactor since the first time that it was not ready.
    watch: Option<AsyncFd<OwnedFd>>,
    /// Events that the kernel waits for.
    wanted: u16,
    /// Set to raw mode by this vkernel.
    raw: Option<terminal::Raw>,
}

impl Devices {
    /// Opens the streams; `Inherit` is duplicated from this process's.
    pub fn new(streams: [Stdio; STREAMS]) -> io::Result<Devices> {
        let units = (0..).zip(streams).map(|(unit, stream)| Unit::new(stream, unit)).collect::<io::Result<Vec<_>>>()?;
        let Ok(units) = units.try_into() else { unreachable!("as many as there were") };
        Ok(Devices { units })
    }

    fn unit(&mut self, unit: u32) -> Result<&mut Unit, Errno> {
        if unit < UNITS { Ok(&mut self.units[unit as usize]) } else { Err(Errno::ENXIO) }
    }

    pub fn read(&mut self, unit: u32, buf: &mut [u8]) -> Result<usize, Errno> {
        match self.unit(unit)? {
            Unit::Null | Unit::Capture(_) => Ok(0),
            Unit::Bytes { bytes, at } => {
                let n = buf.len().min(bytes.len() - *at);
                buf[..n].copy_from_slice(&bytes[*at..*at + n]);
                *at += n;
                Ok(n)
            }
            Unit::Open(open) => open.read(buf),
        }
    }

    pub fn write(&mut self, unit: u32, buf: &[u8]) -> Result<usize, Errno> {
        self.unit(unit)?.write(buf)
    }

    /// A message of the kernel's. What the console doesn't take within a while is dropped.
    pub fn console(&mut self, mut text: &[u8]) {
        let console = &mut self.units[CONSOLE as usize];
        while !text.is_empty() {
            match (console.write(text), &mut *console) {
                (Ok(n), _) => text = &text[n..],
                (Err(Errno::EAGAIN), Unit::Open(open)) if open.ready_within(poll::OUT, 100) != 0 => {}
                _ => return,
            }
        }
        if let Unit::Open(open) = console {
            open.wanted = 0;
        }
    }

    /// `dev_ctl`.
    pub fn control(&mut self, unit: u32, cmd: u32, arg: &mut [u8]) -> Result<i32, Errno> {
        let unit = self.unit(unit)?;
        match cmd {
            devctl::KIND => Ok(unit.kind() as i32),
            devctl::POLL => {
                let events = u16::from_le_bytes(*arg.first_chunk().ok_or(Errno::EINVAL)?);
                Ok(i32::from(unit.poll(events)))
            }
            devctl::GET_WINSIZE => {
                let Unit::Open(Open { fd, .. }) = unit else { return Err(Errno::ENOTTY) };
                let size = rustix::termios::tcgetwinsize(fd).map_err(errno)?;
                let size = Winsize { rows: size.ws_row, cols: size.ws_col }.to_bytes();
                arg.get_mut(..size.len()).ok_or(Errno::EINVAL)?.copy_from_slice(&size);
                Ok(0)
            }
            devctl::SEEK => {
                let to = u64::from_le_bytes(*arg.first_chunk().ok_or(Errno::EINVAL)?);
                let (at, size) = unit.seek((to != u64::MAX).then_some(to))?;
                let place = arg.get_mut(..16).ok_or(Errno::EINVAL)?;
                place[..8].copy_from_slice(&at.to_le_bytes());
                place[8..].copy_from_slice(&size.to_le_bytes());
                Ok(0)
            }
            devctl::SET_RAW => {
                let Unit::Open(open) = unit else { return Err(Errno::ENOTTY) };
                open.set_raw(*arg.first().ok_or(Errno::EINVAL)? != 0)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Asks the reactor about what the kernel waits for; calls `ready` for each unit that has
    /// become ready. The task is woken for the rest.
    pub fn poll_watched(&mut self, cx: &mut Context<'_>, mut ready: impl FnMut(u32)) {
        for (unit, nr) in self.units.iter_mut().zip(0..) {
            if let Unit::Open(open) = unit
                && open.wanted != 0
                && open.poll_watch(cx)
            {
                ready(nr);
            }
        }
    }
}

impl Unit {
    fn new(stream: Stdio, unit: usize) -> io::Result<Unit> {
        let fd = match stream {
            Stdio::Null => return Ok(Unit::Null),
            Stdio::Bytes(bytes) => return Ok(Unit::Bytes { bytes, at: 0 }),
            Stdio::Capture(into) => return Ok(Unit::Capture(into)),
            Stdio::Fd(fd) => fd,
            Stdio::Inherit => {
                let own = match unit {
                    0 => io::stdin().as_fd().try_clone_to_owned(),
                    1 => io::stdout().as_fd().try_clone_to_owned(),
                    _ => io::stderr().as_fd().try_clone_to_owned(),
                };
                match own {
                    Ok(fd) => fd,
                    // Closed by whoever started us: as good as empty.
                    Err(e) if e.raw_os_error() == Some(libc::EBADF) => return Ok(Unit::Null),
                    Err(e) => return Err(e),
                }
            }
        };
        let kind = kind(&fd)?;
        let own = if kind == devctl::KIND_TTY { reopen(&fd).ok() } else { None };
        Ok(Unit::Open(Open { kind, fd: own.unwrap_or(fd), watch: None, wanted: 0, raw: None }))
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, Errno> {
        match self {
            Unit::Null | Unit::Bytes { .. } => Ok(buf.len()),
            Unit::Capture(into) => {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(buf);
                Ok(buf.len())
            }
            Unit::Open(open) => open.write(buf),
        }
    }

    fn kind(&self) -> u32 {
        match self {
            Unit::Null => devctl::KIND_NULL,
            Unit::Bytes { .. } => devctl::KIND_FILE,
            Unit::Capture(_) => devctl::KIND_PIPE,
            Unit::Open(open) => open.kind,
        }
    }

    /// Goes to a position of a file, if any; answers where it is then, and the size.
    fn seek(&mut self, to: Option<u64>) -> Result<(u64, u64), Errno> {
        match self {
            Unit::Bytes { bytes, at } => {
                *at = to.map_or(*at, |to| usize::try_from(to).unwrap_or(usize::MAX).min(bytes.len()));
                Ok((*at as u64, bytes.len() as u64))
            }
            Unit::Open(open) if open.kind == devctl::KIND_FILE => {
                let to = to.map_or(SeekFrom::Current(0), SeekFrom::Start);
                let at = rustix::fs::seek(&open.fd, to).map_err(errno)?;
                let size = rustix::fs::fstat(&open.fd).map_err(errno)?.st_size;
                Ok((at, u64::try_from(size).unwrap_or(0)))
            }
            _ => Err(Errno::ESPIPE),
        }
    }

    /// Which of the events there are now; the rest is watched.
    fn poll(&mut self, events: u16) -> u16 {
        match self {
            Unit::Open(open) => {
                let now = open.ready_within(events, 0);
                if now == 0 {
                    open.want(events);
                }
                now
            }
            _ => events & (poll::IN | poll::OUT),
        }
    }
}

impl Open {
    /// What `poll(2)` says within `ms` milliseconds, errors and hang-ups included.
    fn ready_within(&self, events: u16, ms: i64) -> u16 {
        if self.kind == devctl::KIND_FILE || self.kind == devctl::KIND_NULL {
            return events & (poll::IN | poll::OUT);
        }
        let mut fds = [PollFd::new(&self.fd, PollFlags::from_bits_truncate(events))];
        let timeout = Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 };
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(1..) => fds[0].revents().bits(),
            _ => 0,
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Errno> {
        if self.ready_within(poll::IN, 0) == 0 {
            self.want(poll::IN);
            return Err(Errno::EAGAIN);
        }
        match rustix::io::read(&self.fd, buf) {
            // A terminal that was taken away, or one that isn't ours any more.
            Err(rustix::io::Errno::IO) if self.kind == devctl::KIND_TTY => Ok(0),
            Err(e) => Err(errno(e)),
            Ok(n) => Ok(n),
        }
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, Errno> {
        if self.kind == devctl::KIND_FILE || self.kind == devctl::KIND_NULL {
            return rustix::io::write(&self.fd, buf).map_err(errno);
        }
        let mut done = 0;
        while done < buf.len() {
            if self.ready_within(poll::OUT, 0) & (poll::OUT | poll::ERR | poll::HUP) == 0 {
                self.want(poll::OUT);
                break;
            }
            let piece = &buf[done..buf.len().min(done + PIPE_BUF)];
            match rustix::io::write(&self.fd, piece) {
                Ok(n) => done += n,
                Err(rustix::io::Errno::AGAIN) => {
                    self.want(poll::OUT);
                    break;
                }
                Err(_) if done > 0 => break,
                Err(e) => return Err(errno(e)),
            }
        }
        if done == 0 && !buf.is_empty() { Err(Errno::EAGAIN) } else { Ok(done) }
    }

    /// From now on the kernel is to be told of these events.
    fn want(&mut self, events: u16) {
        if self.watch.is_none() {
            let both = Interest::READABLE | Interest::WRITABLE;
            // SAFETY: the `AsyncFd` owns the descriptor, which stays open as long as it; an `OwnedFd`
            // tells the same number each time.
            let watch = |fd| unsafe { AsyncFd::register_with_interest(fd, both) }.ok();
            // What can't be watched is a file, or something else that never makes one wait.
            self.watch = self.fd.try_clone().ok().and_then(watch);
        }
        self.wanted |= events;
    }

    /// True when one of the wanted events is there; then none is wanted any more.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            if self.ready_within(self.wanted, 0) != 0 || self.watch.is_none() {
                self.wanted = 0;
                return true;
            }
            let Some(watch) = &self.watch else { continue };
            // The reactor reports changes only, so what it knows is forgotten before it is asked,
            // and `poll(2)` is asked again after it says that something has changed.
            let mut changed = false;
            if self.wanted & poll::IN != 0
                && let Poll::Ready(Ok(mut guard)) = watch.poll_read_ready(cx)
            {
                guard.clear_ready();
                changed = true;
            }
            if self.wanted & poll::OUT != 0
                && let Poll::Ready(Ok(mut guard)) = watch.poll_write_ready(cx)
            {
                guard.clear_ready();
                changed = true;
            }
            if !changed {
                return false;
            }
        }
    }

    fn set_raw(&mut self, raw: bool) -> Result<i32, Errno> {
        if self.kind != devctl::KIND_TTY {
            return Err(Errno::ENOTTY);
        }
        match (raw, self.raw.is_some()) {
            (true, false) => self.raw = Some(terminal::Raw::enter(&self.fd).map_err(errno)?),
            (false, _) => self.raw = None,
            _ => {}
        }
        Ok(0)
    }
}

/// The same terminal as an open file of our own that never blocks. It fails for somebody else's
/// terminal, as after su(1): then the one that we were given has to do.
fn reopen(fd: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let access = rustix::fs::fcntl_getfl(fd)? & OFlags::RWMODE;
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(format!("/proc/self/fd/{}", fd.as_raw_fd()), flags, Mode::empty())?)
}

fn kind(fd: &OwnedFd) -> io::Result<u32> {
    if rustix::termios::isatty(fd) {
        return Ok(devctl::KIND_TTY);
    }
    let stat = rustix::fs::fstat(fd)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo | FileType::Socket => devctl::KIND_PIPE,
        FileType::CharacterDevice if is_null(stat.st_rdev) => devctl::KIND_NULL,
        FileType::CharacterDevice => devctl::KIND_PIPE,
        _ => devctl::KIND_FILE,
    })
}

fn is_null(rdev: u64) -> bool {
    (rustix::fs::major(rdev), rustix::fs::minor(rdev)) == (1, 3)
}

/// The kernel's number for an error of the host's descriptors.
fn errno(e: rustix::io::Errno) -> Errno {
    use rustix::io::Errno as E;
    match e {
        E::AGAIN | E::INTR => Errno::EAGAIN,
        E::PIPE => Errno::EPIPE,
        E::NOSPC => Errno::ENOSPC,
        E::FBIG => Errno::EFBIG,
        E::DQUOT => Errno::EDQUOT,
        E::BADF => Errno::EBADF,
        E::NOTTY => Errno::ENOTTY,
        E::INVAL => Errno::EINVAL,
        E::ISDIR => Errno::EISDIR,
        E::CONNRESET => Errno::ECONNRESET,
        _ => Errno::EIO,
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::Fd(file.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn with_input(stdin: Stdio) -> Devices {
        Devices::new([stdin, Stdio::Null, Stdio::Null, Stdio::Null, Stdio::Null]).unwrap()
    }

    #[test]
    fn streams_without_a_descriptor() {
        let out = Arc::new(Mutex::new(Vec::new()));
        let streams =
            [Stdio::Bytes(b"abc".to_vec()), Stdio::Capture(out.clone()), Stdio::Null, Stdio::Null, Stdio::Null];
        let mut d = Devices::new(streams).unwrap();
        let mut buf = [0; 2];
        assert_eq!((d.read(0, &mut buf), d.read(0, &mut buf), d.read(0, &mut buf)), (Ok(2), Ok(1), Ok(0)));
        assert_eq!((d.write(1, b"x"), d.write(1, b"y"), d.write(2, b"gone")), (Ok(1), Ok(1), Ok(4)));
        assert_eq!(*out.lock().unwrap(), b"xy");
        assert_eq!(d.write(4, b"x"), Err(Errno::ENXIO));
        assert_eq!(d.control(0, devctl::SET_RAW, &mut [1]), Err(Errno::ENOTTY));
        assert_eq!(d.control(2, devctl::KIND, &mut []), Ok(devctl::KIND_NULL as i32));
    }

    #[tokio::test]
    async fn an_empty_pipe_does_not_block_and_tells_when_it_is_filled() {
        let (r, w) = pipe();
        let mut d = with_input(Stdio::Fd(r));
        let mut buf = [0; 8];
        assert_eq!(d.read(0, &mut buf), Err(Errno::EAGAIN));
        for text in [&b"one"[..], b"two"] {
            let writer = w.try_clone().unwrap();
            let later = tokio::task::spawn_blocking(move || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                rustix::io::write(&writer, text).unwrap();
            });
            let ready = poll_fn(|cx| {
                let mut ready = None;
                d.poll_watched(cx, |unit| ready = Some(unit));
                ready.map_or(Poll::Pending, Poll::Ready)
            });
            assert_eq!(ready.await, 0);
            assert_eq!(d.read(0, &mut buf), Ok(3));
            assert_eq!(&buf[..3], text);
            assert_eq!(d.read(0, &mut buf), Err(Errno::EAGAIN));
            later.await.unwrap();
        }
        drop(w);
        assert_eq!(d.read(0, &mut buf), Ok(0));
    }

    #[tokio::test]
    async fn a_terminal_that_nobody_reads_does_not_block() {
        let (far, near) = crate::terminal::tests::terminal();
        let given = near.try_clone().unwrap();
        let mut d = Devices::new([Stdio::Null, Stdio::Fd(given), Stdio::Null, Stdio::Null, Stdio::Null]).unwrap();
        let big = vec![b'x'; 1 << 20];
        while d.write(1, &big) != Err(Errno::EAGAIN) {}
        // Whoever shares it with us must not find it changed.
        assert!(!rustix::fs::fcntl_getfl(&near).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        drop(far);
        assert_eq!(d.write(1, b"x"), Err(Errno::EIO));
    }

    #[tokio::test]
    async fn a_full_pipe_takes_what_fits() {
        let (r, w) = pipe();
        let mut d = Devices::new([Stdio::Null, Stdio::Fd(w), Stdio::Null, Stdio::Null, Stdio::Null]).unwrap();
        let big = vec![7; 1 << 20];
        let n = d.write(1, &big).unwrap();
        assert!((4096..1 << 20).contains(&n));
        assert_eq!(d.write(1, &big), Err(Errno::EAGAIN));
        assert_eq!(d.control(1, devctl::POLL, &mut poll::OUT.to_le_bytes()), Ok(0));
        drop(r);
        assert_eq!(d.write(1, &big), Err(Errno::EPIPE));
    }

    #[test]
    fn files_are_always_ready() {
        let file = tempfile();
        rustix::io::write(&file, b"hello").unwrap();
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
        let mut d = with_input(Stdio::Fd(file));
        assert_eq!(d.control(0, devctl::KIND, &mut []), Ok(devctl::KIND_FILE as i32));
        assert_eq!(d.control(0, devctl::POLL, &mut poll::IN.to_le_bytes()), Ok(i32::from(poll::IN)));
        let mut buf = [0; 8];
        assert_eq!((d.read(0, &mut buf), d.read(0, &mut buf)), (Ok(5), Ok(0)));
        let mut place = [[3, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
        assert_eq!(d.control(0, devctl::SEEK, &mut place), Ok(0));
        assert_eq!((place[0], place[8], d.read(0, &mut buf), &buf[..2]), (3, 5, Ok(2), &b"lo"[..]));
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        let (r, w) = io::pipe().unwrap();
        (r.into(), w.into())
    }

    fn tempfile() -> OwnedFd {
        rustix::fs::memfd_create("file", rustix::fs::MemfdFlags::CLOEXEC).unwrap()
    }
}
