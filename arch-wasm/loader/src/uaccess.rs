//! The kernel's hand in user memory: a module between two memories.
//!
//! It imports `k.memory`, the kernel's, and `u.memory`, the program's, and exports the functions of
//! [`UACCESS`](abi::trapframe::UACCESS). The kernel calls them through its table, so at exec the
//! slots are pointed at an instance with the new memory. User addresses are checked against the
//! user memory's size at each call, in 64 bits, where address plus length cannot wrap; what does
//! not fit answers `EFAULT` and moves nothing. A length of 0 fits anywhere, as in DragonFly's
//! copyin(9). Kernel addresses are the kernel's word: a wrong one traps as its own would.
//!
//! Engines make `memory.copy` a call into their runtime, about ten times the price of a short move.
//! Most moves are short (an iovec, a count, a path), so up to 64 bytes go through registers: two
//! loads and two stores that overlap where the length is not a power of two. The two memories
//! differ, so the order of loads and stores is free.

use abi::Errno;
use abi::trapframe::UACCESS;
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    InstructionSink, MemArg, MemArgTarget, MemoryType, Module, TypeSection, ValType,
};

/// Memory indices.
const KERNEL: u32 = 0;
const USER: u32 = 1;

/// The module. `shared` is the range of pages of a shared kernel memory, which a browser with
/// several workers has; otherwise the kernel's memory is an unshared one of any size.
pub fn uaccess_module(shared: Option<(u64, u64)>) -> Vec<u8> {
    let mut parts = Parts::default();
    parts.add([ValType::I32; 3].as_slice(), copy(KERNEL, USER));
    parts.add([ValType::I32; 3].as_slice(), copy(USER, KERNEL));
    parts.add(&[ValType::I32, ValType::I32], put(4));
    parts.add(&[ValType::I32, ValType::I64], put(8));
    parts.add(&[], size());
    parts.add(&[ValType::I32; 4], whole_piece(USER, KERNEL));
    parts.add(&[ValType::I32; 4], whole_piece(KERNEL, USER));

    let memory = |minimum, maximum, shared| {
        EntityType::Memory(MemoryType { minimum, maximum, memory64: false, shared, page_size_log2: None })
    };
    let mut imports = ImportSection::new();
    let (min, max) = shared.unwrap_or((0, 0));
    imports.import("k", "memory", memory(min, shared.map(|_| max), shared.is_some()));
    imports.import("u", "memory", memory(0, None, false));

    let mut exports = ExportSection::new();
    for (index, name) in UACCESS.iter().enumerate() {
        exports.export(name, ExportKind::Func, index as u32);
    }
    let mut module = Module::new();
    module.section(&parts.types).section(&imports).section(&parts.functions).section(&exports).section(&parts.code);
    module.finish()
}

#[derive(Default)]
struct Parts {
    types: TypeSection,
    functions: FunctionSection,
    code: CodeSection,
}

impl Parts {
    fn add(&mut self, params: &[ValType], body: Function) {
        self.types.ty().function(params.iter().copied(), [ValType::I32]);
        self.functions.function(self.types.len() - 1);
        self.code.function(&body);
    }
}

/// Any alignment will do.
fn access(memory: u32, offset: u64) -> MemArg {
    MemArg { offset, align: 0, target: MemArgTarget::Memory(memory), ordering: None }
}

/// Pushes whether `address + length` is past the end of user memory.
fn push_outside(code: &mut InstructionSink, address: u32, push_length: impl Fn(&mut InstructionSink)) {
    code.local_get(address).i64_extend_i32_u();
    push_length(code);
    code.i64_add().memory_size(USER).i64_extend_i32_u().i64_const(16).i64_shl().i64_gt_u();
}

/// `usize() -> pages`.
fn size() -> Function {
    let mut function = Function::new([]);
    function.instructions().memory_size(USER).end();
    function
}

/// `put32(udst, value)`, `put64(udst, value)`.
fn put(width: i64) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    push_outside(&mut code, 0, |code| {
        code.i64_const(width);
    });
    code.if_(BlockType::Empty).i32_const(Errno::EFAULT as i32).return_().end();
    code.local_get(0).local_get(1);
    let arg = access(USER, 0);
    if width == 8 {
        code.i64_store(arg);
    } else {
        code.i32_store(arg);
    }
    code.i32_const(0).end();
    function
}

