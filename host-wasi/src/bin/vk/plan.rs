//! From arguments to what is booted: the program is read, the image and the shared directories are
//! opened, the guest's environment is made. Everything that can be wrong with that is said here,
//! before anything runs.

use crate::args::{Cli, Command, Options, Run, Share, Variable};
use host_wasi::bootimage::{BootImage, ImageError};
use host_wasi::config::{BootOptions, Program};
use host_wasi::disk::Disk;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A mistake in vk's own arguments.
pub const USAGE: u8 = 125;
/// The program can't be run.
pub const CANNOT_RUN: u8 = 126;
/// The program isn't there.
pub const NOT_FOUND: u8 = 127;

/// With less a kernel is of no use.
const KERNEL_MEMORY_MIN: u64 = 4 << 20;

/// The kernel takes no larger ones either.
const PROGRAM_MAX: u64 = 512 << 20;

/// The directories of programs, in the guest.
const PATH: &[u8] = b"/bin:/usr/bin:/sbin";

/// Why nothing is run: an exit status and a message.
#[derive(Debug)]
pub struct Failure {
    pub status: u8,
    pub message: String,
}

impl Failure {
    pub fn new(status: u8, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }
}

/// What is booted.
pub struct Plan {
    pub image: BootImage,
    /// Without the shared directories, which the builder adds.
    pub boot: BootOptions,
    /// In the order in which they are mounted.
    pub shares: Vec<Shared>,
    pub disks: Vec<Disked>,
    /// The program's name, for messages.
    pub name: String,
    /// A program of the host: its blob and its size. It may have to be compiled first.
    pub host_program: Option<(u32, usize)>,
}

/// What of vk's surroundings the guest may get to know.
pub struct Here {
    pub cwd: PathBuf,
    pub var: fn(&OsStr) -> Option<OsString>,
    pub stdin_is_terminal: bool,
}

impl Here {
    pub fn new() -> Here {
        Here {
            cwd: std::env::current_dir().unwrap_or_default(),
            var: |name| std::env::var_os(name),
            stdin_is_terminal: io::stdin().is_terminal(),
        }
    }
}

impl Cli {
    /// The options, wherever they stand.
    pub fn options(&self) -> &Options {
        match &self.command {
            Some(Command::Run(run)) => &run.options,
            Some(Command::Cc(_) | Command::Core(_)) | None => &self.options,
        }
    }
}

/// Makes the plan. `base` is the image that is built in.
pub fn plan(cli: &Cli, here: &Here, base: impl FnOnce() -> Result<BootImage, Failure>) -> Result<Plan, Failure> {
    let options = cli.options();
    let run = match &cli.command {
        Some(Command::Run(run)) => Some(&**run),
        _ => None,
    };
    // The cheapest mistakes first.
    let program = run.map(host_program).transpose()?.flatten();
    let mut shares = shares(options, here)?;
    let disks = disks(options, here, &shares)?;
    let mut image = match &options.image {
        Some(path) => BootImage::open(path).map_err(|e| bad_image(path, &e))?,
        None => base()?,
    };
    let mut host_program = None;
    let (program, name) = match (run, program) {
        (None, _) => (Program::Path(b"init".to_vec()), "init".to_string()),
        (Some(run), None) => (Program::Path(run.command[0].as_bytes().to_vec()), show(&run.command[0])),
        (Some(run), Some(bytes)) => {
            let path = Path::new(&run.command[0]);
            let name = path.file_name().unwrap_or(path.as_os_str());
            let size = bytes.len();
            let blob = image.add_blob(bytes);
            host_program = Some((blob, size));
            (Program::Blob(blob, name.as_bytes().to_vec()), show(&run.command[0]))
        }
    };
    let mut boot = BootOptions::new(program);
    boot.args = run.map(arguments).unwrap_or_else(|| vec![b"init".to_vec()]);
    boot.init = run.is_none();
    let workdir = workdir(options, here, &shares);
    boot.env = environment(options, here, &workdir);
    boot.workdir = Some(workdir);
    // A mount hides what was mounted below it before: the outer ones first.
    shares.sort_by_key(|s| depth(&s.guest));
    limits(options, &mut boot);
    boot.trace = options.trace.clone().or(options.trace_file.as_ref().map(|_| String::new()));
    boot.stats = options.stats;
    Ok(Plan { image, boot, shares, disks, name, host_program })
}

