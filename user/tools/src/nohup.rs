//! `nohup` (POSIX nohup): a command that outlives its terminal.

use crate::options::{Failure, Options};
use crate::show::flush_now;
use kit::process::{command, not_found};
use vkernel_sys::proc::{Disposition, sigaction};
use vkernel_sys::{SysResult, io, o, sig, tty};

/// What a failure of nohup's own ends with.
const FAILED: i32 = 127;

pub fn nohup(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "nohup COMMAND [ARGUMENT...]";
    let o = Options::parse(args, "", USAGE, true).map_err(|f| Failure { status: f.status.signum() * FAILED, ..f })?;
    if o.operands.is_empty() {
        return Err(Failure { status: FAILED, ..Failure::usage(format!("wants a command\nusage: {USAGE}")) });
    }
    let failed = |e| Failure { status: FAILED, message: format!("{e}") };
    sigaction(sig::HUP, Disposition::Ignore).map_err(failed)?;
    if tty::isatty(0) {
        // Nobody types any more.
        replace(0, b"/dev/null", o::RDONLY).map_err(failed)?;
    }
    let errors = tty::isatty(2);
    if tty::isatty(1) {
        let home = std::env::var("HOME").unwrap_or_default();
        let places = ["nohup.out".to_string(), format!("{home}/nohup.out")];
        let at = places.iter().find(|p| replace(1, p.as_bytes(), o::WRONLY | o::APPEND | o::CREAT).is_ok());
        let at = at.ok_or_else(|| Failure { status: FAILED, message: "nohup.out can't be written".into() })?;
        eprintln!("nohup: output goes to {at}");
    }
    if errors {
        io::dup3(1, 2, 0).map_err(failed)?;
    }
    flush_now();
    let e = command(&o.operands).exec();
    Err(not_found(&o.operands[0], e))
}

/// Opens a file under this number. A new one is for nobody else to read.
fn replace(fd: i32, path: &[u8], flags: u32) -> SysResult<()> {
    let new = io::open(path, flags, 0o600)?;
    if new != fd {
        io::dup3(new, fd, 0)?;
        io::close(new)?;
    }
    Ok(())
}
