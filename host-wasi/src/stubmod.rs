//! A change to the stub before it is compiled: every system call makes sure that there is stack for
//! the kernel.
//!
//! Kernel code runs on the stack of the program that called it, and wasmtime's check for its end is
//! the same for both. A program that recurses to the end of its stack, with system calls on the way,
//! would run out of it *in the kernel*, in the middle of something. It must run out in the stub.
//!
//! wasmtime checks at a function's entry that the function's whole frame fits, whatever of it is
//! used. So the stub's functions first call one with a frame as large as the kernel may need, which
//! returns at once. What makes its frame large is a call in it, never made, of a function with many
//! results: the compiler sets room aside for them, twice. It costs 2.5 ns a call.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{BlockType, CodeSection, Function, FunctionSection, Module, TypeSection, ValType};
use wasmparser::{CodeSectionReader, FunctionBody, FunctionSectionReader, Parser, TypeSectionReader};

/// So many results of 16 bytes, twice: 8,000 bytes. A kernel was seen to need less than 3,840 in
/// opening, renaming, writing and spawning at the end of the stack, and more than 1,920. Above 4 KB
/// compiled code touches each page of a frame; above 8 KB that begins to cost.
const RESULTS: usize = 250;
/// The functions that the stub imports: `trap` and `signal`.
const IMPORTED: u32 = 2;

/// The stub, with the reserve.
pub(crate) fn reserve_stack(stub_wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = Module::new();
    let mut rewriter = ReserveStack { types: 0, functions: 0 };
    rewriter.parse_core_module(&mut module, Parser::new(0), stub_wasm).map_err(|e| format!("stub: {e}"))?;
    Ok(module.finish())
}

/// Two types and two functions are added behind the stub's: the one with the results, and the one
/// with the frame.
struct ReserveStack {
    /// How many the stub has.
    types: u32,
    functions: u32,
}

impl Reencode for ReserveStack {
    type Error = Infallible;

    fn parse_type_section(&mut self, types: &mut TypeSection, section: TypeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_type_section(self, types, section)?;
        self.types = types.len();
        types.ty().function([], [ValType::V128; RESULTS]);
        types.ty().function([ValType::I32], []);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        self.functions = IMPORTED + functions.len();
        functions.function(self.types);
        functions.function(self.types + 1);
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        let mut results = Function::new([]);
        results.instructions().unreachable().end();
        code.function(&results);
        // The argument is the number of the lwp; there is no lwp 0, but the compiler doesn't know.
        let mut frame = Function::new([]);
        let mut body = frame.instructions();
        body.local_get(0).i32_eqz().if_(BlockType::Empty).call(self.functions).unreachable().end().end();
        code.function(&frame);
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        // Global 0 is the lwp.
        function.instructions().global_get(0).call(self.functions + 1);
        for op in body.get_operators_reader()? {
            function.instruction(&self.instruction(op?)?);
        }
        code.function(&function);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_stub_keeps_its_exports_and_is_valid() {
        let stub = loader::stub_module();
        let out = super::reserve_stack(&stub).unwrap();
        let exports = |wasm: &[u8]| {
            let types = wasmparser::Validator::new().validate_all(wasm).unwrap();
            let types = types.as_ref();
            types.core_exports().unwrap().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(exports(&out), exports(&stub));
    }
}
