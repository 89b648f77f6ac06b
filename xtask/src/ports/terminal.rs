//! A terminal of the machine with `vk` on it, whose user is a test.

use crate::process::Outcome;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A machine that does other things as well takes this long at most, compiling included.
const LONGEST: Duration = Duration::from_secs(60);

pub struct Terminal {
    user: File,
    child: Child,
    output: Receiver<Vec<u8>>,
    /// What has been said since the last thing that was waited for.
    pub said: String,
}

impl Terminal {
    /// A shell of the image on a terminal of this size.
    pub fn start(vk: &Path, image: &Path, rows: u16, columns: u16) -> Outcome<Terminal> {
        let (user, program) = pair()?;
        let side = || program.try_clone().map(Stdio::from).map_err(|e| e.to_string());
        // The terminal has to be the one that vk is controlled by, or it hears nothing of a new size.
        let mut c = Command::new("setsid");
        c.args(["--ctty", "--wait"]).arg(vk).args(["run", "-q", "--env", "TERM=xterm", "--env", "PS1=> ", "--image"]);
        c.arg(image).arg("sh").stdin(side()?).stdout(side()?).stderr(side()?);
        let child = c.spawn().map_err(|e| format!("setsid: {e}"))?;
        let mut from = user.try_clone().map_err(|e| e.to_string())?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            // EIO is a terminal without programs.
            while let Ok(n @ 1..) = from.read(&mut buf) {
                if sender.send(buf[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let terminal = Terminal { user, child, output, said: String::new() };
        terminal.resize(rows, columns)?;
        Ok(terminal)
    }

    pub fn resize(&self, rows: u16, columns: u16) -> Outcome {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads a winsize, and this is one.
        let done = unsafe { libc::ioctl(self.user.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
    }

    pub fn key(&mut self, keys: &str) -> Outcome {
        self.user.write_all(keys.as_bytes()).map_err(|e| e.to_string())
    }

    /// Waits until this has been said, and forgets all up to its end.
    pub fn see(&mut self, text: &str) -> Outcome {
        let end = Instant::now() + LONGEST;
        loop {
            if let Some(at) = self.said.find(text) {
                self.said.drain(..at + text.len());
                return Ok(());
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.said += &String::from_utf8_lossy(&more),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{text:?} never came; there was {:?}", self.said));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("it ended without {text:?}; there was {:?}", self.said));
                }
            }
        }
    }

    /// Waits for the end of the shell.
    pub fn end(mut self) -> Outcome {
        let end = Instant::now() + LONGEST;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return if status.success() { Ok(()) } else { Err(format!("vk: {status}")) };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("it doesn't end".into())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Of no interest where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user's side, and the program's.
fn pair() -> Outcome<(File, File)> {
    let (mut user, mut program) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: two places for descriptors, and nothing said about the rest.
    if unsafe { libc::openpty(&mut user, &mut program, null, null.cast(), null.cast()) } != 0 {
        return Err(format!("openpty: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: openpty(3) has just opened them, and nobody else has them.
    let pair = unsafe { (File::from_raw_fd(user), File::from_raw_fd(program)) };
    for side in [&pair.0, &pair.1] {
        // SAFETY: a descriptor of ours. vk gets copies of its side alone, so that its end can be seen.
        unsafe { libc::fcntl(side.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(pair)
}
