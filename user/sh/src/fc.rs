//! `fc` (POSIX fc): shows, edits and runs again what was entered. `history` is `fc -l 1`.

use crate::builtins::{mistake, write};
use crate::shell::{Run, Shell};
use crate::text::{from_bytes, quote, to_bytes};
use vkernel_sys::{fs, io, o, proc};

/// What is asked for.
#[derive(Default)]
struct Request {
    list: bool,
    bare: bool,
    reverse: bool,
    again: bool,
    editor: Option<String>,
    operands: Vec<String>,
}

/// What a list shows without operands.
const SHOWN: i64 = 16;

pub fn history(sh: &mut Shell, argv: &[String]) -> Run {
    let request = Request { list: true, operands: vec!["1".into()], ..Request::default() };
    if argv.len() > 1 {
        return mistake(sh, argv, "wants no operands; see fc");
    }
    list(sh, argv, &request)
}

pub fn fc(sh: &mut Shell, argv: &[String]) -> Run {
    let request = match parse(&argv[1..]) {
        Ok(request) => request,
        Err(why) => return mistake(sh, argv, &why),
    };
    match &request {
        r if r.list => list(sh, argv, r),
        r if r.again || r.editor.as_deref() == Some("-") => again(sh, argv, r),
        r => edit(sh, argv, r),
    }
}

fn parse(mut args: &[String]) -> Result<Request, String> {
    let mut r = Request::default();
    while let Some((arg, rest)) = args.split_first() {
        let Some(letters) = arg.strip_prefix('-') else { break };
        // A negative number is an operand.
        if letters.is_empty() || letters.parse::<u32>().is_ok() {
            break;
        }
        args = rest;
        if letters == "-" {
            break;
        }
        for (at, letter) in letters.char_indices() {
            match letter {
                'l' => r.list = true,
                'n' => r.bare = true,
                'r' => r.reverse = true,
                's' => r.again = true,
                'e' => {
                    let here = &letters[at + 1..];
                    let next = || args.split_first().map(|(word, rest)| (word.clone(), rest));
                    let (editor, rest) =
                        if here.is_empty() { next().ok_or("-e wants an editor")? } else { (here.to_string(), args) };
                    (r.editor, args) = (Some(editor), rest);
                    break;
                }
                _ => return Err(format!("-{letter}: no such option")),
            }
        }
    }
    r.operands = args.to_vec();
    Ok(r)
}

/// What was entered before this command, and how many before those are forgotten.
fn earlier(sh: &Shell) -> (&[String], usize) {
    let all = &sh.history.entries;
    (&all[..all.len().saturating_sub(1)], sh.history.forgotten)
}

/// The place of an entry: its number, how far back it is, or the latest that begins so.
fn find(sh: &Shell, which: &str) -> Option<usize> {
    let (entries, forgotten) = earlier(sh);
    let last = entries.len().checked_sub(1)?;
    match which.parse::<i64>() {
        Ok(n) if n < 0 => Some((entries.len() as i64).saturating_add(n).max(0) as usize),
        Ok(0) => Some(last),
        Ok(n) => Some(n.saturating_sub(1 + forgotten as i64).clamp(0, last as i64) as usize),
        Err(_) => entries.iter().rposition(|e| e.starts_with(which)),
    }
}

/// The first and the last entry that is meant, each clamped to what there is.
fn range(sh: &mut Shell, r: &Request) -> Option<(usize, usize)> {
    let (from, to) = if r.list { (-SHOWN, "-1") } else { (-1, "") };
    let first = r.operands.first().cloned().unwrap_or_else(|| from.to_string());
    let last = r.operands.get(1).cloned().unwrap_or_else(|| if to.is_empty() { first.clone() } else { to.into() });
    let at = |which: &str| {
        let found = find(sh, which);
        if found.is_none() {
            sh.complain(&format!("fc: {which}: no such command in the history"));
        }
        found
    };
    Some((at(&first)?, at(&last)?))
}

fn list(sh: &mut Shell, argv: &[String], r: &Request) -> Run {
    if earlier(sh).0.is_empty() && r.operands.iter().all(|o| o.parse::<i64>().is_ok()) {
        return Ok(0);
    }
    let Some((first, last)) = range(sh, r) else { return Ok(1) };
    let (entries, forgotten) = earlier(sh);
    let line = |at: usize| {
        let number = if r.bare { String::new() } else { (at + 1 + forgotten).to_string() };
        format!("{number}\t{}\n", entries[at].replace('\n', "\n\t"))
    };
    let mut lines: Vec<String> = (first.min(last)..=first.max(last)).map(line).collect();
    if (first > last) != r.reverse {
        lines.reverse();
    }
    write(sh, argv, &lines.concat())
}

/// Shows a command, remembers it instead of the one that asked for it, and runs it.
fn run(sh: &mut Shell, command: &str) -> Run {
    let _ = io::write_all(2, &to_bytes(&format!("{command}\n")));
    sh.history.entries.pop();
    sh.history.add(command);
    sh.run_text(command)
}

fn again(sh: &mut Shell, argv: &[String], r: &Request) -> Run {
    let (change, which) = match &r.operands[..] {
        [change, rest @ ..] if change.contains('=') => (change.split_once('='), rest),
        rest => (None, rest),
    };
    if which.len() > 1 {
        return mistake(sh, argv, "-s wants one command");
    }
    let which = which.first().map_or("-1", String::as_str);
    let Some(at) = find(sh, which) else {
        sh.complain(&format!("fc: {which}: no such command in the history"));
        return Ok(1);
    };
    let mut command = earlier(sh).0[at].clone();
    if let Some((old, new)) = change {
        command = command.replacen(old, new, 1);
    }
    run(sh, &command)
}

/// Has an editor change the commands, and runs what comes out.
fn edit(sh: &mut Shell, argv: &[String], r: &Request) -> Run {
    if r.operands.len() > 2 {
        return mistake(sh, argv, "wants a first and a last command");
    }
    let Some((first, last)) = range(sh, r) else { return Ok(1) };
    let mut chosen = earlier(sh).0[first.min(last)..=first.max(last)].to_vec();
    if (first > last) != r.reverse {
        chosen.reverse();
    }
    let editor = r.editor.clone().or_else(|| sh.get("FCEDIT")).or_else(|| sh.get("EDITOR"));
    // POSIX has `ed` for it; without a vi there is the editor that we bring.
    let editor = editor.unwrap_or_else(|| sh.find_program("vi", None).map_or("edit", |_| "vi").into());
    let dir = sh.get("TMPDIR").unwrap_or_else(|| "/tmp".into());
    let file = format!("{dir}/sh.{}.fc", proc::getpid());
    let path = to_bytes(&file);
    let flags = o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC;
    let made = io::open(&path, flags, 0o600).and_then(|fd| {
        let written = io::write_all(fd, &to_bytes(&(chosen.join("\n") + "\n")));
        io::close(fd).and(written)
    });
    if let Err(e) = made {
        sh.complain(&format!("fc: {file}: {e}"));
        return Ok(1);
    }
    let status = sh.run_text(&format!("{editor} {}", quote(&file)));
    let text = io::read_file(&path);
    let _ = fs::unlink(&path);
    match (status?, text) {
        (0, Ok(text)) => run(sh, from_bytes(&text).trim_end_matches('\n')),
        (0, Err(e)) => {
            sh.complain(&format!("fc: {file}: {e}"));
            Ok(1)
        }
        // The editor has said what was wrong; nothing is run.
        (status, _) => Ok(status),
    }
}