fn limits(options: &Options, boot: &mut BootOptions) {
    use abi::types::rlimit;
    boot.limits.extend(options.memory.map(|n| (rlimit::AS, n)));
    boot.limits.extend(options.files.map(|n| (rlimit::NOFILE, n.into())));
    boot.max_procs = options.procs;
    boot.tmpfs_size = options.total_memory;
    // The kernel's own counts for itself: what programs have it keep is theirs, too.
    boot.kernel_memory = options.total_memory.map(|n| n.max(KERNEL_MEMORY_MIN));
}

fn arguments(run: &Run) -> Vec<Vec<u8>> {
    let mut args: Vec<_> = run.command.iter().map(|a| a.as_bytes().to_vec()).collect();
    if let Some(name) = &run.argv0 {
        args[0] = name.as_bytes().to_vec();
    }
    args
}

/// The bytes of the program, if it is one of the host's: its name says so.
fn host_program(run: &Run) -> Result<Option<Vec<u8>>, Failure> {
    let name = &run.command[0];
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Err(Failure::new(NOT_FOUND, "the name of the program is empty"));
    }
    if !bytes.contains(&b'/') && !bytes.ends_with(b".wasm") {
        return Ok(None);
    }
    let wrong = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::new(
            NOT_FOUND,
            format!(
                "{}: no such file (give a path to a .wasm file, or the name of a program in the image: \
                 vk run ls /bin lists them)",
                show(name)
            ),
        ),
        io::ErrorKind::IsADirectory => {
            Failure::new(CANNOT_RUN, format!("{}: is a directory; a program is a .wasm file", show(name)))
        }
        _ => Failure::new(CANNOT_RUN, format!("{}: {}", show(name), plain(&e))),
    };
    // A pipe will do; /dev/zero has no end.
    let mut program = Vec::new();
    let file = std::fs::File::open(name).map_err(wrong)?;
    file.take(PROGRAM_MAX + 1).read_to_end(&mut program).map_err(wrong)?;
    if program.len() as u64 > PROGRAM_MAX {
        return Err(Failure::new(CANNOT_RUN, format!("{}: is larger than 512 MiB, the largest program", show(name))));
    }
    if program.starts_with(b"#!") {
        // Its interpreter opens it by its path, which means nothing to the guest.
        let text = format!(
            "{0}: is a script; share its directory and name the interpreter: vk run --dir . sh {0}",
            show(name)
        );
        return Err(Failure::new(CANNOT_RUN, text));
    }
    Ok(Some(program))
}

fn bad_image(path: &Path, e: &ImageError) -> Failure {
    Failure::new(USAGE, format!("--image {}: {e}", path.display()))
}

/// A shared directory, opened.
pub struct Shared {
    /// Its real path on the host.
    host: PathBuf,
    pub dir: cap_std::fs::Dir,
    pub guest: Vec<u8>,
    pub read_only: bool,
}

fn shares(options: &Options, here: &Here) -> Result<Vec<Shared>, Failure> {
    let mut out: Vec<Shared> = Vec::new();
    for share in &options.dir {
        let shared = open(share, here)?;
        if out.iter().any(|s| s.guest == shared.guest) {
            let place = String::from_utf8_lossy(&shared.guest).into_owned();
            return Err(Failure::new(USAGE, format!("--dir: two directories for {place}; give one another ::GUEST")));
        }
        out.push(shared);
    }
    Ok(out)
}

/// A disk, opened and locked.
pub struct Disked {
    pub disk: Disk,
    pub guest: Vec<u8>,
    pub read_only: bool,
}

/// What the file of a disk may grow to unless it is said.
const DISK_SIZE: u64 = 16 << 30;

