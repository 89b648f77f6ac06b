//! The function type of a system call, as an import of a program sees it.
//!
//! Both sides take it from here: `program` compares a program's imports with it, `stub` makes the
//! functions that answer them. The widths are those of the system-call table, written as the
//! [`Ty`] of the hypercall table so that there is one such enum.

use abi::hypercall::Ty;
use abi::syscalls::{Module, Syscall};

/// What a call takes, in order.
pub fn params(call: &Syscall) -> impl Iterator<Item = Ty> + use<> {
    call.args.iter().map(|(_, arg)| if arg.is_long() { Ty::I64 } else { Ty::I32 })
}

/// What it answers: an errno or a result, but for `proc_exit`, which does not come back.
pub fn result(call: &Syscall) -> Option<Ty> {
    if call.no_result() {
        None
    } else if call.module == Module::vkernel && call.long_result() {
        Some(Ty::I64)
    } else {
        Some(Ty::I32)
    }
}

pub fn to_encoder(ty: Ty) -> wasm_encoder::ValType {
    match ty {
        Ty::I32 => wasm_encoder::ValType::I32,
        Ty::I64 => wasm_encoder::ValType::I64,
    }
}

pub fn to_parser(ty: Ty) -> wasmparser::ValType {
    match ty {
        Ty::I32 => wasmparser::ValType::I32,
        Ty::I64 => wasmparser::ValType::I64,
    }
}

/// A function type with these parameters and results.
pub fn func_type(params: impl IntoIterator<Item = Ty>, result: Option<Ty>) -> wasmparser::FuncType {
    wasmparser::FuncType::new(params.into_iter().map(to_parser), result.map(to_parser))
}

/// `(i32, i64) -> i32`, for messages.
pub fn show(ty: &wasmparser::FuncType) -> String {
    let list = |types: &[wasmparser::ValType]| types.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
    match ty.results() {
        [one] => format!("({}) -> {one}", list(ty.params())),
        many => format!("({}) -> ({})", list(ty.params()), list(many)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::syscalls::by_import;

    fn shown(module: &str, name: &str) -> String {
        let call = by_import(module, name).unwrap();
        show(&func_type(params(call), result(call)))
    }

    #[test]
    fn types_are_those_of_the_witx_files() {
        let p1 = "wasi_snapshot_preview1";
        assert_eq!(shown(p1, "proc_exit"), "(i32) -> ()");
        assert_eq!(shown(p1, "sched_yield"), "() -> i32");
        assert_eq!(shown(p1, "fd_seek"), "(i32, i64, i32, i32) -> i32");
        assert_eq!(shown(p1, "clock_time_get"), "(i32, i64, i32) -> i32");
        assert_eq!(shown(p1, "fd_readdir"), "(i32, i32, i32, i64, i32) -> i32");
        assert_eq!(shown(p1, "path_open"), "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> i32");
        assert_eq!(shown("wasi_unstable", "proc_exit"), "(i32) -> ()");
        assert_eq!(shown("vkernel", "lseek"), "(i32, i64, i32) -> i64");
        assert_eq!(shown("vkernel", "getpid"), "() -> i32");
    }
}
