//! The functions that are added once: fork, and what goes with it.
//!
//! The *buffer* is where frames are saved, in the program's memory; it is made when the program first forks, and
//! kept. It begins with its length, the place behind the last frame, whether it was a handler that forked, and the program's globals; then come frames,
//! the innermost first. `limit` is less than its end by the largest frame, so that one can always be saved before
//! it is seen that there is no room for another.

use wasm_encoder::{BlockType, Catch, Function, InstructionSink};

use abi::errno::Errno;

use super::emit::{Numbers, resume_last};
use super::module::{Code, I32, Module, code};
use super::value::{load, size, store};

/// Types of blocks: one leaves a function's results, the other an exception.
#[derive(Clone, Copy)]
pub struct Passed {
    pub results: BlockType,
    pub exception: BlockType,
}

/// The buffer of a program.
pub struct Buffer {
    /// The program's mutable globals.
    globals: Vec<(u32, Code)>,
    /// Of the beginning.
    header: u32,
    /// Between `limit` and the end.
    reserve: u32,
}

const LENGTH: u32 = 0;
const TOP: u32 = 4;
const LOST: u32 = 8;
const GLOBALS: u32 = 16;
const PAGE: u32 = 1 << 16;
/// Before the buffer, so that it is never at 0.
const GAP: u32 = 16;
/// There is room for that much at first.
const ROOM: u32 = 1 << 14;

impl Buffer {
    /// `largest` is a bound of the frames.
    pub fn new(module: &Module, largest: u32) -> Buffer {
        let mutable = module.globals.iter().zip(0..).filter(|(global, _)| global.mutable);
        let globals: Vec<_> = mutable.filter_map(|(global, index)| Some((index, code(global.content_type)?))).collect();
        let header = GLOBALS + globals.iter().map(|&(_, code)| size(code)).sum::<u32>();
        Buffer { globals, header, reserve: largest + GAP }
    }

    /// Pages of it at first.
    fn pages(&self) -> u32 {
        (GAP + self.header + ROOM + self.reserve).div_ceil(PAGE)
    }
}

/// Globals, in the order of their numbers, beside those in [`Numbers`]. All begin with 0.
pub const GLOBALS_ADDED: u32 = 10;

pub struct Runtime<'a> {
    pub numbers: Numbers,
    /// Globals: the buffer, or 0; `limit`; what fork answers.
    pub buffer: u32,
    pub limit: u32,
    pub answer: u32,
    /// Somebody forks: from the first frame that is saved to the last that is taken back. A handler that interrupts that and forks needs
    /// another buffer.
    pub busy: u32,
    /// This process was forked by a handler: there are no frames below.
    pub lost: u32,
    /// What handlers have for a buffer that run while it is busy, or 0, and its limit.
    pub spare: u32,
    pub spare_limit: u32,
    /// Imports.
    pub fork_at: u32,
    pub frames: u32,
    pub layout: &'a Buffer,
}