/// Locals of the copies: `copyin(dst, src, n)` and `copyout(dst, src, n)`.
const DST: u32 = 0;
const SRC: u32 = 1;
const N: u32 = 2;

/// Copies between the memories.
fn copy(to: u32, from: u32) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    let user = if to == USER { DST } else { SRC };
    push_outside(&mut code, user, |code| {
        code.local_get(N).i64_extend_i32_u();
    });
    code.if_(BlockType::Empty).i32_const(Errno::EFAULT as i32).i32_const(0).local_get(N).select().return_().end();
    moves(&mut code, to, from);
    code.i32_const(0).end();
    function
}

/// `give(list, src, most, count)` and `take(dst, list, most, count)`. What is the list's address becomes the piece's, and `most`
/// its length: then it is a copy like any other.
fn whole_piece(to: u32, from: u32) -> Function {
    const COUNT: u32 = 3;
    const LEN: u32 = 4;
    let mut function = Function::new([(1, ValType::I32)]);
    let mut code = function.instructions();
    let list = if to == USER { DST } else { SRC };
    let refuse = |code: &mut InstructionSink| {
        code.if_(BlockType::Empty).i32_const(0).return_().end();
    };
    push_outside(&mut code, list, |code| _ = code.i64_const(8));
    refuse(&mut code);
    // An empty piece is longer than any.
    code.local_get(list).i32_load(access(USER, 4)).local_tee(LEN).i32_const(1).i32_sub();
    code.local_get(N).i32_ge_u();
    refuse(&mut code);
    code.local_get(list).i32_load(access(USER, 0)).local_set(list);
    code.local_get(LEN).local_set(N);
    push_outside(&mut code, list, |code| _ = code.local_get(N).i64_extend_i32_u());
    push_outside(&mut code, COUNT, |code| _ = code.i64_const(4));
    code.i32_or();
    refuse(&mut code);
    moves(&mut code, to, from);
    code.local_get(COUNT).local_get(N).i32_store(access(USER, 0)).local_get(N).end();
    function
}

/// Moves `N` bytes. Taken apart by length, halving each time; every branch leaves the block.
fn moves(code: &mut InstructionSink, to: u32, from: u32) {
    code.block(BlockType::Empty);
    let mut shorter = |limit: i32, moves: &dyn Fn(&mut Move)| {
        code.local_get(N).i32_const(limit).i32_lt_u().if_(BlockType::Empty);
        moves(&mut Move { code, to, from });
        code.br(1).end();
    };
    // Lengths of 8 to 16 first: iovecs and times. Each test takes what those before left over.
    shorter(17, &|m| {
        m.when_at_least(8, |m| m.ends(8));
        m.when_at_least(4, |m| m.ends(4));
        m.when_at_least(2, |m| m.ends(2));
        m.when_at_least(1, |m| m.first(1));
    });
    shorter(33, &|m| m.ends(16));
    shorter(65, &|m| {
        m.first(16);
        m.at(16, 16);
        m.before_end(32, 16);
        m.before_end(16, 16);
    });
    code.local_get(DST).local_get(SRC).local_get(N).memory_copy(to, from).end();
}

/// Writes moves of one unit: 1, 2, 4, 8 or 16 bytes.
struct Move<'a, 'b> {
    code: &'a mut InstructionSink<'b>,
    to: u32,
    from: u32,
}

impl Move<'_, '_> {
    /// Does that and leaves the block of [`moves`] when the length is at least `least`.
    fn when_at_least(&mut self, least: i32, then: impl Fn(&mut Self)) {
        self.code.local_get(N).i32_const(least).i32_ge_u().if_(BlockType::Empty);
        then(self);
        self.code.br(2).end();
    }

    /// The first and the last unit: all, for lengths from one unit to two.
    fn ends(&mut self, unit: u64) {
        self.first(unit);
        self.before_end(unit as i32, unit);
    }

    fn first(&mut self, unit: u64) {
        self.at(0, unit);
    }

    /// The unit at an offset.
    fn at(&mut self, offset: u64, unit: u64) {
        self.code.local_get(DST).local_get(SRC);
        self.load_store(offset, unit);
    }

