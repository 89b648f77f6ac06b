//! `find` (POSIX find, and what people expect of GNU's).

mod expr;
mod parse;
mod walk;

use crate::options::Failure;
use crate::show::put;

const USAGE: &str = "\
find [-H|-L|-P] [PATH...] [EXPRESSION]
  tests:    -name -iname -path -ipath -regex -iregex GLOB|RE, -type [bcdflps], -size N[ckMG], -empty, -perm [-/]MODE,
            -user, -group, -uid, -gid, -nouser, -nogroup, -links, -inum N, -newer FILE, -[amc]time N, -[amc]min N,
            -samefile FILE, -lname GLOB, -readable, -writable, -executable, -true, -false
  actions:  -print, -print0, -printf FORMAT, -ls, -delete, -prune, -quit, -exec COMMAND ; or +, -execdir, -ok
  options:  -maxdepth N, -mindepth N, -depth, -xdev, -mount, -follow
  operators: ( ) ! -not -a -and -o -or ,";

pub fn find(args: &[Vec<u8>]) -> Result<i32, Failure> {
    if args.iter().any(|a| a == b"--help") {
        put(format!("usage: {USAGE}\n").as_bytes());
        return Ok(0);
    }
    let mut args = args;
    let mut follow = b'P';
    while let [first, rest @ ..] = args {
        match first.as_slice() {
            b"-H" | b"-L" | b"-P" => follow = first[1],
            b"--" => {
                args = rest;
                break;
            }
            _ => break,
        }
        args = rest;
    }
    let expression =
        |a: &Vec<u8>| (a.len() > 1 && a[0] == b'-') || [&b"("[..], b"!", b")", b","].contains(&a.as_slice());
    let n = args.iter().position(expression).unwrap_or(args.len());
    let (paths, expression) = args.split_at(n);
    let parsed = parse::parse(expression, follow == b'L')?;
    let default = [b".".to_vec()];
    let paths = if paths.is_empty() { &default } else { paths };
    let mut walk = walk::Walk::new(parsed, follow);
    for path in paths {
        if !walk.top(path) {
            break;
        }
    }
    Ok(walk.finish())
}
