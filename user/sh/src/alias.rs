//! `alias` and `unalias` (POSIX 2.3.1). The parser puts the texts in.

use crate::builtins::{mistake, write};
use crate::shell::{Run, Shell};

/// A definition as `alias` shows it, to be read again.
pub fn shown(name: &str, text: &str) -> String {
    format!("{name}='{}'", text.replace('\'', "'\\''"))
}

pub fn alias(sh: &mut Shell, argv: &[String]) -> Run {
    let args: Vec<&String> = argv[1..].iter().skip_while(|a| *a == "--" || *a == "-p").collect();
    if args.is_empty() {
        let lines: String = sh.aliases.borrow().iter().map(|(n, t)| shown(n, t) + "\n").collect();
        return write(sh, argv, &lines);
    }
    let mut status = 0;
    for a in args {
        if let Some((name, text)) = a.split_once('=').filter(|d| !d.0.is_empty()) {
            sh.aliases.borrow_mut().insert(name.to_string(), text.to_string());
            continue;
        }
        let line = sh.aliases.borrow().get(a).map(|t| shown(a, t) + "\n");
        match line {
            Some(line) => status |= write(sh, argv, &line)?,
            None => {
                sh.complain(&format!("alias: {a}: not found"));
                status = 1;
            }
        }
    }
    Ok(status)
}

pub fn unalias(sh: &mut Shell, argv: &[String]) -> Run {
    match &argv[1..] {
        [] => return mistake(sh, argv, "wants a name, or -a"),
        [a] if a == "-a" => sh.aliases.borrow_mut().clear(),
        names => {
            for n in names {
                if sh.aliases.borrow_mut().remove(n).is_none() {
                    sh.complain(&format!("unalias: {n}: not found"));
                    return Ok(1);
                }
            }
        }
    }
    Ok(0)
}
