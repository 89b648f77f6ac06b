//! uutils' coreutils as one program: the name it is called by chooses the utility.
//!
//! Those utilities are here that say the truth on WASI. What needs to know owners, modes or processes
//! (`ls`, `cp`, `stat`, `chmod`, `ps`, ...) is in the `tools` program, which has the native calls.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::exit;

/// Arguments as the utilities take them.
type Args = std::vec::IntoIter<OsString>;

macro_rules! utilities {
    ($($name:literal => $krate:ident,)*) => {
        /// By name, in alphabetical order.
        const UTILITIES: &[(&str, fn(Args) -> i32)] = &[$(($name, $krate::uumain)),*];
    };
}

utilities! {
    "b2sum" => uu_b2sum,
    "base32" => uu_base32,
    "base64" => uu_base64,
    "basename" => uu_basename,
    "cksum" => uu_cksum,
    "comm" => uu_comm,
    "cut" => uu_cut,
    "date" => uu_date,
    "dirname" => uu_dirname,
    "echo" => uu_echo,
    "expand" => uu_expand,
    "expr" => uu_expr,
    "factor" => uu_factor,
    "fmt" => uu_fmt,
    "fold" => uu_fold,
    "head" => uu_head,
    "join" => uu_join,
    "link" => uu_link,
    "ln" => uu_ln,
    "md5sum" => uu_md5sum,
    "mktemp" => uu_mktemp,
    "mv" => uu_mv,
    "nl" => uu_nl,
    "numfmt" => uu_numfmt,
    "od" => uu_od,
    "paste" => uu_paste,
    "pathchk" => uu_pathchk,
    "printenv" => uu_printenv,
    "printf" => uu_printf,
    "pwd" => uu_pwd,
    "readlink" => uu_readlink,
    "realpath" => uu_realpath,
    "rm" => uu_rm,
    "rmdir" => uu_rmdir,
    "seq" => uu_seq,
    "sha1sum" => uu_sha1sum,
    "sha256sum" => uu_sha256sum,
    "sha512sum" => uu_sha512sum,
    "shuf" => uu_shuf,
    "sleep" => uu_sleep,
    "sort" => uu_sort,
    "split" => uu_split,
    "sum" => uu_sum,
    "tee" => uu_tee,
    "tr" => uu_tr,
    "truncate" => uu_truncate,
    "tsort" => uu_tsort,
    "unexpand" => uu_unexpand,
    "uniq" => uu_uniq,
    "unlink" => uu_unlink,
    "wc" => uu_wc,
    "yes" => uu_yes,
}

fn find(name: &str) -> Option<fn(Args) -> i32> {
    UTILITIES.binary_search_by_key(&name, |u| u.0).ok().map(|i| UTILITIES[i].1)
}

/// The last component of `argv[0]`, without `.wasm`.
fn called_as(argv0: &OsString) -> String {
    let stem = Path::new(argv0).file_name().unwrap_or(argv0).to_string_lossy().into_owned();
    stem.strip_suffix(".wasm").map(str::to_string).unwrap_or(stem)
}

/// Runs a utility and ends with its status.
fn run(name: &str, main: fn(Args) -> i32, args: Vec<OsString>) -> ! {
    vkernel_sys::adopt_cwd();
    if let Err(e) = uucore::locale::setup_localization(name) {
        eprintln!("{name}: cannot read its messages: {e}");
        exit(99);
    }
    let mut status = main(args.into_iter());
    // The utilities flush for themselves as a rule; what is left is lost unless it is written now.
    if let Err(e) = std::io::stdout().flush()
        && status == 0
        && e.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("{name}: write error: {e}");
        status = 1;
    }
    exit(status)
}

fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    let own = args.first().map(called_as).unwrap_or_default();
    if let Some(main) = find(&own) {
        run(&own, main, args);
    }
    // `coreutils NAME ARGS...`
    let rest: Vec<OsString> = args.into_iter().skip(1).collect();
    let name = rest.first().map(called_as).unwrap_or_default();
    match find(&name) {
        Some(main) => {
            uucore::set_utility_is_second_arg();
            run(&name, main, rest)
        }
        None if name == "--list" => UTILITIES.iter().for_each(|u| println!("{}", u.0)),
        None if name.is_empty() => {
            eprintln!("usage: coreutils UTILITY [ARGUMENT...]\n       coreutils --list");
            exit(2);
        }
        None => {
            eprintln!("coreutils: {name}: no such utility; coreutils --list names them");
            exit(127);
        }
    }
}
