//! `getconf`: what the system's limits are (POSIX `getconf`; the names are those of sysconf, pathconf, confstr and
//! `<limits.h>`). The values are those that the C library has (`user/sdk-c`).

use kit::options::{Failure, Options};
use kit::say;
use vkernel_sys::{fs, proc, rlimit};

const USAGE: &str = "getconf [-v specification] system_var\n       getconf [-v specification] path_var pathname\n       getconf -a [pathname]";

/// The version of POSIX, as `_POSIX_VERSION` has it.
const VERSION: i64 = 200_809;
/// No limit, or not there: `getconf` says the same for both.
const NONE: i64 = -1;

#[derive(Clone, Copy)]
enum Value {
    Is(i64),
    Text(&'static str),
    /// The soft limit of a resource.
    Limit(u32),
    Cpus,
    Pages,
    FreePages,
}
use Value::{Cpus, FreePages, Is, Limit, Pages, Text};

/// Variables of the system: sysconf(3), confstr(3), and the least values of `<limits.h>`.
const SYSTEM: &[(&str, Value)] = &[
    ("AIO_LISTIO_MAX", Is(NONE)),
    ("AIO_MAX", Is(NONE)),
    ("AIO_PRIO_DELTA_MAX", Is(NONE)),
    ("ARG_MAX", Is(2 << 20)),
    ("ATEXIT_MAX", Is(NONE)),
    ("BC_BASE_MAX", Is(99)),
    ("BC_DIM_MAX", Is(2048)),
    ("BC_SCALE_MAX", Is(99)),
    ("BC_STRING_MAX", Is(1000)),
    ("CHARCLASS_NAME_MAX", Is(14)),
    ("CHAR_BIT", Is(8)),
    ("CHAR_MAX", Is(127)),
    ("CHAR_MIN", Is(-128)),
    ("CHILD_MAX", Limit(rlimit::NPROC)),
    ("CLK_TCK", Is(100)),
    ("COLL_WEIGHTS_MAX", Is(2)),
    ("DELAYTIMER_MAX", Is(NONE)),
    ("EXPR_NEST_MAX", Is(32)),
    ("HOST_NAME_MAX", Is(64)),
    ("INT_MAX", Is(i32::MAX as i64)),
    ("INT_MIN", Is(i32::MIN as i64)),
    ("IOV_MAX", Is(1024)),
    ("LINE_MAX", Is(4096)),
    ("LOGIN_NAME_MAX", Is(256)),
    ("LONG_BIT", Is(32)),
    ("LONG_MAX", Is(i32::MAX as i64)),
    ("LONG_MIN", Is(i32::MIN as i64)),
    ("MQ_OPEN_MAX", Is(NONE)),
    ("MQ_PRIO_MAX", Is(NONE)),
    ("NGROUPS_MAX", Is(64)),
    ("NL_ARGMAX", Is(9)),
    ("NZERO", Is(20)),
    ("OPEN_MAX", Limit(rlimit::NOFILE)),
    ("PAGESIZE", Is(65536)),
    ("PAGE_SIZE", Is(65536)),
    ("PATH", Text("/bin:/usr/bin:/sbin")),
    ("POSIX2_BC_BASE_MAX", Is(99)),
    ("POSIX2_BC_DIM_MAX", Is(2048)),
    ("POSIX2_BC_SCALE_MAX", Is(99)),
    ("POSIX2_BC_STRING_MAX", Is(1000)),
    ("POSIX2_CHAR_TERM", Is(1)),
    ("POSIX2_COLL_WEIGHTS_MAX", Is(2)),
    ("POSIX2_C_BIND", Is(VERSION)),
    ("POSIX2_C_DEV", Is(NONE)),
    ("POSIX2_EXPR_NEST_MAX", Is(32)),
    ("POSIX2_FORT_RUN", Is(NONE)),
    ("POSIX2_LINE_MAX", Is(2048)),
    ("POSIX2_LOCALEDEF", Is(NONE)),
    ("POSIX2_RE_DUP_MAX", Is(255)),
    ("POSIX2_SW_DEV", Is(NONE)),
    ("POSIX2_UPE", Is(NONE)),
    ("POSIX2_VERSION", Is(VERSION)),
    ("PTHREAD_DESTRUCTOR_ITERATIONS", Is(4)),
    ("PTHREAD_KEYS_MAX", Is(128)),
    ("PTHREAD_STACK_MIN", Is(2048)),
    ("PTHREAD_THREADS_MAX", Is(1)),
    ("RE_DUP_MAX", Is(255)),
    ("RTSIG_MAX", Is(0)),
    ("SCHAR_MAX", Is(127)),
    ("SCHAR_MIN", Is(-128)),
    ("SEM_NSEMS_MAX", Is(NONE)),
    ("SEM_VALUE_MAX", Is(i32::MAX as i64)),
    ("SHRT_MAX", Is(32767)),
    ("SHRT_MIN", Is(-32768)),
    ("SIGQUEUE_MAX", Is(NONE)),
    ("SSIZE_MAX", Is(i32::MAX as i64)),
    ("STREAM_MAX", Is(NONE)),
    ("SYMLOOP_MAX", Is(40)),
    ("TIMER_MAX", Is(NONE)),
    ("TTY_NAME_MAX", Is(32)),
    ("TZNAME_MAX", Is(6)),
    ("UCHAR_MAX", Is(255)),
    ("UINT_MAX", Is(u32::MAX as i64)),
    ("ULONG_MAX", Is(u32::MAX as i64)),
    ("USHRT_MAX", Is(65535)),
    ("WORD_BIT", Is(32)),
    ("_AVPHYS_PAGES", FreePages),
    ("_NPROCESSORS_CONF", Cpus),
    ("_NPROCESSORS_ONLN", Cpus),
    ("_PHYS_PAGES", Pages),
    ("_POSIX2_BC_BASE_MAX", Is(99)),
    ("_POSIX2_BC_DIM_MAX", Is(2048)),
    ("_POSIX2_BC_SCALE_MAX", Is(99)),
    ("_POSIX2_BC_STRING_MAX", Is(1000)),
    ("_POSIX2_CHARCLASS_NAME_MAX", Is(14)),
    ("_POSIX2_COLL_WEIGHTS_MAX", Is(2)),
    ("_POSIX2_EXPR_NEST_MAX", Is(32)),
    ("_POSIX2_LINE_MAX", Is(2048)),
    ("_POSIX2_RE_DUP_MAX", Is(255)),
    ("_POSIX_ADVISORY_INFO", Is(NONE)),
    ("_POSIX_AIO_LISTIO_MAX", Is(2)),
    ("_POSIX_AIO_MAX", Is(1)),
    ("_POSIX_ARG_MAX", Is(4096)),
    ("_POSIX_ASYNCHRONOUS_IO", Is(NONE)),
    ("_POSIX_BARRIERS", Is(NONE)),
    ("_POSIX_CHILD_MAX", Is(25)),
    ("_POSIX_CLOCKRES_MIN", Is(20_000_000)),
    ("_POSIX_CPUTIME", Is(NONE)),
    ("_POSIX_DELAYTIMER_MAX", Is(32)),
    ("_POSIX_FSYNC", Is(VERSION)),
    ("_POSIX_HOST_NAME_MAX", Is(255)),
    ("_POSIX_IPV6", Is(NONE)),
    ("_POSIX_JOB_CONTROL", Is(1)),
    ("_POSIX_LINK_MAX", Is(8)),
    ("_POSIX_LOGIN_NAME_MAX", Is(9)),
    ("_POSIX_MAPPED_FILES", Is(NONE)),
    ("_POSIX_MAX_CANON", Is(255)),
    ("_POSIX_MAX_INPUT", Is(255)),
    ("_POSIX_MEMLOCK", Is(NONE)),
    ("_POSIX_MEMLOCK_RANGE", Is(NONE)),
    ("_POSIX_MEMORY_PROTECTION", Is(NONE)),
    ("_POSIX_MESSAGE_PASSING", Is(NONE)),
    ("_POSIX_MONOTONIC_CLOCK", Is(VERSION)),
    ("_POSIX_NAME_MAX", Is(14)),
    ("_POSIX_NGROUPS_MAX", Is(8)),
    ("_POSIX_OPEN_MAX", Is(20)),
    ("_POSIX_PATH_MAX", Is(256)),
    ("_POSIX_PIPE_BUF", Is(512)),
    ("_POSIX_PRIORITIZED_IO", Is(NONE)),
    ("_POSIX_PRIORITY_SCHEDULING", Is(NONE)),
    ("_POSIX_RAW_SOCKETS", Is(NONE)),
    ("_POSIX_READER_WRITER_LOCKS", Is(NONE)),
    ("_POSIX_REALTIME_SIGNALS", Is(NONE)),
    ("_POSIX_REGEXP", Is(1)),
    ("_POSIX_RE_DUP_MAX", Is(255)),
    ("_POSIX_RTSIG_MAX", Is(8)),
    ("_POSIX_SAVED_IDS", Is(1)),
    ("_POSIX_SEMAPHORES", Is(NONE)),
    ("_POSIX_SEM_NSEMS_MAX", Is(256)),
    ("_POSIX_SEM_VALUE_MAX", Is(32767)),
    ("_POSIX_SHARED_MEMORY_OBJECTS", Is(NONE)),
    ("_POSIX_SHELL", Is(1)),
    ("_POSIX_SIGQUEUE_MAX", Is(32)),
    ("_POSIX_SPAWN", Is(VERSION)),
    ("_POSIX_SPIN_LOCKS", Is(NONE)),
    ("_POSIX_SPORADIC_SERVER", Is(NONE)),
    ("_POSIX_SSIZE_MAX", Is(32767)),
    ("_POSIX_STREAM_MAX", Is(8)),
    ("_POSIX_SYMLINK_MAX", Is(255)),
    ("_POSIX_SYMLOOP_MAX", Is(8)),
    ("_POSIX_SYNCHRONIZED_IO", Is(NONE)),
    ("_POSIX_THREADS", Is(NONE)),
    ("_POSIX_THREAD_DESTRUCTOR_ITERATIONS", Is(4)),
    ("_POSIX_THREAD_KEYS_MAX", Is(128)),
    ("_POSIX_THREAD_SAFE_FUNCTIONS", Is(NONE)),
    ("_POSIX_THREAD_THREADS_MAX", Is(64)),
    ("_POSIX_TIMEOUTS", Is(NONE)),
    ("_POSIX_TIMERS", Is(VERSION)),
    ("_POSIX_TIMER_MAX", Is(32)),
    ("_POSIX_TRACE", Is(NONE)),
    ("_POSIX_TTY_NAME_MAX", Is(9)),
    ("_POSIX_TYPED_MEMORY_OBJECTS", Is(NONE)),
    ("_POSIX_TZNAME_MAX", Is(6)),
    ("_POSIX_V6_ILP32_OFF32", Is(NONE)),
    ("_POSIX_V6_ILP32_OFFBIG", Is(1)),
    ("_POSIX_V6_LP64_OFF64", Is(NONE)),
    ("_POSIX_V6_LPBIG_OFFBIG", Is(NONE)),
    ("_POSIX_V7_ILP32_OFF32", Is(NONE)),
    ("_POSIX_V7_ILP32_OFFBIG", Is(1)),
    ("_POSIX_V7_LP64_OFF64", Is(NONE)),
    ("_POSIX_V7_LPBIG_OFFBIG", Is(NONE)),
    ("_POSIX_VERSION", Is(VERSION)),
    ("_XOPEN_CRYPT", Is(NONE)),
    ("_XOPEN_ENH_I18N", Is(NONE)),
    ("_XOPEN_IOV_MAX", Is(16)),
    ("_XOPEN_NAME_MAX", Is(255)),
    ("_XOPEN_PATH_MAX", Is(1024)),
    ("_XOPEN_REALTIME", Is(NONE)),
    ("_XOPEN_REALTIME_THREADS", Is(NONE)),
    ("_XOPEN_SHM", Is(NONE)),
    ("_XOPEN_STREAMS", Is(NONE)),
    ("_XOPEN_UNIX", Is(NONE)),
    ("_XOPEN_VERSION", Is(NONE)),
];

/// Variables of a file: pathconf(3).
const OF_PATHS: &[(&str, i64)] = &[
    ("FILESIZEBITS", 64),
    ("LINK_MAX", 65535),
    ("MAX_CANON", 4096),
    ("MAX_INPUT", 4096),
    ("NAME_MAX", 255),
    ("PATH_MAX", 4096),
    ("PIPE_BUF", 4096),
    ("POSIX2_SYMLINKS", 1),
    ("POSIX_ALLOC_SIZE_MIN", NONE),
    ("POSIX_REC_INCR_XFER_SIZE", NONE),
    ("POSIX_REC_MAX_XFER_SIZE", NONE),
    ("POSIX_REC_MIN_XFER_SIZE", NONE),
    ("POSIX_REC_XFER_ALIGN", NONE),
    ("SYMLINK_MAX", 4095),
    ("_POSIX_ASYNC_IO", NONE),
    ("_POSIX_CHOWN_RESTRICTED", 1),
    ("_POSIX_NO_TRUNC", 1),
    ("_POSIX_PRIO_IO", NONE),
    ("_POSIX_SYNC_IO", NONE),
    ("_POSIX_VDISABLE", 0),
];

/// What `-v` may ask for: the one way in which programs are compiled.
const SPECIFICATIONS: [&str; 2] = ["POSIX_V7_ILP32_OFFBIG", "POSIX_V6_ILP32_OFFBIG"];

pub fn getconf(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "av:", USAGE, true)?;
    if let Some(spec) = o.value(b'v') {
        let spec = String::from_utf8_lossy(spec);
        if !SPECIFICATIONS.contains(&spec.trim_start_matches('_')) {
            return Err(Failure::new(format!("{spec}: programs are not compiled so")));
        }
    }
    match (o.has(b'a'), &o.operands[..]) {
        (true, [] | [_]) => all(o.operands.first().map_or(b".", |p| p)),
        (false, [name]) => {
            let name = String::from_utf8_lossy(name).into_owned();
            let value = system(&name).ok_or_else(|| unknown(&name))?;
            say!("{value}");
            Ok(0)
        }
        (false, [name, path]) => {
            let name = String::from_utf8_lossy(name).into_owned();
            let found = OF_PATHS.iter().find(|v| v.0 == name.trim_start_matches("_PC_"));
            let value = found.ok_or_else(|| unknown(&name))?.1;
            fs::stat(path).map_err(|e| Failure::with(path, e))?;
            say!("{}", shown(value));
            Ok(0)
        }
        _ => Err(Failure::usage(format!("which variable?\nusage: {USAGE}"))),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::usage(format!("{name}: no such variable"))
}

fn shown(value: i64) -> String {
    if value == NONE { "undefined".into() } else { value.to_string() }
}

/// A variable of the system, as text. In `sysconf`'s spelling, too, and the texts of confstr(3) that say how to
/// compile, which is the same in all ways.
fn system(name: &str) -> Option<String> {
    let name = name.trim_start_matches("_SC_").trim_start_matches("_CS_");
    let find = |name: &str| SYSTEM.iter().find(|v| v.0 == name);
    let found = find(name).or_else(|| find(&format!("_{name}"))).map(|v| v.1);
    let compiling = ["_CFLAGS", "_LDFLAGS", "_LIBS", "_LINTFLAGS"].iter().find_map(|end| name.strip_suffix(end));
    match (found, compiling) {
        (Some(value), _) => Some(text(value)),
        (None, Some(spec)) if SPECIFICATIONS.contains(&spec) => Some(String::new()),
        _ if matches!(name, "POSIX_V7_WIDTH_RESTRICTED_ENVS" | "POSIX_V6_WIDTH_RESTRICTED_ENVS") => {
            Some(name.replace("WIDTH_RESTRICTED_ENVS", "ILP32_OFFBIG"))
        }
        _ => None,
    }
}

fn text(value: Value) -> String {
    let pages = |field| meminfo(field).map_or(NONE, |kb| kb as i64 / 64);
    shown(match value {
        Text(text) => return text.into(),
        Is(n) => n,
        Limit(resource) => match proc::getrlimit(resource) {
            Ok((soft, _)) if soft < i32::MAX as u64 => soft as i64,
            _ => NONE,
        },
        Cpus => crate::nproc::online() as i64,
        Pages => pages("MemTotal"),
        FreePages => pages("MemFree"),
    })
}

/// KiB, of `/proc/meminfo`.
fn meminfo(field: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(&vkernel_sys::io::read_file(b"/proc/meminfo").ok()?).into_owned();
    let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn all(path: &[u8]) -> Result<i32, Failure> {
    fs::stat(path).map_err(|e| Failure::with(path, e))?;
    OF_PATHS.iter().for_each(|(name, value)| say!("{name:<35}{}", shown(*value)));
    SYSTEM.iter().for_each(|(name, value)| say!("{name:<35}{}", text(*value)));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_values_however_they_are_spelt() {
        assert!(SYSTEM.is_sorted_by_key(|v| v.0) && OF_PATHS.is_sorted_by_key(|v| v.0));
        assert_eq!(system("PATH").as_deref(), Some("/bin:/usr/bin:/sbin"));
        assert_eq!(system("_SC_ARG_MAX"), system("ARG_MAX"));
        assert_eq!(system("POSIX_VERSION").as_deref(), Some("200809"));
        assert_eq!(system("POSIX_V7_ILP32_OFFBIG_CFLAGS").as_deref(), Some(""));
        assert_eq!((system("AIO_MAX").as_deref(), system("NOSUCH")), (Some("undefined"), None));
    }
}