fn disks(options: &Options, here: &Here, shares: &[Shared]) -> Result<Vec<Disked>, Failure> {
    let mut out: Vec<Disked> = Vec::new();
    for wanted in &options.disk {
        let wrong = |why: &str| Failure::new(USAGE, format!("--disk {}: {why}", wanted.host.display()));
        let guest = tidy(wanted.guest.as_deref().unwrap_or_default());
        let place = String::from_utf8_lossy(&guest).into_owned();
        if guest == b"/" {
            return Err(wrong("a disk can't be the root; mount it at a directory, such as /home"));
        }
        if out.iter().any(|d| d.guest == guest) || shares.iter().any(|s| s.guest == guest) {
            return Err(wrong(&format!("something else is to stand at {place}")));
        }
        let size = options.disk_size.unwrap_or(DISK_SIZE);
        let disk = Disk::open(&here.cwd.join(&wanted.host), wanted.read_only, size).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => wrong("another vk uses it"),
            io::ErrorKind::NotFound if wanted.read_only => wrong("no such file"),
            _ => wrong(&plain(&e)),
        })?;
        out.push(Disked { disk, guest, read_only: wanted.read_only });
    }
    Ok(out)
}

fn open(share: &Share, here: &Here) -> Result<Shared, Failure> {
    let wrong = |e: io::Error| {
        let why = match e.kind() {
            io::ErrorKind::NotFound => "no such directory".to_string(),
            io::ErrorKind::NotADirectory => "not a directory; share the one it is in".to_string(),
            _ => plain(&e),
        };
        Failure::new(USAGE, format!("--dir {}: {why}", share.host.display()))
    };
    let path = here.cwd.join(&share.host);
    let host = path.canonicalize().map_err(wrong)?;
    let dir = cap_std::fs::Dir::open_ambient_dir(&host, cap_std::ambient_authority()).map_err(wrong)?;
    let guest = match &share.guest {
        Some(guest) => tidy(guest),
        // The name by which it was called, as the guest will be told that one too.
        None if !path.components().any(|c| c == std::path::Component::ParentDir) => tidy(path.as_os_str().as_bytes()),
        None => host.as_os_str().as_bytes().to_vec(),
    };
    Ok(Shared { host, dir, guest, read_only: share.read_only })
}

/// An absolute path without `.`, and without slashes at the end or in a row.
fn tidy(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in path.split(|&b| b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() { b"/".to_vec() } else { out }
}

fn depth(path: &[u8]) -> usize {
    if path == b"/" { 0 } else { path.iter().filter(|&&b| b == b'/').count() }
}

/// Where the program starts: where vk was started, if the guest can see that.
fn workdir(options: &Options, here: &Here, shares: &[Shared]) -> Vec<u8> {
    if let Some(dir) = &options.workdir {
        return tidy(&dir.0);
    }
    let inside = shares.iter().filter_map(|s| Some((s, here.cwd.strip_prefix(&s.host).ok()?)));
    match inside.max_by_key(|(s, _)| s.host.as_os_str().len()) {
        Some((share, below)) => tidy(&[&share.guest, &b"/"[..], below.as_os_str().as_bytes()].concat()),
        None => b"/".to_vec(),
    }
}

/// The guest's environment: a few variables that every program expects, and what was asked for.
/// Nothing else of vk's gets in.
fn environment(options: &Options, here: &Here, workdir: &[u8]) -> Vec<Vec<u8>> {
    let mut vars: Vec<(Vec<u8>, Vec<u8>)> =
        vec![(b"PATH".to_vec(), PATH.to_vec()), (b"HOME".to_vec(), b"/root".to_vec())];
    if here.stdin_is_terminal
        && let Some(term) = (here.var)(OsStr::new("TERM"))
    {
        vars.push((b"TERM".to_vec(), term.into_vec()));
    }
    vars.push((b"PWD".to_vec(), workdir.to_vec()));
    for Variable { name, value } in &options.env {
        let own = || (here.var)(OsStr::from_bytes(name)).map(OsString::into_vec);
        // One that vk doesn't have itself stays unset.
        let Some(value) = value.clone().or_else(own) else { continue };
        vars.retain(|(n, _)| n != name);
        vars.push((name.clone(), value));
    }
    vars.into_iter().map(|(name, value)| [&name[..], b"=", &value].concat()).collect()
}

fn show(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// An I/O error in words.
pub fn plain(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests;
