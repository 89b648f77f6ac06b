//! vk's command line.
//!
//! What is said here is decided by clap or by one of the small parsers below, and is as good as
//! it gets without looking at the host: paths are looked at in `plan.rs`.

use abi::syscalls::SYSCALLS;
use clap::{ArgAction, Args, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  vk                                          boot the system and work in it
  vk run ls -l /bin                           a program of the system
  vk run python.wasm -c 'print(6*7)'          a program of yours, unmodified
  vk run --dir . python.wasm script.py        and it sees the directory you are in
  vk run --dir data::/data:ro sqlite3 /data/x.db
  make-input | vk run --timeout 10 --memory 256m ./filter.wasm > output

Exit status:
  0-123, 126-255   the program's own; 128+N when signal N ended it
  124              the time of --timeout was over
  125              a mistake in vk's own arguments
  126              the program can't be run: not WebAssembly, damaged, or it wants what isn't offered
  127              the program isn't there
  134              also: the kernel inside failed (it says so)";

const RUN_EXAMPLES: &str = "\
Options for vk stand before PROGRAM; what stands after it is the program's.

Examples:
  vk run ls -l /bin
  vk run python.wasm -c 'print(6*7)'
  vk run --dir . python.wasm script.py
  vk run --dir tree::/ sh                     `tree` is the root the program sees
  vk run --trace=open,read cat /etc/motd
  vk run --timeout 0.5 ./spin.wasm; echo $?   124";

const CC_EXAMPLES: &str = "\
Examples:
  vk cc -O2 prog.c -o prog.wasm && vk run ./prog.wasm
  make CC=\"vk cc\"
  clang $(vk cc --print-flags) -c prog.c      as another build system does it
  clang --target=wasm32-wasip1 prog.o $(vk cc --print-libs) -o prog.wasm

Needs clang 20 or later with wasm-ld, and a C library of WASI:
  vk cc --get-sysroot                         fetches one from npm, once

Environment:
  VK_CC, CC     the clang to use; else the newest in PATH
  VK_SYSROOT    the C library of WASI";

const CORE_EXAMPLES: &str = "\
Examples:
  vk cc -g prog.c -o prog.wasm
  vk run --dir . sh -c 'cd /mnt; ulimit -c unlimited; ./prog.wasm'
  vk core core prog.wasm
  vk core core prog.wasm --memory 0x400,64

The file is a WebAssembly module as the tool conventions have it (Coredump.md): other debuggers read it, too.

Exit status: 0; 1 for a file that can't be read or isn't a core dump.";

/// Boot an operating system of its own around WebAssembly programs.
///
/// Each vk is a small POSIX system: a kernel with processes, pipes, signals and file systems, which
/// lives in this process and sees nothing of the host but what you share. Without a command it boots
/// and leaves you at a prompt.
#[derive(Debug, Parser)]
#[command(name = "vk", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(disable_help_subcommand = true, subcommand_negates_reqs = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot, run one program and exit with its status
    ///
    /// PROGRAM is a file of the host when it ends in .wasm or holds a slash; it is run as it is, under
    /// the name it was given. Any other name is looked for in the PATH of the image.
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// Compile C for this system: clang with the headers and the library that make WASI's libc POSIX
    ///
    /// All arguments are clang's. The exit status and the messages are its, too.
    #[command(after_help = CC_EXAMPLES, override_usage = "vk cc [CLANG'S ARGUMENTS]\n       vk cc --print-flags\n       \
        vk cc --print-libs\n       vk cc --get-sysroot")]
    Cc(Cc),
    /// Say what a core dump holds: why the program ended, where it was, what is in its memory
    ///
    /// A program leaves the file `core` in its working directory when a signal like SIGSEGV ends it and `ulimit -c`
    /// allows it.
    #[command(after_help = CORE_EXAMPLES)]
    Core(Core),
}

#[derive(Debug, Args)]
pub struct Core {
    /// The core dump
    pub file: PathBuf,
    /// The program that left it, for the names of its functions
    pub program: Option<PathBuf>,
    /// Show these bytes of its memory, too: ADDRESS or ADDRESS,LENGTH, in C's notation
    #[arg(long, short, value_name = "RANGE", value_parser = range)]
    pub memory: Vec<(u32, u32)>,
}

