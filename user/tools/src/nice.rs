//! `nice`, `renice`: how much of the CPU others have before a process. POSIX nice, renice.

use crate::options::{Failure, Options, number};
use crate::show::{Names, flush_now};
use kit::process::{command, not_found};
use vkernel_sys::{prio, proc};

/// What `nice` adds when it isn't told.
const STEP: i32 = 10;

/// `-N` and `--N` of old, as `-n N`.
fn spelled_out(args: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = args.split_first() else { return Vec::new() };
    let old = first.strip_prefix(b"-").filter(|n| {
        let digits = n.strip_prefix(b"-").unwrap_or(n);
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    });
    match old {
        Some(n) => [&[b"-n".to_vec(), n.to_vec()], rest].concat(),
        None => args.to_vec(),
    }
}

pub fn nice(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "nice [-n INCREMENT] [COMMAND [ARGUMENT...]]";
    let o = Options::parse(&spelled_out(args), "n:", USAGE, true)?;
    let now = proc::getpriority(prio::PROCESS, 0).unwrap_or(0);
    if o.operands.is_empty() {
        crate::say!("{now}");
        return Ok(0);
    }
    let more = o.value(b'n').map_or(Ok(STEP), number)?;
    if let Err(e) = proc::setpriority(prio::PROCESS, 0, now.saturating_add(more)) {
        // POSIX: the command runs all the same.
        eprintln!("nice: cannot set niceness: {e}");
    }
    flush_now();
    let e = command(&o.operands).exec();
    Err(not_found(&o.operands[0], e))
}

pub fn renice(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "renice [-n INCREMENT | VALUE] [-gpu] ID...";
    // A negative value that comes first is no option.
    let negative = args.first().is_some_and(|a| a.len() > 1 && a[0] == b'-' && a[1..].iter().all(u8::is_ascii_digit));
    let (value, rest) = args.split_at(negative as usize);
    let mut o = Options::parse(rest, "n:gpu", USAGE, false)?;
    o.operands.splice(0..0, value.iter().cloned());
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("usage: {USAGE}")));
    }
    let (ids, value) = match o.value(b'n') {
        Some(n) => (&o.operands[..], Err(number::<i32>(n)?)),
        None => (&o.operands[1..], Ok(number::<i32>(&o.operands[0])?)),
    };
    let which = if o.has(b'g') {
        prio::PGRP
    } else if o.has(b'u') {
        prio::USER
    } else {
        prio::PROCESS
    };
    let users = Names::users();
    let mut status = 0;
    for id in ids {
        let shown = String::from_utf8_lossy(id);
        let known = if which == prio::USER { users.id(&shown).map(|u| u as i32) } else { shown.parse().ok() };
        let who = known.ok_or_else(|| Failure::usage(format!("{shown}: not a number")))?;
        let done = proc::getpriority(which, who)
            .and_then(|old| proc::setpriority(which, who, value.unwrap_or_else(|more| old.saturating_add(more))));
        if let Err(e) = done {
            eprintln!("renice: {shown}: {e}");
            status = 1;
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_increments_are_understood() {
        let words = |s: &str| -> Vec<Vec<u8>> { s.split(' ').map(|w| w.as_bytes().to_vec()).collect() };
        assert_eq!(spelled_out(&words("-5 ls -l")), words("-n 5 ls -l"));
        assert_eq!(spelled_out(&words("--5 ls")), words("-n -5 ls"));
        assert_eq!(spelled_out(&words("-n 5 ls")), words("-n 5 ls"));
        assert_eq!(spelled_out(&words("ls -5")), words("ls -5"));
    }
}
