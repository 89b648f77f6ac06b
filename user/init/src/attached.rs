//! Devices that are attached while the system runs: each gets a session of its own.
//!
//! `/dev/attach` says what came and what is to run on it; SIGPWR says that there is something to
//! read there, SIGCHLD that a child has ended. Both are held back and waited for in one place, so
//! that nothing is missed and nothing is polled. When the process that was started ends, its wait
//! status goes to `/dev/attach`, and the device is forgotten.

use crate::services::Services;
use crate::{SHELL, environment};
use vkernel_sys::{Errno, Spawn, SysResult, attach, devctl, fs, io, mode, o, proc, sig, signal, wait};

/// What the events of a device are read into at first; larger ones are asked for again.
const ROOM: usize = 4 << 10;
/// What wakes us.
const SIGNALS: [u32; 2] = [sig::CHLD, sig::PWR];

/// A device, and the process that leads its session.
struct Session {
    unit: u32,
    stream: bool,
    pid: i32,
}

struct Server {
    /// `/dev/attach`.
    fd: i32,
    sessions: Vec<Session>,
    services: Services,
    buf: Vec<u8>,
}

/// What is to run on a device.
#[derive(Debug, Default, PartialEq)]
struct Command {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    workdir: Option<Vec<u8>>,
}

/// Serves until the system ends. Comes back only with an error.
pub fn serve() -> Errno {
    match begin() {
        Ok(mut server) => loop {
            if let Err(e) = server.turn() {
                return e;
            }
        },
        Err(e) => e,
    }
}

fn begin() -> SysResult<Server> {
    // Before the first look, so that what comes then is told.
    proc::sigblock(&SIGNALS)?;
    let fd = io::open(b"/dev/attach", o::RDWR | o::NONBLOCK | o::CLOEXEC, 0)?;
    Ok(Server { fd, sessions: Vec::new(), services: Services::begin(), buf: vec![0; ROOM] })
}