impl Runtime<'_> {
    /// `() -> pid`: begins to unwind.
    pub fn fork(&self) -> Function {
        const AT: u32 = 0;
        let mut function = Function::new([(1, wasm_encoder::ValType::I32)]);
        let mut code = function.instructions();
        code.global_get(self.numbers.held).if_(BlockType::Empty).i32_const(error(Errno::ENOSYS)).return_().end();
        code.global_get(self.buffer).i32_eqz().if_(BlockType::Empty);
        self.make(&mut code, AT);
        code.end();
        code.global_get(self.buffer).local_set(AT);
        let mut offset = GLOBALS;
        for &(global, ty) in &self.layout.globals {
            code.local_get(AT).global_get(global);
            store(&mut code, ty, offset);
            offset += size(ty);
        }
        code.local_get(AT).i32_const(0);
        store(&mut code, I32, self.layout.header);
        code.local_get(AT).i32_const(self.layout.header as i32 + 4).i32_add().global_set(self.numbers.top);
        code.i32_const(1).global_set(self.busy);
        code.i32_const(1).global_set(self.numbers.state).i32_const(0).end();
        function
    }

    fn make(&self, code: &mut InstructionSink, at: u32) {
        let pages = self.layout.pages();
        code.i32_const(pages as i32).memory_grow(0).local_tee(at).i32_const(-1).i32_eq();
        code.if_(BlockType::Empty).i32_const(error(Errno::ENOMEM)).return_().end();
        code.local_get(at).i32_const(16).i32_shl().i32_const(GAP as i32).i32_add().local_tee(at);
        code.global_set(self.buffer).local_get(at);
        code.i32_const((pages * PAGE - GAP - self.layout.reserve) as i32).i32_add().global_set(self.limit);
    }

    /// `() -> pid`: fork's frame is its number, which is 0. The kernel holds a child's handlers back until `frames` is called again.
    pub fn resumed(&self) -> Function {
        const ANSWER: u32 = 0;
        let top = self.numbers.top;
        let mut function = Function::new([(1, wasm_encoder::ValType::I32)]);
        let mut code = function.instructions();
        code.global_get(top).i32_const(4).i32_sub().global_set(top).global_get(self.answer).local_set(ANSWER);
        code.i32_const(0).global_set(self.busy).call(self.frames).drop().local_get(ANSWER).end();
        function
    }

    /// `(top) -> out of memory`: after a frame was saved. Makes room for the next, or ends the unwinding with an error
    /// for an answer.
    pub fn saved(&self) -> Function {
        const AT: u32 = 0;
        const LENGTH: u32 = 1;
        const PAGES: u32 = 2;
        let (top, reserve) = (self.numbers.top, self.layout.reserve as i32);
        let mut function = Function::new([(2, wasm_encoder::ValType::I32)]);
        let mut code = function.instructions();
        code.local_get(AT).global_set(top);
        code.local_get(AT).global_get(self.limit).i32_le_u().if_(BlockType::Empty).i32_const(0).return_().end();
        self.length(&mut code);
        code.local_tee(LENGTH).i32_const(reserve).i32_add().i32_const(16).i32_shr_u();
        code.i32_const(2).i32_add().local_tee(PAGES).memory_grow(0).local_tee(AT).i32_const(-1).i32_eq();
        code.if_(BlockType::Empty);
        code.i32_const(0).global_set(self.numbers.state);
        code.i32_const(error(Errno::ENOMEM)).global_set(self.answer).i32_const(1).return_().end();
        code.local_get(AT).i32_const(16).i32_shl().local_tee(AT);
        code.global_get(self.limit).i32_const(reserve).i32_add().i32_eq().if_(BlockType::Empty);
        // It is behind the buffer.
        code.global_get(self.limit).local_get(PAGES).i32_const(16).i32_shl().i32_add().global_set(self.limit);
        code.else_();
        code.local_get(AT).i32_const(GAP as i32).i32_add().local_tee(AT);
        code.global_get(self.buffer).global_get(top).global_get(self.buffer).i32_sub().memory_copy(0, 0);
        code.local_get(AT).global_get(top).i32_add().global_get(self.buffer).i32_sub().global_set(top);
        code.local_get(AT).global_set(self.buffer);
        code.local_get(AT).local_get(PAGES).i32_const(16).i32_shl().i32_add();
        code.i32_const(reserve + GAP as i32).i32_sub().global_set(self.limit);
        code.end().i32_const(0).end();
        function
    }

    /// Pushes the length of the buffer.
    fn length(&self, code: &mut InstructionSink) {
        code.global_get(self.limit).i32_const(self.layout.reserve as i32).i32_add();
        code.global_get(self.buffer).i32_sub();
    }

    /// What is called instead of `start`, which takes and returns nothing (`ty`): asks whether this is a child; makes
    /// the call when all of the stack is in the buffer.
    pub fn entry(&self, start: u32, ty: u32) -> Function {
        let Numbers { state, top, held, table, .. } = self.numbers;
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.call(self.frames).global_set(self.buffer);
        code.global_get(self.buffer).if_(BlockType::Empty);
        self.inherit(&mut code);
        // The instance may have been another child's, which left it anywhere.
        for own in [state, held, self.answer, self.spare] {
            code.i32_const(0).global_set(own);
        }
        code.i32_const(1).global_set(self.busy);
        resume_last(&mut code, top, table, ty);
        code.else_().call(start).end();
        self.while_forking(&mut code, ty, |code| _ = code.global_get(self.lost));
        code.global_get(self.lost).if_(BlockType::Empty).unreachable().end().end();
        function
    }

    /// What is called instead of `__vk_signal`. The stack ends here: what was interrupted stays where it is, in the parent, and is not
    /// in the child.
    pub fn handler(&self, function: u32, ty: u32) -> Function {
        const WAS_BUSY: u32 = 3;
        const KEPT: u32 = 4;
        let Numbers { state, top, .. } = self.numbers;
        let kept = [self.buffer, self.limit, top, state, self.answer];
        let mut body = Function::new([(1 + kept.len() as u32, wasm_encoder::ValType::I32)]);
        let mut code = body.instructions();
        code.global_get(self.busy).local_tee(WAS_BUSY).if_(BlockType::Empty);
        for (local, global) in (KEPT..).zip(kept) {
            code.global_get(global).local_set(local);
        }
        code.global_get(self.spare).global_set(self.buffer).global_get(self.spare_limit).global_set(self.limit);
        for own in [self.spare, self.busy, state] {
            code.i32_const(0).global_set(own);
        }
        code.end();
        code.local_get(0).local_get(1).local_get(2).call(function);
        self.while_forking(&mut code, ty, |code| _ = code.i32_const(1));
        code.local_get(WAS_BUSY).if_(BlockType::Empty);
        code.global_get(self.buffer).global_set(self.spare).global_get(self.limit).global_set(self.spare_limit);
        for (local, global) in (KEPT..).zip(kept) {
            code.local_get(local).global_set(global);
        }
        code.i32_const(1).global_set(self.busy).end().end();
        body
    }

    /// Where the stack ends: as long as a call has come back to save its frames, calls the kernel and goes back to them. `lost`
    /// pushes whether the child will have lost what is below.
    fn while_forking(&self, code: &mut InstructionSink, ty: u32, lost: impl Fn(&mut InstructionSink)) {
        let Numbers { state, top, table, .. } = self.numbers;
        code.loop_(BlockType::Empty).global_get(state).if_(BlockType::Empty);
        code.i32_const(0).global_set(state);
        code.global_get(self.buffer);
        self.length(code);
        store(code, I32, LENGTH);
        code.global_get(self.buffer).global_get(top);
        store(code, I32, TOP);
        code.global_get(self.buffer);
        lost(code);
        store(code, I32, LOST);
        code.global_get(self.buffer).call(self.fork_at).global_set(self.answer);
        resume_last(code, top, table, ty);
        code.br(1).end().end();
    }

    /// In the child: takes over the parent's globals.
    fn inherit(&self, code: &mut InstructionSink) {
        let mut field = |ty, offset, global| {
            code.global_get(self.buffer);
            load(code, ty, offset);
            code.global_set(global);
        };
        field(I32, TOP, self.numbers.top);
        field(I32, LOST, self.lost);
        let mut offset = GLOBALS;
        for &(global, ty) in &self.layout.globals {
            field(ty, offset, global);
            offset += size(ty);
        }
        code.global_get(self.buffer).global_get(self.buffer);
        load(code, I32, LENGTH);
        code.i32_add().i32_const(self.layout.reserve as i32).i32_sub().global_set(self.limit);
    }

    /// What is exported instead of another function: whoever calls it cannot be unwound. An exception that leaves it, as
    /// where a signal handler jumps out, ends the call, too: it is passed on from blocks of the types `out`.
    pub fn held(&self, function: u32, params: usize, out: Option<Passed>) -> Function {
        let held = self.numbers.held;
        let mut body = Function::new([]);
        let mut code = body.instructions();
        let count = |code: &mut InstructionSink, by: i32| {
            code.global_get(held).i32_const(by).i32_add().global_set(held);
        };
        count(&mut code, 1);
        if let Some(Passed { results, exception }) = out {
            code.block(results).block(exception).try_table(results, [Catch::AllRef { label: 0 }]);
        }
        for param in 0..params as u32 {
            code.local_get(param);
        }
        code.call(function);
        if out.is_some() {
            code.end().br(1).end();
            count(&mut code, -1);
            code.throw_ref().end();
        }
        count(&mut code, -1);
        code.end();
        body
    }
}

/// What fork is in a program of which no copy can be made.
pub fn refusing() -> Function {
    let mut function = Function::new([]);
    function.instructions().i32_const(error(Errno::ENOSYS)).end();
    function
}

fn error(errno: Errno) -> i32 {
    -i32::from(errno as u16 as i16)
}
