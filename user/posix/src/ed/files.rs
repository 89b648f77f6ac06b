//! Files and the shell.

use super::address::{Range, Text};
use super::{Ed, Fault};
use kit::process;
use kit::show::{flush_now, put};
use std::rc::Rc;
use vkernel_sys::{Errno, io, o};

impl Ed {
    /// What stands behind a command that takes a name: a blank, and the name or `!COMMAND`.
    pub(super) fn name(&self, text: &mut Text) -> Result<Option<Vec<u8>>, Fault> {
        if text.0.is_empty() {
            return Ok(None);
        }
        if !matches!(text.peek(), Some(b' ' | b'\t')) {
            return Err(Fault::new("Unexpected command suffix"));
        }
        text.blanks();
        Ok((!text.0.is_empty()).then(|| text.0.to_vec()))
    }

    /// A name that is given, or the one that is remembered, which the given one becomes if there is none.
    fn named(&mut self, name: Option<Vec<u8>>) -> Result<Vec<u8>, Fault> {
        let name = match name {
            None if self.file.is_empty() => return Err(Fault::new("No current filename")),
            None => return Ok(self.file.clone()),
            Some(name) => name,
        };
        if self.file.is_empty() && !name.starts_with(b"!") {
            self.file = name.clone();
        }
        Ok(name)
    }

    /// A file, for the first time.
    pub(super) fn edit(&mut self, name: &[u8]) -> Result<(), Fault> {
        self.load(0, name)?;
        self.buffer.keep();
        Ok(())
    }

    pub(super) fn read(&mut self, behind: usize, name: Option<Vec<u8>>) -> Result<(), Fault> {
        let name = self.named(name)?;
        self.begin_change();
        self.load(behind, &name)
    }

    fn load(&mut self, behind: usize, name: &[u8]) -> Result<(), Fault> {
        let bytes = match name.strip_prefix(b"!") {
            Some(command) => output_of(command)?,
            None => io::read_file(name).map_err(|e| fault(name, e))?,
        };
        let mut lines: Vec<Rc<[u8]>> = bytes.split(|b| *b == b'\n').map(Into::into).collect();
        let mut size = bytes.len();
        if bytes.is_empty() || bytes.ends_with(b"\n") {
            lines.pop();
        } else {
            // It gets one (POSIX), which is counted.
            size += 1;
            put(b"Newline appended\n");
        }
        self.buffer.insert(behind, lines);
        self.say_size(size);
        Ok(())
    }

    fn say_size(&self, size: usize) {
        if !self.quiet {
            put(format!("{size}\n").as_bytes());
        }
    }

    pub(super) fn write(&mut self, range: Range, name: Option<Vec<u8>>, append: bool) -> Result<(), Fault> {
        let name = self.named(name)?;
        let (from, to) = if range.count > 0 { (range.from, range.to) } else { (1, self.buffer.len()) };
        if range.count > 0 && range.from == 0 && range.to > 0 {
            return Err(Fault::new("Invalid address"));
        }
        let mut bytes = Vec::new();
        for line in self.buffer.lines(from, to) {
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
        }
        let command = name.strip_prefix(b"!");
        match command {
            Some(command) => input_of(command, &bytes)?,
            None => store(&name, &bytes, append).map_err(|e| fault(&name, e))?,
        }
        self.say_size(bytes.len());
        if to == self.buffer.len() && from <= 1 && command.is_none() {
            self.buffer.modified = false;
        }
        Ok(())
    }

    /// `!`: a command, or the filter of lines.
    pub(super) fn shell(&mut self, range: Range, text: &mut Text) -> Result<(), Fault> {
        self.no_address(range)?;
        let mut command = Vec::new();
        let mut shown = false;
        while let Some(c) = text.next() {
            match c {
                b'!' if command.is_empty() && !shown => {
                    if self.shell.is_empty() {
                        return Err(Fault::new("No previous command"));
                    }
                    command.extend_from_slice(&self.shell);
                    shown = true;
                }
                b'%' => {
                    command.extend_from_slice(&self.file);
                    shown = true;
                }
                b'\\' if text.peek() == Some(b'%') => command.extend(text.next()),
                c => command.push(c),
            }
        }
        self.shell = command.clone();
        if shown {
            put(&[&command[..], b"\n"].concat());
        }
        flush_now();
        let pid = process::shell(&command).spawn().map_err(|e| fault(b"sh", e))?;
        let _ = process::wait_for(pid);
        if !self.quiet {
            put(b"!\n");
        }
        Ok(())
    }
}

fn fault(name: &[u8], e: Errno) -> Fault {
    Fault::new(&format!("{}: {e}", String::from_utf8_lossy(name)))
}

fn store(name: &[u8], bytes: &[u8], append: bool) -> Result<(), Errno> {
    let how = if append { o::APPEND } else { o::TRUNC };
    let fd = io::open(name, o::WRONLY | o::CREAT | o::CLOEXEC | how, 0o666)?;
    let written = io::write_all(fd, bytes);
    let closed = io::close(fd);
    written.and(closed)
}

fn output_of(command: &[u8]) -> Result<Vec<u8>, Fault> {
    flush_now();
    let failed = |e| fault(b"sh", e);
    let (r, w) = io::pipe2(o::CLOEXEC).map_err(failed)?;
    let pid = process::shell(command).dup2(w, 1).spawn();
    let _ = io::close(w);
    let bytes = pid.and_then(|pid| {
        let bytes = io::read_to_end(r);
        process::wait_for(pid)?;
        bytes
    });
    let _ = io::close(r);
    bytes.map_err(failed)
}

fn input_of(command: &[u8], bytes: &[u8]) -> Result<(), Fault> {
    flush_now();
    let failed = |e| fault(b"sh", e);
    let (r, w) = io::pipe2(o::CLOEXEC).map_err(failed)?;
    let pid = process::shell(command).dup2(r, 0).spawn();
    let _ = io::close(r);
    // Who doesn't read all of it has its reasons; its status isn't ours.
    let _ = vkernel_sys::proc::sigaction(vkernel_sys::sig::PIPE, vkernel_sys::proc::Disposition::Ignore);
    let _ = io::write_all(w, bytes);
    let _ = io::close(w);
    let _ = vkernel_sys::proc::sigaction(vkernel_sys::sig::PIPE, vkernel_sys::proc::Disposition::Default);
    pid.and_then(process::wait_for).map(|_| ()).map_err(failed)
}