/// An address and a length, 256 where none is given.
fn range(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).map_err(|e| format!("{text}: {e}")),
        None => text.parse().map_err(|e| format!("{text}: {e}")),
    };
    let (at, len) = text.split_once(',').unwrap_or((text, "256"));
    Ok((number(at)?, number(len)?))
}

#[derive(Debug, Args)]
pub struct Cc {
    /// What clang is told
    #[arg(value_name = "ARGS", num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub args: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub options: Options,

    /// What the program is told as its name (argv[0])
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<OsString>,

    /// The program and its arguments
    #[arg(value_names = ["PROGRAM", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Default, Args)]
pub struct Options {
    /// Boot from this directory, .tar or .tar.zst instead of the built-in image
    #[arg(long, value_name = "DIR|FILE", help_heading = "Files and environment")]
    pub image: Option<PathBuf>,

    /// Share a directory of the host; the place is the same inside unless GUEST says otherwise
    ///
    /// `HOST::/` makes it the root. With `:ro` at the end it can't be changed. May be given more than once.
    #[arg(long, value_name = "HOST[::GUEST][:ro]", value_parser = share_parser(), help_heading = "Files and environment")]
    pub dir: Vec<Share>,

    /// Mount a disk that is kept in a file of the host, and is made if it isn't there
    ///
    /// What the guest writes below GUEST stays for the next time. A new disk begins with what the image has
    /// there. With `:ro` at the end it can't be changed. May be given more than once.
    #[arg(long, value_name = "FILE::GUEST[:ro]", value_parser = disk_parser(), help_heading = "Files and environment")]
    pub disk: Vec<Share>,

    /// Start in this directory of the guest
    ///
    /// Without it: the current directory if it is shared, else /.
    #[arg(long, value_name = "DIR", value_parser = guest_path_parser(), help_heading = "Files and environment")]
    pub workdir: Option<GuestPath>,

    /// Set an environment variable; without a value, pass on vk's own
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable_parser(), help_heading = "Files and environment")]
    pub env: Vec<Variable>,

    /// Memory that one process may have, such as 64m or 2g
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true, help_heading = "Limits")]
    pub memory: Option<u64>,

    /// Memory that all processes together may have; files in memory may have as much again
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true, help_heading = "Limits")]
    pub total_memory: Option<u64>,

    /// How large the file of each disk may become
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true, help_heading = "Limits")]
    pub disk_size: Option<u64>,

    /// Processes at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true,
          help_heading = "Limits")]
    pub procs: Option<u32>,

    /// Open files per process, the three standard streams included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..), allow_negative_numbers = true,
          help_heading = "Limits")]
    pub files: Option<u32>,

    /// End everything after this time and exit with 124; fractions are fine
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, help_heading = "Limits")]
    pub timeout: Option<Duration>,

    /// Print a line per system call (only of these, if named) to standard error
    ///
    /// `open` stands for openat and path_open too, `read` for fd_read, and so on.
    #[arg(long, value_name = "CALL,...", num_args = 0..=1, require_equals = true, default_missing_value = "",
          value_parser = calls, help_heading = "Observing")]
    pub trace: Option<String>,

    /// Write the trace to this file
    #[arg(long, value_name = "FILE", help_heading = "Observing")]
    pub trace_file: Option<PathBuf>,

    /// Print figures about the run to standard error at the end, as one JSON object
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Observing")]
    pub stats: bool,

    /// Say nothing but what the program says
    #[arg(long, short, action = ArgAction::SetTrue, help_heading = "Observing")]
    pub quiet: bool,
}

/// `--dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub host: PathBuf,
    pub guest: Option<Vec<u8>>,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPath(pub Vec<u8>);

/// `--env`: a name, and a value unless it is to be taken from vk's own environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// clap gives functions strings in UTF-8, so arguments that may be anything come this way.
macro_rules! bytes_parser {
    ($name:ident, $parse:ident, $ty:ty) => {
        fn $name() -> impl clap::builder::TypedValueParser<Value = $ty> {
            use clap::builder::{OsStringValueParser, TypedValueParser};
            OsStringValueParser::new().try_map($parse)
        }
    };
}
bytes_parser!(share_parser, parse_share, Share);
bytes_parser!(disk_parser, parse_disk, Share);
bytes_parser!(guest_path_parser, parse_guest_path, GuestPath);
bytes_parser!(variable_parser, parse_variable, Variable);

