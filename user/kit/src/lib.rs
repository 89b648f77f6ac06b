//! What the commands share: their options, their output, and which of a program's commands is meant.

pub mod input;
pub mod options;
pub mod process;
pub mod procfs;
pub mod show;

use options::Failure;

/// A command: its arguments without its name. Answers its exit status.
pub type Command = fn(&[Vec<u8>]) -> Result<i32, Failure>;

/// By name, in alphabetical order.
pub type Commands = &'static [(&'static str, Command)];

/// A program's `COMMANDS`, a line each: `"name" => function,`. So `cargo xtask check` finds them, too.
#[macro_export]
macro_rules! commands {
    ($($name:literal => $run:path,)*) => {
        const COMMANDS: $crate::Commands = &[$(($name, $run)),*];
    };
}

fn find(commands: Commands, name: &str) -> Option<(&'static str, Command)> {
    commands.binary_search_by_key(&name, |c| c.0).ok().map(|i| commands[i])
}

fn name_of(arg: &[u8]) -> String {
    let name = String::from_utf8_lossy(arg.rsplit(|&b| b == b'/').next().unwrap_or(arg)).into_owned();
    name.strip_suffix(".wasm").map(String::from).unwrap_or(name)
}

/// Runs the command that the program was called as, or that its first argument names, and ends.
pub fn main(program: &str, commands: Commands) -> ! {
    let args: Vec<Vec<u8>> = std::env::args_os().map(|a| a.as_encoded_bytes().to_vec()).collect();
    let by_own_name = args.first().and_then(|a| find(commands, &name_of(a)));
    // `PROGRAM NAME ARGS...`
    let by_argument = || args.get(1).and_then(|a| find(commands, &name_of(a)));
    let (name, command, rest) = match (by_own_name, args.len()) {
        (Some((name, c)), _) => (name, c, &args[1..]),
        (None, 2..) => match by_argument() {
            Some((name, c)) => (name, c, &args[2..]),
            None => {
                eprintln!("{program}: {}: no such command", String::from_utf8_lossy(&args[1]));
                std::process::exit(127);
            }
        },
        _ => {
            let names: Vec<&str> = commands.iter().map(|c| c.0).collect();
            println!("usage: {program} COMMAND [ARGUMENT...]\ncommands: {}", names.join(" "));
            std::process::exit(2);
        }
    };
    let status = match command(rest) {
        Ok(status) => status,
        // What --help asked for is output.
        Err(Failure { status: 0, message }) => {
            show::put(format!("{message}\n").as_bytes());
            0
        }
        Err(Failure { status, message }) => {
            show::flush_now();
            eprintln!("{name}: {message}");
            status
        }
    };
    let status = show::finish(name, status);
    vkernel_sys::proc::exit(status)
}
