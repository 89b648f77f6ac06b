//! Counted loops in pieces: so many turns are paid for before they begin, and nothing is counted in them.
//!
//! ```text
//! loop $again
//!   end = where the index is after as many turns as are left, or after `most` if they are more
//!   count += these turns; (settle) if that is much
//!   loop $loop
//!     (a turn)
//!     (br_if $loop (index has not come to end))        in place of the bound
//!     (br_if $again (index has not come to the bound))
//!   end
//! end
//! ```
//!
//! What is left is not always known: an index can step over its bound and come round again. Then a piece is
//! `most` turns, or one.

use wasm_encoder::{BlockType, InstructionSink};

use super::counted::{Counted, Test, Value};

/// What a piece may cost.
pub const CHUNK: u32 = 1 << 13;
/// What a piece costs where the number of its turns would need a division.
const FLAT: u32 = 1 << 11;

/// Locals of a loop in pieces.
#[derive(Clone, Copy)]
pub struct Piece {
    /// Where the index is at its end.
    pub end: u32,
    pub turns: u32,
    /// What a turn costs.
    pub cost: u32,
}

fn push(code: &mut InstructionSink, value: Value) {
    match value {
        Value::Constant(value) => code.i32_const(value),
        Value::Local(local) => code.local_get(local),
    };
}

impl Test {
    pub fn emit(self, code: &mut InstructionSink) {
        match self {
            Test::Differ => code.i32_ne(),
            Test::Less { signed: false } => code.i32_lt_u(),
            Test::Less { signed: true } => code.i32_lt_s(),
            Test::More { signed: false } => code.i32_gt_u(),
            Test::More { signed: true } => code.i32_gt_s(),
        };
    }
}

impl Counted {
    /// Writes what comes before a piece: sets its end and adds to the count.
    pub fn begin(&self, piece: Piece, out: &mut Vec<u8>) {
        let mut code = InstructionSink::new(out);
        match (self.test, self.step) {
            (Test::Differ, Value::Constant(step)) => self.begin_differ(step, piece, &mut code),
            (_, Value::Constant(step)) => {
                let by = step.unsigned_abs();
                let most = ((CHUNK / piece.cost).max(1) * by) as i32;
                self.way(step > 0, &mut code);
                // min(way, most)
                code.local_tee(piece.end).i32_const(most).local_get(piece.end).i32_const(most).i32_lt_u().select();
                code.local_tee(piece.end);
                if by > 1 {
                    code.i32_const(by as i32).i32_div_u();
                }
                piece.pay(&mut code);
                code.i32_const(piece.cost as i32).i32_add().local_set(piece.turns);
                self.end(step > 0, by, piece, &mut code);
            }
            (_, Value::Local(step)) => {
                let most = (FLAT / piece.cost).max(1);
                self.way(true, &mut code);
                code.local_tee(piece.end).local_get(step).i32_const(most as i32).i32_mul();
                code.local_get(piece.end).local_get(step).i32_const(most as i32).i32_mul().i32_lt_u().select();
                code.local_set(piece.end);
                code.local_get(piece.turns).i32_const((most * piece.cost) as i32).i32_add().local_set(piece.turns);
                self.end(true, 0, piece, &mut code);
            }
        }
    }

    /// Pushes how far the index is from the bound.
    fn way(&self, up: bool, code: &mut InstructionSink) {
        let index = Value::Local(self.index);
        let (from, to) = if up { (index, self.bound) } else { (self.bound, index) };
        push(code, to);
        push(code, from);
        code.i32_sub();
    }

    /// The index comes to the bound if the way is a number of steps, and not none.
    fn begin_differ(&self, step: i32, piece: Piece, code: &mut InstructionSink) {
        let by = step.unsigned_abs() as i32;
        let most = (CHUNK / piece.cost).max(1) as i32;
        self.way(step > 0, code);
        code.local_tee(piece.end);
        if by > 1 {
            code.i32_const(by).i32_div_u();
        }
        code.i32_const(most);
        code.local_get(piece.end).i32_const(1).i32_sub().i32_const(most * by).i32_lt_u();
        if by > 1 {
            code.local_get(piece.end).i32_const(by).i32_rem_u().i32_eqz().i32_and();
        }
        code.select().local_tee(piece.end);
        piece.pay(code);
        code.local_set(piece.turns);
        code.local_get(self.index).local_get(piece.end).i32_const(step).i32_mul().i32_add().local_set(piece.end);
    }

    /// Sets the end from the way to it, where the index is on the right side of the bound and no step can overflow behind
    /// it; else so that the piece has one turn.
    fn end(&self, up: bool, by: u32, piece: Piece, code: &mut InstructionSink) {
        let signed = matches!(self.test, Test::Less { signed: true } | Test::More { signed: true });
        let (least, most) = if signed { (i32::MIN, i32::MAX) } else { (0, -1) };
        code.local_get(self.index).local_get(piece.end);
        if up {
            code.i32_add()
        } else {
            code.i32_sub()
        };
        code.i32_const(if up { least } else { most });
        code.local_get(self.index);
        push(code, self.bound);
        self.test.emit(code);
        if by != 1 {
            push(code, self.bound);
            match (self.step, up, signed) {
                (Value::Local(step), ..) => code.i32_const(0).local_get(step).i32_sub().i32_le_u(),
                (_, true, false) => code.i32_const(0u32.wrapping_sub(by) as i32).i32_le_u(),
                (_, true, true) => code.i32_const(most - (by as i32 - 1)).i32_le_s(),
                (_, false, false) => code.i32_const(by as i32 - 1).i32_ge_u(),
                (_, false, true) => code.i32_const(least + (by as i32 - 1)).i32_ge_s(),
            };
            code.i32_and();
        }
        code.select().local_set(piece.end);
    }

    /// Writes what comes in place of the bound.
    pub fn compare(&self, end: u32, out: &mut Vec<u8>) {
        let mut code = InstructionSink::new(out);
        code.local_get(end);
        if self.bound_at.0 == self.bound_at.1 {
            code.i32_ne();
        }
    }

    /// Writes what comes behind the branch for the next turn: the one for the next piece. Answers where that is.
    pub fn again(&self, out: &mut Vec<u8>) -> u32 {
        let mut code = InstructionSink::new(out);
        code.local_get(self.index);
        push(&mut code, self.bound);
        self.test.emit(&mut code);
        let at = out.len() as u32;
        InstructionSink::new(out).br_if(self.depth + 1);
        at
    }
}

impl Piece {
    /// Turns a number of turns into the count with their cost.
    fn pay(&self, code: &mut InstructionSink) {
        code.i32_const(self.cost as i32).i32_mul().local_get(self.turns).i32_add();
    }

    /// Settles if that is due.
    pub fn settle(
        &self,
        limit: u32,
        out: &mut Vec<u8>,
        hints: &mut super::emit::Hints,
        settle: impl FnOnce(&mut Vec<u8>),
    ) {
        InstructionSink::new(out).local_get(self.turns).i32_const(limit as i32).i32_ge_s();
        hints.push((out.len() as u32, false));
        InstructionSink::new(out).if_(BlockType::Empty);
        settle(out);
        InstructionSink::new(out).end();
    }
}