fn parse_share(arg: OsString) -> Result<Share, String> {
    let mut rest = arg.into_vec();
    let read_only = rest.ends_with(b":ro");
    if read_only {
        rest.truncate(rest.len() - 3);
    }
    let at = rest.windows(2).rposition(|w| w == b"::");
    let guest = at.map(|at| rest[at + 2..].to_vec());
    if let Some(at) = at {
        rest.truncate(at);
    }
    if rest.is_empty() {
        return Err("no directory is named before `::`; write HOST::GUEST".into());
    }
    if let Some(guest) = &guest {
        absolute(guest)?;
    }
    Ok(Share { host: OsString::from_vec(rest).into(), guest, read_only })
}

fn parse_disk(arg: OsString) -> Result<Share, String> {
    let disk = parse_share(arg).map_err(|e| e.replace("directory", "file").replace("HOST", "FILE"))?;
    if disk.guest.is_none() {
        return Err("say where it is mounted: FILE::GUEST, such as home.disk::/home".into());
    }
    Ok(disk)
}

fn parse_guest_path(arg: OsString) -> Result<GuestPath, String> {
    let path = arg.into_vec();
    absolute(&path)?;
    Ok(GuestPath(path))
}

fn absolute(path: &[u8]) -> Result<(), String> {
    if path.first() == Some(&b'/') {
        return Ok(());
    }
    let path = OsStr::from_bytes(path).display();
    Err(format!("`{path}` is a place in the guest and must begin with `/`"))
}

fn parse_variable(arg: OsString) -> Result<Variable, String> {
    let mut name = arg.into_vec();
    let value = name.iter().position(|&b| b == b'=').map(|at| {
        let value = name[at + 1..].to_vec();
        name.truncate(at);
        value
    });
    if name.is_empty() { Err("no name before `=`".into()) } else { Ok(Variable { name, value }) }
}

/// `64m`: a number and k, m or g, of 1024.
fn size(arg: &str) -> Result<u64, String> {
    let wrong = || "write a number with k, m or g behind it, such as 512k, 64m or 2g".to_string();
    let digits = arg.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match arg[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(wrong()),
    };
    let n: u64 = digits.parse().map_err(|_| wrong())?;
    let bytes = n.checked_mul(1 << shift).ok_or_else(|| "more than there can be".to_string())?;
    // Less than a page of wasm memory isn't a size, it is a forgotten suffix.
    if bytes < 65_536 { Err(format!("{bytes} bytes are less than 64k; was a suffix meant?")) } else { Ok(bytes) }
}

fn seconds(arg: &str) -> Result<Duration, String> {
    let wrong = "write a number of seconds above 0, such as 10 or 0.5";
    let n: f64 = arg.parse().map_err(|_| wrong)?;
    if n <= 0.0 || !n.is_finite() {
        return Err(wrong.into());
    }
    Duration::try_from_secs_f64(n).map_err(|_| wrong.into())
}

