//! Redirections (POSIX 2.7): files are opened here, in the shell, and moved into place by `dup2`
//! actions: of the child's spawn, or of the shell itself around a builtin.
//!
//! The shell's own descriptors stand at 10 and above and close on exec.

use crate::ast::*;
use crate::expand;
use crate::shell::Shell;
use crate::text::to_bytes;
use vkernel_sys::{Errno, Spawn, SysResult, fs, io, mode, o};

/// Where the shell's own descriptors begin.
const PRIVATE: i32 = 10;

/// One step, to be done in order.
#[derive(Debug, PartialEq)]
pub enum Step {
    Dup(i32, i32),
    Close(i32),
}

/// Why a redirection can't be made. An expansion's mistake ends a script, a file that isn't there does not
/// (POSIX 2.8.1).
#[derive(Debug)]
pub struct Failed {
    pub fatal: bool,
    pub what: String,
}

impl Failed {
    fn expansion(what: String) -> Failed {
        Failed { fatal: true, what }
    }
}

impl From<String> for Failed {
    fn from(what: String) -> Failed {
        Failed { fatal: false, what }
    }
}

/// Steps, and the descriptors that were opened for them.
#[derive(Debug, Default)]
pub struct Redirected {
    pub steps: Vec<Step>,
    opened: Vec<i32>,
}

impl Drop for Redirected {
    fn drop(&mut self) {
        for fd in self.opened.drain(..) {
            // Ours, and nothing was written through it.
            let _ = io::close(fd);
        }
    }
}

impl Redirected {
    /// As file actions of a child.
    pub fn add_to(&self, mut spawn: Spawn) -> Spawn {
        for step in &self.steps {
            spawn = match *step {
                Step::Dup(from, to) => spawn.dup2(from, to),
                Step::Close(fd) => spawn.close(fd),
            };
        }
        spawn
    }
    /// Where descriptor 2 of the command would lead, seen from this process.
    pub fn stderr(&self) -> i32 {
        let mut table = std::collections::HashMap::new();
        for step in &self.steps {
            match *step {
                Step::Dup(from, to) => table.insert(to, *table.get(&from).unwrap_or(&from)),
                Step::Close(fd) => table.insert(fd, -1),
            };
        }
        *table.get(&2).unwrap_or(&2)
    }
    /// Hands the opened descriptors to another one.
    pub fn give_to(&mut self, other: &mut Redirected) {
        other.opened.append(&mut self.opened);
    }
    /// Keeps a descriptor open until the command has been started.
    pub fn own(&mut self, fd: i32) {
        self.opened.push(fd);
    }
}

/// Descriptors as they were: put back when dropped.
#[derive(Debug, Default)]
pub struct Saved(Vec<(i32, Option<i32>)>);

impl Saved {
    /// The change is to stay (`exec`).
    pub fn forget(mut self) {
        for (_, copy) in self.0.drain(..) {
            if let Some(copy) = copy {
                let _ = io::close(copy);
            }
        }
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        for (fd, copy) in self.0.drain(..).rev() {
            // What was open can be put back; what was closed is closed again, or already is.
            let _ = match copy {
                Some(copy) => io::dup3(copy, fd, 0).and_then(|_| io::close(copy)),
                None => io::close(fd),
            };
        }
    }
}

/// Moves a new descriptor out of the way of the script's.
pub fn make_private(fd: i32) -> SysResult<i32> {
    if fd >= PRIVATE {
        return Ok(fd);
    }
    let moved = io::dup_cloexec(fd, PRIVATE);
    // The number is given back whether or not there is another.
    let _ = io::close(fd);
    moved
}

/// A pipe for the shell's own use.
pub fn private_pipe() -> SysResult<(i32, i32)> {
    let (r, w) = io::pipe2(o::CLOEXEC)?;
    let r = make_private(r);
    let w = make_private(w);
    match (r, w) {
        (Ok(r), Ok(w)) => Ok((r, w)),
        (r, w) => {
            for fd in [r, w].into_iter().flatten() {
                let _ = io::close(fd);
            }
            Err(Errno::EMFILE)
        }
    }
}

