//! The commands that need what WASI lacks (owners and modes, processes, mounts), in one program: the
//! name it is called by chooses. The rest are uutils', in `coreutils`.

mod attrs;
mod copy;
mod download;
mod install;
mod list;
mod nice;
mod nohup;
mod procs;
mod script;
mod space;
mod stream;
mod stty;
mod system;

use kit::{options, say, show};

kit::commands! {
    "cat" => stream::cat,
    "chgrp" => attrs::chgrp,
    "chmod" => attrs::chmod,
    "chown" => attrs::chown,
    "chroot" => system::chroot,
    "clear" => system::clear,
    "cp" => copy::cp,
    "dd" => stream::dd,
    "df" => space::df,
    "download" => download::download,
    "du" => space::du,
    "env" => system::env,
    "free" => system::free,
    "groups" => system::groups,
    "hostname" => system::hostname,
    "id" => system::id,
    "install" => install::install,
    "kill" => procs::kill,
    "logname" => system::logname,
    "ls" => list::ls,
    "mkdir" => attrs::mkdir,
    "mkfifo" => attrs::mkfifo,
    "mknod" => attrs::mknod,
    "mount" => system::mount,
    "nice" => nice::nice,
    "nohup" => nohup::nohup,
    "ps" => procs::ps,
    "renice" => nice::renice,
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

fn main() {
    kit::main("tools", COMMANDS)
}
