//! Output: what `print` writes to, by name.

use crate::ast::To;
use kit::process;
use kit::show::{flush_now, put};
use std::collections::HashMap;
use std::rc::Rc;
use vkernel_sys::{SysResult, io, o};

struct Output {
    fd: i32,
    buf: Vec<u8>,
    pid: Option<i32>,
}

impl Output {
    fn flush(&mut self) -> bool {
        let done = io::write_all(self.fd, &self.buf).is_ok();
        self.buf.clear();
        done
    }
}

#[derive(Default)]
pub struct Outputs {
    open: HashMap<(bool, Rc<[u8]>), Output>,
}

impl Outputs {
    pub fn write(&mut self, to: Option<(To, &Rc<[u8]>)>, bytes: &[u8]) -> SysResult<()> {
        let Some((how, name)) = to else {
            put(bytes);
            return Ok(());
        };
        if how != To::Pipe && matches!(&name[..], b"/dev/stdout" | b"-") {
            put(bytes);
            return Ok(());
        }
        let key = (how == To::Pipe, name.clone());
        if !self.open.contains_key(&key) {
            let made = self.make(how, name)?;
            self.open.insert(key.clone(), made);
        }
        if let Some(out) = self.open.get_mut(&key) {
            out.buf.extend_from_slice(bytes);
            if (out.buf.len() > 16 << 10 || out.fd == 2) && !out.flush() {
                return Err(vkernel_sys::Errno::EIO);
            }
        }
        Ok(())
    }

    fn make(&mut self, how: To, name: &Rc<[u8]>) -> SysResult<Output> {
        let (fd, pid) = match how {
            To::Pipe => {
                // What was written before comes out before.
                self.flush();
                let (read, write) = io::pipe2(o::CLOEXEC)?;
                let pid = process::shell(name).dup2(read, 0).spawn();
                io::close(read)?;
                (write, Some(pid?))
            }
            _ if &name[..] == b"/dev/stderr" => (2, None),
            _ => {
                let mode = if how == To::Append { o::APPEND } else { o::TRUNC };
                (io::open(name, o::WRONLY | o::CREAT | o::CLOEXEC | mode, 0o666)?, None)
            }
        };
        Ok(Output { fd, buf: Vec::new(), pid })
    }

    pub fn flush(&mut self) {
        flush_now();
        self.open.values_mut().for_each(|out| {
            out.flush();
        });
    }

    pub fn flush_one(&mut self, name: &[u8]) -> bool {
        flush_now();
        let mut found = false;
        for (_, out) in self.open.iter_mut().filter(|(k, _)| &k.1[..] == name) {
            found |= out.flush();
        }
        found
    }

    /// Answers the command's status, 0 for a file, nothing where none is open.
    pub fn close(&mut self, name: &[u8]) -> Option<i32> {
        let keys: Vec<_> = self.open.keys().filter(|k| &k.1[..] == name).cloned().collect();
        let mut status = None;
        for key in keys {
            if let Some(mut out) = self.open.remove(&key) {
                let done = out.flush();
                if out.fd > 2 {
                    let _ = io::close(out.fd);
                }
                let ended = out.pid.map_or(0, |pid| process::wait_for(pid).unwrap_or(-1));
                status = Some(if done { ended } else { -1 });
            }
        }
        status
    }

    pub fn close_all(&mut self) {
        flush_now();
        let names: Vec<Rc<[u8]>> = self.open.keys().map(|k| k.1.clone()).collect();
        for name in names {
            self.close(&name);
        }
    }
}