impl Shell {
    /// Expands and opens. The error is what to say.
    pub fn redirect(&mut self, redirs: &[Redir]) -> Result<Redirected, Failed> {
        let mut out = Redirected::default();
        for r in redirs {
            let (default, flags, word) = match &r.kind {
                RedirKind::Read(w) => (0, o::RDONLY, w),
                RedirKind::ReadWrite(w) => (0, o::RDWR | o::CREAT, w),
                RedirKind::Write(w) if self.option('C') => (1, o::WRONLY | o::CREAT | o::EXCL, w),
                RedirKind::Write(w) | RedirKind::Clobber(w) => (1, o::WRONLY | o::CREAT | o::TRUNC, w),
                RedirKind::Append(w) => (1, o::WRONLY | o::CREAT | o::APPEND, w),
                RedirKind::DupIn(w) => {
                    let step = self.dup_step(w, r.fd.unwrap_or(0) as i32, &out)?;
                    out.steps.push(step);
                    continue;
                }
                RedirKind::DupOut(w) => {
                    let step = self.dup_step(w, r.fd.unwrap_or(1) as i32, &out)?;
                    out.steps.push(step);
                    continue;
                }
                RedirKind::Here(doc) => {
                    let fd = self.here_document(doc)?;
                    out.opened.push(fd);
                    out.steps.push(Step::Dup(fd, r.fd.unwrap_or(0) as i32));
                    continue;
                }
            };
            let path = expand::single(word, self).map_err(Failed::expansion)?;
            let fd = open_target(&path, flags).map_err(|e| {
                let verb = if flags & o::CREAT != 0 { "create" } else { "open" };
                format!("cannot {verb} {path}: {e}")
            })?;
            out.opened.push(fd);
            out.steps.push(Step::Dup(fd, r.fd.unwrap_or(default) as i32));
        }
        Ok(out)
    }

    /// `<&` and `>&`.
    fn dup_step(&mut self, word: &Word, to: i32, so_far: &Redirected) -> Result<Step, Failed> {
        let text = expand::single(word, self).map_err(Failed::expansion)?;
        if text == "-" {
            return Ok(Step::Close(to));
        }
        let Ok(from) = text.parse::<i32>() else {
            return Err(format!("{text}: not a descriptor, and not \"-\"").into());
        };
        let made = so_far.steps.iter().any(|s| matches!(s, Step::Dup(_, t) if *t == from));
        if !made && io::fcntl(from, vkernel_sys::fcntl::GETFD, 0).is_err() {
            return Err(format!("{from}: {}", Errno::EBADF).into());
        }
        Ok(Step::Dup(from, to))
    }

    /// A descriptor from which the text can be read: a pipe where it fits, else a file without a name.
    fn here_document(&mut self, doc: &HereDoc) -> Result<i32, Failed> {
        let empty = Word::default();
        let text = expand::document(doc.body.get().unwrap_or(&empty), self).map_err(Failed::expansion)?;
        let bytes = to_bytes(&text);
        let result = if bytes.len() <= PIPE_SIZE { through_pipe(&bytes) } else { through_file(&bytes) };
        result.map_err(|e| format!("cannot make a here-document: {e}").into())
    }

    /// Does the steps in this process.
    pub fn apply(&self, r: &Redirected) -> Result<Saved, Failed> {
        let mut saved = Saved::default();
        for step in &r.steps {
            let (Step::Dup(_, to) | Step::Close(to)) = *step;
            if !saved.0.iter().any(|s| s.0 == to) {
                saved.0.push((to, io::dup_cloexec(to, PRIVATE).ok()));
            }
            let done = match *step {
                Step::Dup(from, to) if from == to => Ok(()),
                Step::Dup(from, to) => io::dup3(from, to, 0).map(|_| ()),
                // Closing what isn't open is what was asked for.
                Step::Close(fd) => io::close(fd).or(Ok(())),
            };
            done.map_err(|e| format!("{to}: {e}"))?;
        }
        Ok(saved)
    }
}

/// What a pipe takes without a reader.
pub const PIPE_SIZE: usize = 65536;

fn open_target(path: &str, flags: u32) -> SysResult<i32> {
    let path = to_bytes(path);
    match io::open(&path, flags | o::CLOEXEC, 0o666) {
        // `set -C` protects regular files only (POSIX 2.7.2).
        Err(Errno::EEXIST) if flags & o::EXCL != 0 => {
            if fs::stat(&path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFREG) {
                return Err(Errno::EEXIST);
            }
            make_private(io::open(&path, o::WRONLY | o::CLOEXEC, 0)?)
        }
        Ok(fd) => make_private(fd),
        Err(e) => Err(e),
    }
}

fn through_pipe(bytes: &[u8]) -> SysResult<i32> {
    let (r, w) = private_pipe()?;
    let written = io::write_all(w, bytes);
    let _ = io::close(w);
    if let Err(e) = written {
        let _ = io::close(r);
        return Err(e);
    }
    Ok(r)
}

fn through_file(bytes: &[u8]) -> SysResult<i32> {
    let path = format!("/tmp/.sh-{}-here", vkernel_sys::proc::getpid()).into_bytes();
    let w = make_private(io::open(&path, o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC, 0o600)?)?;
    let r = io::open(&path, o::RDONLY | o::CLOEXEC, 0).and_then(make_private);
    let _ = fs::unlink(&path);
    let written = io::write_all(w, bytes);
    let _ = io::close(w);
    match (r, written) {
        (Ok(r), Err(e)) => {
            let _ = io::close(r);
            Err(e)
        }
        (r, _) => r,
    }
}
