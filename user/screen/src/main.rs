//! Programs that take the whole terminal, in one: the name it is called by chooses.

mod edit;
mod less;
mod term;
mod top;
mod watch;

use kit::Command;

macro_rules! commands {
    ($($name:literal => $run:path,)*) => {
        /// By name, in alphabetical order.
        const COMMANDS: &[(&str, Command)] = &[$(($name, $run)),*];
    };
}

commands! {
    "edit" => edit::edit,
    "less" => less::less,
    "more" => less::more,
    "nano" => edit::edit,
    "top" => top::top,
    "watch" => watch::watch,
}

fn main() {
    kit::main("screen", COMMANDS)
}