/// The calls to trace. A short name stands for its longer forms too: `open` for `openat` and `path_open`.
fn calls(arg: &str) -> Result<String, String> {
    let mut names = Vec::new();
    for asked in arg.split(',').filter(|n| !n.is_empty()) {
        let known = names.len();
        let of_that_name = |n: &str| {
            n == asked
                || n.strip_suffix("at") == Some(asked)
                || n.strip_prefix("fd_").or(n.strip_prefix("path_")) == Some(asked)
        };
        names.extend(SYSCALLS.iter().map(|s| s.name).filter(|n| of_that_name(n)));
        if names.len() == known {
            return Err(format!("there is no system call `{asked}`; --trace without names prints all of them"));
        }
    }
    names.dedup();
    Ok(names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["vk"].iter().chain(args))
    }
    fn run(args: &[&str]) -> Run {
        match parse(&[&["run"], args].concat()).expect("good arguments").command {
            Some(Command::Run(run)) => *run,
            _ => panic!("no command"),
        }
    }
    fn error(args: &[&str]) -> String {
        parse(args).expect_err("a mistake").to_string()
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_definitions() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        let r = run(&["--memory", "64m", "python.wasm", "-c", "print(1)", "--memory", "--", "-x"]);
        assert_eq!(r.command, ["python.wasm", "-c", "print(1)", "--memory", "--", "-x"]);
        assert_eq!(r.options.memory, Some(64 << 20));
        assert_eq!(run(&["--", "-odd.wasm", "x"]).command, ["-odd.wasm", "x"]);
        assert_eq!(run(&["ls", "--help"]).command, ["ls", "--help"]);
        assert_eq!(run(&["sh", "run", "--version"]).command, ["sh", "run", "--version"]);
    }

    #[test]
    fn what_follows_cc_is_clangs() {
        let cc = |args: &[&str]| match parse(&[&["cc"], args].concat()).expect("good arguments").command {
            Some(Command::Cc(cc)) => cc.args,
            _ => panic!("no cc"),
        };
        for args in
            [&["-O2", "a.c", "-o", "a.wasm"][..], &["a.c", "--timeout", "-q", "--", "x"], &["--print-flags"], &[]]
        {
            assert_eq!(cc(args), args);
        }
    }

    #[test]
    fn mistakes_before_the_program_are_mistakes() {
        assert!(error(&["run", "--tmeout", "5", "x"]).contains("--timeout"), "a suggestion");
        assert_eq!(parse(&["run"]).unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["rum", "ls"]).unwrap_err().kind(), ErrorKind::InvalidSubcommand);
        for args in [&["--memory", "12"][..], &["--memory", "x"], &["--memory", "5q"], &["--memory", "99999999999g"]] {
            assert!(parse(args).is_err(), "{args:?}");
        }
        for n in ["0", "-1", "x", "4294967296"] {
            assert!(parse(&["--procs", n]).is_err() && parse(&["--files", n]).is_err(), "{n}");
        }
        for t in ["0", "-1", "nan", "inf", "x", "1e300"] {
            assert!(error(&["--timeout", t]).contains("number of seconds") || t == "-1", "{t}");
        }
        assert!(error(&["--workdir", "src"]).contains("must begin with `/`"));
        assert!(error(&["--env", "=x"]).contains("no name"));
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in
            [("65536", 65_536), ("512k", 512 << 10), ("64M", 64 << 20), ("2g", 2 << 30), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn directories_to_share() {
        let share = |text: &str| parse_share(text.into());
        let ok = |host: &str, guest: Option<&str>, read_only| {
            Ok(Share { host: host.into(), guest: guest.map(|g| g.as_bytes().to_vec()), read_only })
        };
        assert_eq!(share("."), ok(".", None, false));
        assert_eq!(share("a b:ro"), ok("a b", None, true));
        assert_eq!(share("data::/d"), ok("data", Some("/d"), false));
        assert_eq!(share("data::/:ro"), ok("data", Some("/"), true));
        assert_eq!(share("odd::name::/d"), ok("odd::name", Some("/d"), false));
        assert!(share("data::d").unwrap_err().contains("must begin with `/`"));
        assert!(share("::/d").unwrap_err().contains("HOST::GUEST"));
        assert!(share(":ro").is_err() && share("").is_err());
    }

    #[test]
    fn disks_have_a_place() {
        let disk = |text: &str| parse_disk(text.into());
        let want = Share { host: "h.disk".into(), guest: Some(b"/home".to_vec()), read_only: true };
        assert_eq!(disk("h.disk::/home:ro"), Ok(want));
        assert!(disk("h.disk").unwrap_err().contains("FILE::GUEST"));
        assert!(disk("h.disk:ro").unwrap_err().contains("FILE::GUEST"));
        assert!(disk("::/home").unwrap_err().contains("FILE::GUEST"));
        assert!(disk("h.disk::home").unwrap_err().contains("must begin with `/`"));
        assert_eq!(run(&["--disk-size", "2g", "ls"]).options.disk_size, Some(2 << 30));
    }

    #[test]
    fn names_of_calls_to_trace() {
        assert_eq!(run(&["--trace", "ls"]).options.trace.as_deref(), Some(""));
        let some = run(&["--trace=read,path_open", "ls"]).options.trace.unwrap();
        let some: Vec<_> = some.split(',').collect();
        assert!(some.contains(&"read") && some.contains(&"fd_read") && some.contains(&"path_open"), "{some:?}");
        assert!(!some.contains(&"fd_readdir"));
        assert!(error(&["--trace=opne"]).contains("there is no system call `opne`"));
    }

    #[test]
    fn help_and_version_are_not_mistakes() {
        for args in [&["--help"][..], &["run", "--help"], &["-h"], &["--version"]] {
            assert!(!parse(args).unwrap_err().use_stderr(), "{args:?}");
        }
    }
}
