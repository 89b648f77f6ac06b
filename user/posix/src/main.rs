//! `man`, and the utilities of POSIX that few need daily, in one program: the name it is called by chooses.

mod man;

kit::commands! {
    "apropos" => man::apropos,
    "man" => man::man,
    "whatis" => man::whatis,
}

fn main() {
    kit::main("posix", COMMANDS)
}
