//! `man`, and the utilities of POSIX that few need daily, in one program: the name it is called by chooses.

mod bc;
mod ed;
mod file;
mod getconf;
mod logger;
mod man;
mod nproc;

kit::commands! {
    "apropos" => man::apropos,
    "bc" => bc::bc,
    "ed" => ed::ed,
    "file" => file::file,
    "getconf" => getconf::getconf,
    "logger" => logger::logger,
    "man" => man::man,
    "nproc" => nproc::nproc,
    "whatis" => man::whatis,
}

fn main() {
    kit::main("posix", COMMANDS)
}