impl Server {
    fn turn(&mut self) -> SysResult<()> {
        while let Some(len) = self.next()? {
            let record = self.buf[..len].to_vec();
            let word = |i: usize| record.get(i..i + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            match word(8) {
                attach::CAME => self.came(word(0), word(4), &record[attach::EVENT_SIZE..]),
                attach::WENT => self.went(word(0)),
                _ => {}
            }
        }
        // None there at all is as good as none that has ended.
        while let Ok(Some((pid, status))) = proc::waitpid(-1, wait::NOHANG) {
            if let Some(at) = self.sessions.iter().position(|s| s.pid == pid) {
                let session = self.sessions.swap_remove(at);
                self.ended(session.unit, status);
            } else {
                self.services.ended(pid);
            }
        }
        self.services.start_due();
        match signal::sigtimedwait(SIGNALS.iter().fold(0, |set, s| set | sig::bit(*s)), self.services.sleep()) {
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The next event, in the buffer.
    fn next(&mut self) -> SysResult<Option<usize>> {
        loop {
            match io::read(self.fd, &mut self.buf) {
                Ok(n) => return Ok(Some(n)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::ERANGE) => self.buf.resize(self.buf.len() * 2, 0),
                Err(e) => return Err(e),
            }
        }
    }

    fn came(&mut self, unit: u32, kind: u32, command: &[u8]) {
        let stream = kind != devctl::KIND_SCREEN;
        let number = unit.wrapping_sub(devctl::ATTACHED_FIRST - 1);
        let device = format!("/dev/{}{number}", if stream { "stream" } else { "tty" }).into_bytes();
        match start(&device, Command::parse(command)) {
            Ok(pid) => self.sessions.push(Session { unit, stream, pid }),
            Err((what, e)) => {
                // The device may be gone again: then nobody wants to know.
                if let Ok(fd) = io::open(&device, o::WRONLY | o::NOCTTY | o::NONBLOCK | o::CLOEXEC, 0) {
                    let what = String::from_utf8_lossy(&what);
                    let _ = io::write(fd, format!("init: cannot run {what}: {e}\n").as_bytes());
                    let _ = io::close(fd);
                }
                self.ended(unit, wait::exited(if e == Errno::ENOENT { 127 } else { 126 }));
            }
        }
    }

    /// The kernel tells those whom a terminal controls. A stream controls nobody.
    fn went(&self, unit: u32) {
        if let Some(s) = self.sessions.iter().find(|s| s.unit == unit && s.stream) {
            for signal in [sig::HUP, sig::CONT] {
                // It may have ended by itself.
                let _ = proc::kill(-s.pid, signal);
            }
        }
    }

    fn ended(&self, unit: u32, status: u32) {
        let mut record = unit.to_le_bytes().to_vec();
        record.extend_from_slice(&status.to_le_bytes());
        // ENXIO when the kernel has forgotten the device by itself.
        let _ = io::write(self.fd, &record);
    }
}

impl Command {
    /// As `abi::types::attach` has it. What is cut short is taken as far as it goes.
    fn parse(mut records: &[u8]) -> Command {
        let mut c = Command::default();
        while let Some((head, rest)) = records.split_first_chunk::<8>() {
            let [kind, len] = [0, 4].map(|i| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]));
            let (payload, rest) = rest.split_at((len as usize).min(rest.len()));
            match kind {
                attach::ARG => c.args.push(payload.to_vec()),
                attach::ENV => c.env.push(payload.to_vec()),
                attach::WORKDIR => c.workdir = Some(payload.to_vec()),
                // Of a later version.
                _ => {}
            }
            records = rest;
        }
        c
    }
}

/// The environment of a login with these on top.
fn with(given: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let name = |e: &[u8]| e.split(|&b| b == b'=').next().unwrap_or_default().to_vec();
    let mut env = environment();
    env.retain(|e| !given.iter().any(|g| name(g) == name(e)));
    env.extend(given);
    env
}

/// Runs it; an error comes with what it is about.
fn start(device: &[u8], command: Command) -> Result<i32, (Vec<u8>, Errno)> {
    let env = with(command.env);
    let home = || env.iter().find_map(|e| e.strip_prefix(b"HOME=")).map(<[u8]>::to_vec);
    let is_dir = |d: &Vec<u8>| fs::stat(d).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR);
    // As login(1): where it is missing, in the root directory.
    let dir = command.workdir.or_else(home).filter(is_dir).unwrap_or_else(|| b"/".to_vec());
    let (path, args) = match command.args.first() {
        Some(path) => (path.clone(), command.args.clone()),
        // The dash says that it is a login shell.
        None => (SHELL.to_vec(), vec![b"-sh".to_vec()]),
    };
    let spawn = Spawn::new(&path).search_path().default_signals().setsid();
    // The first terminal that a session's leader opens controls it.
    let spawn = spawn.open(0, device, o::RDWR, 0).dup2(0, 1).dup2(0, 2).chdir(&dir);
    spawn.args(args).envs(env).spawn().map_err(|e| (path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_far_as_it_goes() {
        let mut records = Vec::new();
        for (kind, payload) in [(attach::ARG, "ls"), (attach::ARG, "-l"), (9, "?"), (attach::ENV, "A=b=c")] {
            records.extend_from_slice(&kind.to_le_bytes());
            records.extend_from_slice(&(payload.len() as u32).to_le_bytes());
            records.extend_from_slice(payload.as_bytes());
        }
        let c = Command::parse(&records);
        assert_eq!((c.args, c.env), (vec![b"ls".to_vec(), b"-l".to_vec()], vec![b"A=b=c".to_vec()]));
        assert_eq!(Command::parse(&records[..13]).args, [b"ls".to_vec(), b"".to_vec()][..1]);
        assert_eq!(Command::parse(&records[..9]).args, [b"l".to_vec()]);
    }

    #[test]
    fn given_variables_replace_those_of_the_login() {
        let env = with(vec![b"HOME=/home/user".to_vec(), b"X=1".to_vec()]);
        let homes: Vec<_> = env.iter().filter(|e| e.starts_with(b"HOME=")).collect();
        assert_eq!(homes, [b"HOME=/home/user"]);
        assert!(env.contains(&b"X=1".to_vec()) && env.iter().any(|e| e.starts_with(b"PATH=")));
    }
}
