//! Commands that look into texts and through directories, and find processes, in one program: the name it is called by chooses.

mod cal;
mod cmp;
mod diff;
mod find;
mod grep;
mod lines;
mod look;
mod patch;
mod processes;
mod sed;
mod tail;
mod xargs;

use kit::{options, say, show};

kit::commands! {
    "cal" => cal::cal,
    "cmp" => cmp::cmp,
    "diff" => diff::diff,
    "egrep" => grep::egrep,
    "fgrep" => grep::fgrep,
    "find" => find::find,
    "grep" => grep::grep,
    "hexdump" => look::hexdump,
    "killall" => processes::killall,
    "patch" => patch::patch,
    "pgrep" => processes::pgrep,
    "pkill" => processes::pkill,
    "pstree" => processes::pstree,
    "rev" => lines::rev,
    "sed" => sed::sed,
    "strings" => look::strings,
    "tac" => lines::tac,
    "tail" => tail::tail,
    "xargs" => xargs::xargs,
}

fn main() {
    kit::main("text", COMMANDS)
}
