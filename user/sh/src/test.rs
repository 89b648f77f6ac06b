//! `test` and `[` (POSIX `test`), with `-nt`, `-ot`, `-ef` and the old `-a`, `-o` and parentheses.

use crate::builtins::mistake;
use crate::shell::{Run, Shell};
use crate::text::to_bytes;
use vkernel_sys::{Stat, access, fs, mode, tty};

pub fn builtin(sh: &mut Shell, argv: &[String]) -> Run {
    let mut args: Vec<&str> = argv[1..].iter().map(|s| s.as_str()).collect();
    if argv[0] == "[" && args.pop() != Some("]") {
        return mistake(sh, argv, "\"]\" is missing at the end");
    }
    match evaluate(&args) {
        Ok(v) => Ok(!v as i32),
        Err(e) => mistake(sh, argv, &e),
    }
}

/// By the number of arguments first, as POSIX has it: so that `test "$x" = "$y"` holds whatever they are.
pub fn evaluate(args: &[&str]) -> Result<bool, String> {
    match args {
        [] => Ok(false),
        [one] => Ok(!one.is_empty()),
        [a, op, b] if is_binary(op) => binary(a, op, b),
        ["!", rest @ ..] if rest.len() <= 3 => evaluate(rest).map(|v| !v),
        [op, operand] => unary(op, operand)?.ok_or_else(|| format!("{op}: no such operator")),
        ["(", x, ")"] => Ok(!x.is_empty()),
        _ => {
            let mut e = Expr { args, pos: 0, depth: 0 };
            let v = e.or()?;
            match args.get(e.pos) {
                None => Ok(v),
                Some(a) => Err(format!("{a}: unexpected")),
            }
        }
    }
}

struct Expr<'a> {
    args: &'a [&'a str],
    pos: usize,
    depth: usize,
}

impl Expr<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let there = self.args.get(self.pos) == Some(&word);
        self.pos += there as usize;
        there
    }
    fn or(&mut self) -> Result<bool, String> {
        let mut v = self.and()?;
        while self.eat("-o") {
            v |= self.and()?;
        }
        Ok(v)
    }
    fn and(&mut self) -> Result<bool, String> {
        let mut v = self.primary()?;
        while self.eat("-a") {
            v &= self.primary()?;
        }
        Ok(v)
    }
    fn primary(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > 500 {
            return Err("nested too deeply".into());
        }
        let Some(&first) = self.args.get(self.pos) else { return Err("an argument is missing".into()) };
        if let [a, op, b, ..] = self.args[self.pos..]
            && is_binary(op)
        {
            self.pos += 3;
            return binary(a, op, b);
        }
        self.pos += 1;
        if first == "!" {
            return self.primary().map(|v| !v);
        }
        if first == "(" {
            let v = self.or()?;
            return if self.eat(")") { Ok(v) } else { Err("\")\" is missing".into()) };
        }
        if let Some(&operand) = self.args.get(self.pos)
            && let Some(v) = unary(first, operand)?
        {
            self.pos += 1;
            return Ok(v);
        }
        Ok(!first.is_empty())
    }
}

fn is_binary(op: &str) -> bool {
    matches!(op, "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-gt" | "-ge" | "-lt" | "-le" | "-nt" | "-ot" | "-ef")
}

fn binary(a: &str, op: &str, b: &str) -> Result<bool, String> {
    let n = |s: &str| s.trim().parse::<i64>().map_err(|_| format!("{s}: not a number"));
    let files = || (fs::stat(&to_bytes(a)).ok(), fs::stat(&to_bytes(b)).ok());
    Ok(match op {
        "=" | "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "-eq" => n(a)? == n(b)?,
        "-ne" => n(a)? != n(b)?,
        "-gt" => n(a)? > n(b)?,
        "-ge" => n(a)? >= n(b)?,
        "-lt" => n(a)? < n(b)?,
        "-le" => n(a)? <= n(b)?,
        "-nt" => matches!(files(), (Some(x), y) if y.is_none_or(|y| x.mtime_ns > y.mtime_ns)),
        "-ot" => matches!(files(), (x, Some(y)) if x.is_none_or(|x| x.mtime_ns < y.mtime_ns)),
        _ => matches!(files(), (Some(x), Some(y)) if (x.dev, x.ino) == (y.dev, y.ino)),
    })
}

/// Nothing when there is no such operator.
fn unary(op: &str, operand: &str) -> Result<Option<bool>, String> {
    let path = to_bytes(operand);
    let stat = |f: &dyn Fn(Stat) -> bool| fs::stat(&path).is_ok_and(f);
    let kind = |k: u32| stat(&|s| s.mode & mode::IFMT == k);
    Ok(Some(match op {
        "-n" => !operand.is_empty(),
        "-z" => operand.is_empty(),
        "-e" => stat(&|_| true),
        "-f" => kind(mode::IFREG),
        "-d" => kind(mode::IFDIR),
        "-b" => kind(mode::IFBLK),
        "-c" => kind(mode::IFCHR),
        "-p" => kind(mode::IFIFO),
        "-S" => kind(mode::IFSOCK),
        "-h" | "-L" => fs::lstat(&path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFLNK),
        "-s" => stat(&|s| s.size > 0),
        "-u" => stat(&|s| s.mode & mode::ISUID != 0),
        "-g" => stat(&|s| s.mode & mode::ISGID != 0),
        "-k" => stat(&|s| s.mode & mode::ISVTX != 0),
        "-r" => fs::access(&path, access::R_OK).is_ok(),
        "-w" => fs::access(&path, access::W_OK).is_ok(),
        "-x" => fs::access(&path, access::X_OK).is_ok(),
        "-O" => stat(&|s| s.uid == vkernel_sys::proc::geteuid()),
        "-G" => stat(&|s| s.gid == vkernel_sys::proc::getegid()),
        "-t" => tty::isatty(operand.parse().map_err(|_| format!("{operand}: not a descriptor"))?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn the_number_of_arguments_decides_what_they_mean() {
        for (args, want) in [
            (&[][..], false),
            (&[""], false),
            (&["-f"], true),
            (&["!", ""], true),
            (&["-n", "x"], true),
            (&["-z", "x"], false),
            (&["!", "=", "!"], true),
            (&["(", "=", "("], true),
            (&["a", "=", "b"], false),
            (&["3", "-lt", "10"], true),
            (&["!", "a", "=", "b"], true),
            (&["a", "=", "a", "-a", "b", "=", "c"], false),
            (&["a", "=", "b", "-o", "b", "=", "b"], true),
            (&["(", "a", "=", "b", ")", "-o", "x"], true),
        ] {
            assert_eq!(evaluate(args), Ok(want), "{args:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for args in [&["-q", "x"][..], &["a", "-eq", "b"], &["a", "b", "c"], &["(", "a", "b", "c"]] {
            assert!(evaluate(args).is_err(), "{args:?}");
        }
    }
}
