//! `cd` and `pwd`: the logical working directory (POSIX `cd`, steps 1-10).

use crate::builtins::{mistake, plain_var, write};
use crate::shell::{Run, Shell};
use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{Errno, fs};

pub fn cd(sh: &mut Shell, argv: &[String]) -> Run {
    let (physical, args) = options(&argv[1..]);
    let target = match args.first().map(|s| s.as_str()) {
        None => match sh.get("HOME") {
            Some(h) if !h.is_empty() => h,
            _ => return mistake(sh, argv, "HOME is not set"),
        },
        Some("-") => match sh.get("OLDPWD") {
            Some(old) => old,
            None => return mistake(sh, argv, "OLDPWD is not set"),
        },
        Some(d) => d.to_string(),
    };
    let mut say = args.first().is_some_and(|a| a == "-");
    let mut result = enter(sh, &target, physical);
    let relative = !target.starts_with('/') && !target.starts_with("./") && !target.starts_with("../");
    if relative && let Some(path) = sh.get("CDPATH") {
        for dir in path.split(':').filter(|d| !d.is_empty()) {
            let there = format!("{}/{target}", dir.trim_end_matches('/'));
            if fs::stat(&to_bytes(&there)).is_ok() {
                result = enter(sh, &there, physical);
                say = true;
                break;
            }
        }
    }
    match result {
        Ok(now) if say => write(sh, argv, &(now + "\n")),
        Ok(_) => Ok(0),
        Err(e) => mistake(sh, argv, &format!("{target}: {e}")),
    }
}

pub fn pwd(sh: &mut Shell, argv: &[String]) -> Run {
    let (physical, _) = options(&argv[1..]);
    let here = match (physical, sh.get("PWD")) {
        (false, Some(pwd)) => Ok(pwd),
        _ => fs::getcwd().map(|d| from_bytes(&d)),
    };
    match here {
        Ok(d) => write(sh, argv, &(d + "\n")),
        Err(e) => mistake(sh, argv, &e.to_string()),
    }
}

fn options(args: &[String]) -> (bool, &[String]) {
    let mut physical = false;
    for (i, a) in args.iter().enumerate() {
        match a.as_str() {
            "-P" => physical = true,
            "-L" => physical = false,
            "--" => return (physical, &args[i + 1..]),
            _ => return (physical, &args[i..]),
        }
    }
    (physical, &[])
}

/// Goes there and sets PWD and OLDPWD. Answers the new PWD.
fn enter(sh: &mut Shell, target: &str, physical: bool) -> Result<String, Errno> {
    let old = sh.get("PWD");
    let logical = match &old {
        Some(pwd) if !physical => Some(normalize(pwd, target)),
        _ => None,
    };
    match &logical {
        // A link on the way may make the short form mean another place, or none.
        Some(l) => fs::chdir(&to_bytes(l)).or_else(|_| fs::chdir(&to_bytes(target)))?,
        None => fs::chdir(&to_bytes(target))?,
    }
    let now = match logical.filter(|l| same_place(l)) {
        Some(l) => l,
        None => from_bytes(&fs::getcwd()?),
    };
    for (name, value) in [("OLDPWD", old.unwrap_or_default()), ("PWD", now.clone())] {
        let var = sh.vars.entry(name.into()).or_insert_with(|| plain_var(""));
        var.value = Some(value);
        var.exported = true;
    }
    Ok(now)
}

fn same_place(path: &str) -> bool {
    match (fs::stat(&to_bytes(path)), fs::stat(b".")) {
        (Ok(a), Ok(b)) => (a.dev, a.ino) == (b.dev, b.ino),
        _ => false,
    }
}

/// `target` from `pwd`, without `.`, `..` and double slashes.
fn normalize(pwd: &str, target: &str) -> String {
    let full = if target.starts_with('/') { target.to_string() } else { format!("{pwd}/{target}") };
    let mut parts: Vec<&str> = Vec::new();
    for c in full.split('/') {
        match c {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            c => parts.push(c),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_lose_their_dots() {
        for (pwd, target, want) in [
            ("/", "a", "/a"),
            ("/a/b", "..", "/a"),
            ("/a", "../../..", "/"),
            ("/a", "/x//y/./z/", "/x/y/z"),
            ("/", ".", "/"),
        ] {
            assert_eq!(super::normalize(pwd, target), want);
        }
    }
}