    /// The unit that begins `back` bytes before the end. The sum cannot wrap: it is inside.
    fn before_end(&mut self, back: i32, unit: u64) {
        for base in [DST, SRC] {
            self.code.local_get(base).local_get(N).i32_add().i32_const(back).i32_sub();
        }
        self.load_store(0, unit);
    }

    /// Takes both addresses off the stack.
    fn load_store(&mut self, offset: u64, unit: u64) {
        let load = access(self.from, offset);
        let store = access(self.to, offset);
        match unit {
            1 => self.code.i32_load8_u(load).i32_store8(store),
            2 => self.code.i32_load16_u(load).i32_store16(store),
            4 => self.code.i32_load(load).i32_store(store),
            8 => self.code.i64_load(load).i64_store(store),
            _ => self.code.v128_load(load).v128_store(store),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::World;

    const EFAULT: u64 = Errno::EFAULT as u64;
    const SIZE: u64 = 65536;

    /// A kernel's and a user's memory of a page each, with different contents.
    fn world() -> World<'static> {
        let fill = |seed: u32| (0..65536u32).map(|i| (i.wrapping_mul(31).wrapping_add(seed) >> 3) as u8).collect();
        World::with_memories(vec![fill(7), fill(77_777)])
    }

    fn call(world: &mut World, name: &str, args: &[u64]) -> u64 {
        world.run(&uaccess_module(None), name, args).unwrap().unwrap()
    }

    #[test]
    fn both_modules_are_valid_and_in_order() {
        for shared in [None, Some((18, 4096))] {
            let wasm = uaccess_module(shared);
            let types = wasmparser::Validator::new().validate_all(&wasm).unwrap();
            let kernel = types.as_ref().memory_at(0);
            assert_eq!(kernel.shared, shared.is_some());
            assert_eq!(kernel.maximum, shared.map(|(_, max)| max));
            let names: Vec<_> = types.as_ref().core_exports().unwrap().map(|(name, _)| name.to_string()).collect();
            assert_eq!(names, UACCESS);
        }
    }

    #[test]
    fn every_length_moves_exactly_its_bytes() {
        for n in (0..=200).chain([4096, 65000]) {
            let (kernel, user) = (123, 321);
            let mut there = world();
            let mut expected = there.memories[0].clone();
            expected[kernel..kernel + n].copy_from_slice(&there.memories[1][user..user + n]);
            assert_eq!(call(&mut there, "copyin", &[kernel as u64, user as u64, n as u64]), 0);
            assert!(there.memories[0] == expected, "copyin of {n}");
            assert!(there.memories[1] == world().memories[1], "copyin of {n} wrote user memory");

            let mut back = world();
            let mut expected = back.memories[1].clone();
            expected[user..user + n].copy_from_slice(&back.memories[0][kernel..kernel + n]);
            assert_eq!(call(&mut back, "copyout", &[user as u64, kernel as u64, n as u64]), 0);
            assert!(back.memories[1] == expected, "copyout of {n}");
            assert!(back.memories[0] == world().memories[0], "copyout of {n} wrote kernel memory");
        }
    }

    #[test]
    fn the_last_byte_is_in_and_the_next_is_a_fault() {
        let before = world();
        for n in [1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 33, 64, 65, 1000] {
            let mut w = world();
            assert_eq!(call(&mut w, "copyin", &[0, SIZE - n, n]), 0, "{n}");
            assert_eq!(call(&mut w, "copyout", &[SIZE - n, 0, n]), 0, "{n}");
            let mut w = world();
            for address in [SIZE - n + 1, SIZE, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, (1 << 32) - n] {
                assert_eq!(call(&mut w, "copyin", &[0, address, n]), EFAULT, "{n} at {address:#x}");
                assert_eq!(call(&mut w, "copyout", &[address, 0, n]), EFAULT, "{n} at {address:#x}");
            }
            assert!(w.memories == before.memories, "a fault of {n} moved something");
        }
        let mut w = world();
        assert_eq!(call(&mut w, "copyin", &[0, 1, 0xffff_ffff]), EFAULT);
        assert_eq!(call(&mut w, "copyin", &[0, 0, SIZE]), 0);
    }

    #[test]
    fn nothing_fits_anywhere() {
        let mut w = world();
        assert_eq!(call(&mut w, "copyin", &[0, 0xffff_ffff, 0]), 0);
        assert_eq!(call(&mut w, "copyout", &[SIZE, 0, 0]), 0);
        w.memories[1].clear();
        assert_eq!(call(&mut w, "copyin", &[0, 1, 0]), 0);
        assert_eq!(call(&mut w, "copyin", &[0, 0, 1]), EFAULT);
        assert_eq!(call(&mut w, "usize", &[]), 0);
    }

    /// A list of one piece at `LIST`, and room for its count at `COUNT`.
    const LIST: u64 = 40_000;
    const COUNT: u64 = 50_000;
    fn with_piece(base: u64, len: u64) -> World<'static> {
        let mut w = world();
        let raw = ((len << 32) | base).to_le_bytes();
        w.memories[1][LIST as usize..][..8].copy_from_slice(&raw);
        w
    }

