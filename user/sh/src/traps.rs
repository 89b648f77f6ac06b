//! `trap` (POSIX 2.15): commands on signals and on the shell's end.
//!
//! A signal with a command is caught without a handler: the kernel keeps it, it ends a sleeping call with
//! EINTR, and the shell asks for it between commands.

use crate::builtins::{mistake, write};
use crate::shell::{Run, Shell, Unwind};
use crate::text::quote;
use vkernel_sys::{io, proc, sig};

impl Shell {
    /// What has come meanwhile: runs the commands of caught signals. The interrupt key ends what a shell at a
    /// terminal is doing by itself.
    pub fn interrupted(&mut self) -> Result<(), Unwind> {
        self.signal_taken().map(|_| ())
    }

    /// The same; answers whether there was one, and which came last.
    pub fn signal_taken(&mut self) -> Result<Option<u32>, Unwind> {
        if self.caught.is_empty() {
            return Ok(None);
        }
        let mut last = None;
        while let Some(signal) = proc::sigtake(&self.caught) {
            last = Some(signal);
            if let Some(action) = self.traps.get(&signal).cloned() {
                // POSIX 2.15: `$?` is afterwards what it was.
                let status = self.status;
                self.run_text(&action)?;
                self.status = status;
            }
            // At a prompt TERM does nothing by itself; who loses the terminal goes.
            if signal == sig::HUP && self.tty.is_some() && !self.traps.contains_key(&signal) {
                return Err(Unwind::Exit(128 + signal as i32));
            }
            if signal == sig::INT && self.tty.is_some() {
                let _ = io::write_all(2, b"\n");
                self.status = 130;
                return Err(Unwind::Error(130));
            }
        }
        Ok(last)
    }

    fn set_trap(&mut self, n: u32, action: Option<&str>) -> Result<(), vkernel_sys::Errno> {
        // A shell at a terminal goes on catching the interrupt key, and ignoring the others.
        let own = match self.tty {
            Some(_) if [sig::INT, sig::TERM, sig::HUP].contains(&n) => proc::Disposition::Catch,
            Some(_) if [sig::QUIT, sig::TSTP, sig::TTIN, sig::TTOU].contains(&n) => proc::Disposition::Ignore,
            _ => proc::Disposition::Default,
        };
        let to = match action {
            None => own,
            Some("") => proc::Disposition::Ignore,
            Some(_) => proc::Disposition::Catch,
        };
        proc::sigaction(n, to)?;
        self.caught.retain(|c| *c != n);
        if to == proc::Disposition::Catch {
            self.caught.push(n);
        }
        match action {
            Some(text) => drop(self.traps.insert(n, text.to_string())),
            None => drop(self.traps.remove(&n)),
        }
        Ok(())
    }

    fn trap_lines(&self, only: &[String]) -> String {
        let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o.strip_prefix("SIG").unwrap_or(o) == name);
        let exit = self.exit_trap.as_deref().map(|t| ("EXIT", t));
        let signals = self.traps.iter().map(|(n, t)| (sig::name(*n), t.as_str()));
        let all = exit.into_iter().chain(signals).filter(|(n, _)| wanted(n));
        all.map(|(n, t)| format!("trap -- '{}' {n}\n", t.replace('\'', "'\\''"))).collect()
    }
}

/// The number of a signal by its name, with or without `SIG`, or by its number; 0 is EXIT.
pub fn signal_number(name: &str) -> Option<u32> {
    if let Ok(n) = name.parse::<u32>() {
        return (n < sig::COUNT).then_some(n);
    }
    let name = name.to_ascii_uppercase();
    if name == "EXIT" { Some(0) } else { sig::from_name(&name) }
}

pub fn trap(sh: &mut Shell, argv: &[String]) -> Run {
    let mut args = &argv[1..];
    if args.first().is_some_and(|a| a == "--") {
        args = &args[1..];
    }
    let list = args.first().is_some_and(|a| a == "-p");
    if list || args.is_empty() {
        let lines = sh.trap_lines(args.get(1..).unwrap_or_default());
        return write(sh, argv, &lines);
    }
    // `trap 2` is `trap - 2` (POSIX trap).
    let first = args[0].as_str();
    let (action, names) = match first.parse::<u32>() {
        Ok(_) => (None, args),
        Err(_) if args.len() == 1 => (None, args),
        Err(_) if first == "-" => (None, &args[1..]),
        Err(_) => (Some(first), &args[1..]),
    };
    let mut status = 0;
    for name in names {
        let Some(n) = signal_number(name) else {
            // POSIX trap: not an error that ends a shell.
            sh.complain(&format!("trap: {}: no such signal", quote(name)));
            status = 1;
            continue;
        };
        if n == 0 {
            sh.exit_trap = action.map(|a| a.to_string());
        } else if let Err(e) = sh.set_trap(n, action) {
            sh.complain(&format!("trap: {name}: {e}"));
            status = 1;
        }
    }
    if names.is_empty() { mistake(sh, argv, "wants a signal") } else { Ok(status) }
}
