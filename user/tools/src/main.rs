//! The commands that need what WASI lacks (owners and modes, processes, mounts), in one program: the
//! name it is called by chooses. The rest are uutils', in `coreutils`.

mod attrs;
mod copy;
mod download;
mod list;
mod options;
mod procs;
mod script;
mod show;
mod space;
mod stream;
mod stty;
mod system;

use options::Failure;

/// A command: its arguments without its name. Answers its exit status.
type Command = fn(&[Vec<u8>]) -> Result<i32, Failure>;

macro_rules! commands {
    ($($name:literal => $run:path,)*) => {
        /// By name, in alphabetical order.
        const COMMANDS: &[(&str, Command)] = &[$(($name, $run)),*];
    };
}

commands! {
    "cat" => stream::cat,
    "chgrp" => attrs::chgrp,
    "chmod" => attrs::chmod,
    "chown" => attrs::chown,
    "clear" => system::clear,
    "cp" => copy::cp,
    "dd" => stream::dd,
    "df" => space::df,
    "download" => download::download,
    "du" => space::du,
    "env" => system::env,
    "free" => system::free,
    "hostname" => system::hostname,
    "id" => system::id,
    "kill" => procs::kill,
    "ls" => list::ls,
    "mkdir" => attrs::mkdir,
    "mkfifo" => attrs::mkfifo,
    "mknod" => attrs::mknod,
    "mount" => system::mount,
    "ps" => procs::ps,
    "reset" => system::reset,
    "script" => script::script,
    "stat" => space::stat,
    "stty" => stty::stty,
    "sync" => system::sync,
    "time" => procs::time,
    "timeout" => procs::timeout,
    "touch" => attrs::touch,
    "tty" => system::tty,
    "umount" => system::umount,
    "uname" => system::uname,
    "uptime" => system::uptime,
    "which" => system::which,
    "whoami" => system::whoami,
}

fn find(name: &str) -> Option<(&'static str, Command)> {
    COMMANDS.binary_search_by_key(&name, |c| c.0).ok().map(|i| COMMANDS[i])
}

fn name_of(arg: &[u8]) -> String {
    let name = String::from_utf8_lossy(arg.rsplit(|&b| b == b'/').next().unwrap_or(arg)).into_owned();
    name.strip_suffix(".wasm").map(String::from).unwrap_or(name)
}

fn main() {
    let args: Vec<Vec<u8>> = std::env::args_os().map(|a| a.as_encoded_bytes().to_vec()).collect();
    let by_own_name = args.first().and_then(|a| find(&name_of(a)));
    // `tools NAME ARGS...`
    let by_argument = || args.get(1).and_then(|a| find(&name_of(a)));
    let (name, command, rest) = match (by_own_name, args.len()) {
        (Some((name, c)), _) => (name, c, &args[1..]),
        (None, 2..) => match by_argument() {
            Some((name, c)) => (name, c, &args[2..]),
            None => {
                eprintln!("tools: {}: no such command", String::from_utf8_lossy(&args[1]));
                std::process::exit(127);
            }
        },
        _ => {
            let names: Vec<&str> = COMMANDS.iter().map(|c| c.0).collect();
            println!("usage: tools COMMAND [ARGUMENT...]\ncommands: {}", names.join(" "));
            std::process::exit(2);
        }
    };
    let status = match command(rest) {
        Ok(status) => status,
        Err(Failure { status, message }) => {
            eprintln!("{name}: {message}");
            status
        }
    };
    let status = show::finish(name, status);
    vkernel_sys::proc::exit(status)
}
