//! `watch`: a command's output, again and again.

use crate::term::{Key, Screen};
use kit::options::{Failure, Options, number};
use kit::process;
use vkernel_sys::{io, o};

const USAGE: &str = "watch [-gt] [-n SECONDS] COMMAND [ARGUMENT...]";

pub fn watch(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "gtn:", USAGE, true)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("wants a command\nusage: {USAGE}")));
    }
    let delay = o.value(b'n').map_or(Ok(2.0), number::<f64>)?.clamp(0.1, 86400.0);
    let command = o.operands.join(&b' ');
    let mut screen = Screen::take(0)?;
    screen.put(b"\x1b[?25l");
    let mut before = None;
    let status = loop {
        let output = run(&command).map_err(|e| Failure::with(&command, e))?;
        let head = if o.has(b't') { 0 } else { 2 };
        if head > 0 {
            screen.row(0, &format!("every {delay} s: {}", String::from_utf8_lossy(&command)));
            screen.row(1, "");
        }
        let text = String::from_utf8_lossy(&output).replace('\t', "        ");
        for (row, line) in text.lines().enumerate().take(screen.rows.saturating_sub(head)) {
            screen.row(row + head, line);
        }
        let used = (text.lines().count() + head).min(screen.rows);
        if used < screen.rows {
            screen.go(used, 0);
            screen.put(b"\x1b[J");
        }
        if o.has(b'g') && before.as_ref().is_some_and(|b| *b != output) {
            break 0;
        }
        before = Some(output);
        match screen.key((delay * 1000.0) as i32) {
            Key::Char('q') | Key::Ctrl(b'C') => break 0,
            Key::Gone => break 1,
            Key::Resize => screen.put(b"\x1b[2J\x1b[?25l"),
            _ => {}
        }
    };
    screen.put(b"\x1b[?25h");
    Ok(status)
}

/// What a command writes.
fn run(command: &[u8]) -> vkernel_sys::SysResult<Vec<u8>> {
    let (read, write) = io::pipe2(o::CLOEXEC)?;
    let pid = process::shell(command).open(0, b"/dev/null", o::RDONLY, 0).dup2(write, 1).dup2(write, 2).spawn();
    io::close(write)?;
    let output = io::read_to_end(read);
    io::close(read)?;
    process::wait_for(pid?)?;
    output
}