    #[test]
    fn a_whole_piece_is_moved_and_counted() {
        for n in (1..=70usize).chain([4096]) {
            let (kernel, user) = (123, 321);
            let mut there = with_piece(user as u64, n as u64);
            let mut expected = there.memories[1].clone();
            expected[user..user + n].copy_from_slice(&there.memories[0][kernel..kernel + n]);
            expected[COUNT as usize..][..4].copy_from_slice(&(n as u32).to_le_bytes());
            assert_eq!(call(&mut there, "give", &[LIST, kernel as u64, n as u64, COUNT]), n as u64);
            assert!(there.memories[1] == expected, "give of {n}");
            assert!(there.memories[0] == world().memories[0], "give of {n} wrote kernel memory");

            let mut back = with_piece(user as u64, n as u64);
            let mut expected = back.memories[0].clone();
            expected[kernel..kernel + n].copy_from_slice(&back.memories[1][user..user + n]);
            assert_eq!(call(&mut back, "take", &[kernel as u64, LIST, 4096, COUNT]), n as u64);
            assert!(back.memories[0] == expected, "take of {n}");
            assert_eq!(back.memories[1][COUNT as usize..][..4], (n as u32).to_le_bytes());
        }
    }

    #[test]
    fn anything_else_is_refused_and_nothing_has_moved() {
        let cases = [
            // Base, length, list, count: longer than what there is, empty, and outside in turn.
            (8, 65, LIST, COUNT),
            (8, 0xffff_ffff, LIST, COUNT),
            (8, 0, LIST, COUNT),
            (SIZE - 63, 64, LIST, COUNT),
            (0xffff_ffff, 64, LIST, COUNT),
            (8, 64, SIZE - 7, COUNT),
            (8, 64, 0xffff_ffff, COUNT),
            (8, 64, LIST, SIZE - 3),
            (8, 64, LIST, 0xffff_ffff),
        ];
        for (base, len, list, count) in cases {
            let before = with_piece(base, len);
            let mut w = with_piece(base, len);
            assert_eq!(call(&mut w, "give", &[list, 16, 64, count]), 0, "{base} {len} {list} {count}");
            assert_eq!(call(&mut w, "take", &[16, list, 64, count]), 0, "{base} {len} {list} {count}");
            assert!(w.memories == before.memories, "{base} {len} {list} {count}");
        }
        let mut w = with_piece(SIZE - 64, 64);
        assert_eq!(call(&mut w, "give", &[LIST, 16, 64, SIZE - 68]), 64);
    }

    #[test]
    fn puts_and_size() {
        let mut w = world();
        assert_eq!(call(&mut w, "put32", &[SIZE - 4, 0x0403_0201]), 0);
        assert_eq!(w.memories[1][65532..], [1, 2, 3, 4]);
        assert_eq!(call(&mut w, "put64", &[8, 0x0807_0605_0403_0201]), 0);
        assert_eq!(w.memories[1][8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
        for address in [SIZE - 3, SIZE, 0xffff_ffff, 0xffff_fffc] {
            assert_eq!(call(&mut w, "put32", &[address, 9]), EFAULT);
            assert_eq!(call(&mut w, "put64", &[address, 9]), EFAULT);
        }
        assert_eq!(call(&mut w, "put64", &[SIZE - 7, 9]), EFAULT);
        assert_eq!(call(&mut w, "usize", &[]), 1);
    }
}
