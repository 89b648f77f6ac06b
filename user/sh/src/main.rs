//! `sh`: the shell to boot into, small and POSIX-flavoured.
//!
//! There is no fork(2) on this system, so a subshell is a new `sh` that is given this one's state as
//! text (`unparse.rs`): `sh --subshell STATE COMMANDS ARG0 [ARG...]`, an interface of its own to itself.

mod alias;
mod arith;
mod ast;
mod builtins;
mod cd;
mod complete;
mod edit;
mod exec;
mod expand;
mod fc;
mod history;
mod input;
mod jobcmds;
mod jobs;
mod keys;
mod lexer;
mod limits;
mod motion;
mod output;
mod parser;
mod pattern;
mod redir;
mod repl;
mod screen;
mod shell;
mod test;
mod text;
mod traps;
mod unparse;
mod vi;

use shell::{OPTIONS, Shell, Unwind};
use text::from_bytes;

fn main() {
    let args: Vec<String> = std::env::args_os().map(|a| from_bytes(a.as_encoded_bytes())).collect();
    if cfg!(not(target_family = "wasm")) {
        // Natively, in tests: the runtime ignores SIGPIPE, and children would inherit that.
        let _ = vkernel_sys::proc::sigaction(vkernel_sys::sig::PIPE, vkernel_sys::proc::Disposition::Default);
    }
    let arg0 = args.first().map_or("sh", |s| s.as_str());
    let mut sh = Shell::new(arg0);
    // `test` and `[` as programs are links to this one.
    if let "test" | "[" = arg0.rsplit('/').next().unwrap_or(arg0) {
        std::process::exit(test::builtin(&mut sh, &named(&args)).unwrap_or(2));
    }
    let status = match args.get(1).map(|s| s.as_str()) {
        Some("--subshell") => subshell(&mut sh, &args[2..]),
        _ => start(&mut sh, arg0, &args[1..]),
    };
    std::process::exit(status)
}

/// The arguments under the bare name they were called by.
fn named(args: &[String]) -> Vec<String> {
    let name = args[0].rsplit('/').next().unwrap_or_default().to_string();
    std::iter::once(name).chain(args[1..].iter().cloned()).collect()
}

/// `sh [-OPTIONS] [-c COMMANDS [NAME]] [FILE] [ARG...]`
fn start(sh: &mut Shell, arg0: &str, args: &[String]) -> i32 {
    let mut command = false;
    let mut stdin = false;
    let mut login = arg0.starts_with('-');
    let mut interactive = false;
    let mut rest = args;
    while let Some((first, more)) = rest.split_first() {
        let (on, letters) = match (first.strip_prefix('-'), first.strip_prefix('+')) {
            (Some(l), _) => (true, l),
            (_, Some(l)) => (false, l),
            _ => break,
        };
        rest = more;
        if letters == "-" || letters.is_empty() {
            break;
        }
        for c in letters.chars() {
            match c {
                'c' => command = true,
                's' => stdin = true,
                'l' => login = true,
                'i' => interactive = true,
                'o' => {
                    let known = rest.first().and_then(|n| OPTIONS.iter().find(|o| o.1 == n));
                    let Some((letter, _)) = known else { return usage(sh, "-o wants the name of an option") };
                    sh.set_option(*letter, on);
                    rest = &rest[1..];
                }
                c if OPTIONS.iter().any(|o| o.0 == c) => sh.set_option(c, on),
                c => return usage(sh, &format!("-{c}: no such option")),
            }
        }
    }
    let result = if command {
        let Some((text, rest)) = rest.split_first() else { return usage(sh, "-c wants commands") };
        if let Some((name, args)) = rest.split_first() {
            sh.arg0 = name.clone();
            sh.positional = args.to_vec();
        }
        sh.run_text(text)
    } else if let (Some((file, args)), false) = (rest.split_first(), stdin) {
        sh.arg0 = file.clone();
        sh.positional = args.to_vec();
        repl::script(sh, file)
    } else {
        sh.positional = rest.to_vec();
        repl::run(sh, interactive, login)
    };
    finish(sh, result)
}

fn usage(sh: &Shell, what: &str) -> i32 {
    sh.complain(&format!("{what}\nusage: sh [-aCefnuvx] [-o OPTION] [-c COMMANDS [NAME]] [FILE] [ARG...]"));
    2
}

/// Runs the EXIT trap; the status to end with.
fn finish(sh: &mut Shell, result: shell::Run) -> i32 {
    // A signal that came with the last command.
    let result = result.and_then(|s| {
        sh.status = s;
        sh.interrupted().map(|()| s)
    });
    let mut status = match result {
        Ok(s) | Err(Unwind::Exit(s) | Unwind::Error(s) | Unwind::Return(s)) => s,
        Err(Unwind::Break(_) | Unwind::Continue(_)) => sh.status,
    };
    if let Some(text) = sh.exit_trap.take() {
        sh.status = status;
        if let Err(Unwind::Exit(s) | Unwind::Error(s)) = sh.run_text(&text) {
            status = s;
        }
    }
    status
}

/// The state of another shell, then its commands.
fn subshell(sh: &mut Shell, args: &[String]) -> i32 {
    let [state, commands, arg0, positional @ ..] = args else { return usage(sh, "--subshell is internal") };
    let (line, script) = state.split_once('\n').unwrap_or((state, ""));
    let fields: Vec<&str> = line.split(' ').collect();
    let [pid, status, last, at, options, in_function, offset, lines] = fields.as_slice() else {
        return usage(sh, "--subshell is internal");
    };
    let (of_state, of_commands) = lines.split_once(':').unwrap_or_default();
    let numbers = |list: &str| list.split(',').filter_map(|n| n.parse().ok()).collect();
    if let Err(e) = sh.run_subshell(script, numbers(of_state)) {
        return finish(sh, Err(e));
    }
    let number = |s: &str| s.parse::<i32>().unwrap_or(0);
    sh.arg0 = arg0.clone();
    sh.positional = positional.to_vec();
    sh.pid = number(pid) as u32;
    sh.status = number(status);
    sh.last_background = Some(number(last)).filter(|p| *p != 0);
    sh.line = number(at) as usize;
    sh.options = options.trim_start_matches('-').to_string();
    // OPTIND was set by the state, and getopts begins anew with that.
    sh.opt_offset = number(offset) as usize;
    if *in_function == "1" {
        // `local` has its place.
        sh.locals.push(Vec::new());
    }
    let result = sh.run_subshell(commands, numbers(of_commands));
    finish(sh, result)
}
