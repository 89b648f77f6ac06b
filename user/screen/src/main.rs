//! Programs that take the whole terminal, in one: the name it is called by chooses.

mod edit;
mod less;
mod term;
mod top;
mod watch;

kit::commands! {
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
