//! How loops are checked: by which way, and the labels and locals that it takes.

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::chunk::CHUNK;
use super::emit::Hints;
use super::flow::{Flow, Loop, What};
use super::graph::LEAF_TURNS;

/// A turn that costs so much goes off the fuel at once: that is dearer than to count, but not beside it.
const DEAR: u32 = LEAF_TURNS / 4;
/// Turns that cost so much are not unrolled, or with little effect: V8 makes four of the small ones.
const LARGE: u32 = 14;
/// A turn that costs so much is not paid for with others.
const PIECE: u32 = CHUNK / 4;

/// How a loop is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Never,
    /// From the fuel, each time.
    Dear,
    /// Counting, and settling inside.
    Whole,
    /// In pieces, each counted before it begins: see `chunk`.
    Chunk,
    /// Counting behind each turn but the last, and settling outside: the loop is left for that and entered again.
    /// An engine makes much less of a loop that has a call in it, though it is never made.
    ///
    /// ```text
    /// block $follows
    ///   loop $again
    ///     loop $loop
    ///       block $next
    ///         (a turn, in which $loop is $next)
    ///         br $follows
    ///       end
    ///       (br_if $loop (count))
    ///     end
    ///     (settle)
    ///     br $again
    ///   end
    /// end
    /// ```
    Split,
    /// The same with one loop, which settles inside: for turns that are too large to be unrolled. That the loop around is entered is
    /// what costs most where there are few turns, in SpiderMonkey.
    ///
    /// ```text
    /// block $follows
    ///   loop $loop
    ///     block $next
    ///       (a turn, in which $loop is $next)
    ///       br $follows
    ///     end
    ///     (br_if $loop (count))
    ///     (settle)
    ///     br $loop
    ///   end
    /// end
    /// ```
    Settles,
}

const BLOCK: u8 = 0x02;
pub const LOOP: u8 = 0x03;

/// The loops that are open where the writing is, by the index of their block.
#[derive(Default)]
pub struct Labels {
    open: Vec<Around>,
}

#[derive(Clone, Copy)]
struct Around {
    frame: usize,
    kind: Kind,
    /// Labels added, and loops in pieces, up to this one.
    labels: u32,
    pieces: u32,
}

impl Labels {
    /// The depth of a label that had depth `depth` where `open` blocks were open.
    pub fn now(&self, depth: u32, open: usize) -> u32 {
        let target = open - 1 - depth as usize;
        let inside = self.open.partition_point(|around| around.frame <= target);
        let up_to = |n: usize| n.checked_sub(1).map_or(0, |last| self.open[last].labels);
        depth + up_to(self.open.len()) - up_to(inside)
    }
    /// How many of them are in pieces.
    fn pieces(&self) -> u32 {
        self.open.last().map_or(0, |around| around.pieces)
    }
    /// How many labels were added around.
    pub fn added(&self) -> u32 {
        self.open.last().map_or(0, |around| around.labels)
    }
    /// A loop ends: of which kind?
    pub fn pop(&mut self) -> Option<Kind> {
        self.open.pop().map(|closed| closed.kind)
    }
    pub fn push(&mut self, l: &Loop) {
        let kind = Kind::of(l);
        let labels = self.added() + kind.labels();
        let pieces = self.pieces() + u32::from(kind == Kind::Chunk);
        self.open.push(Around { frame: l.frame, kind, labels, pieces });
    }
}

impl Kind {
    /// So many labels are put around such a loop.
    fn labels(self) -> u32 {
        match self {
            Kind::Split => 3,
            Kind::Settles => 2,
            Kind::Chunk => 1,
            _ => 0,
        }
    }
    pub fn is_split(self) -> bool {
        matches!(self, Kind::Split | Kind::Settles)
    }
    /// Writes what is before a loop of this block type that is split, but for $next.
    pub fn begin(self, ty: &[u8], out: &mut Vec<u8>) {
        if !self.is_split() {
            return;
        }
        out.push(BLOCK);
        out.extend_from_slice(ty);
        if self == Kind::Split {
            InstructionSink::new(out).loop_(BlockType::Empty);
        }
        InstructionSink::new(out).loop_(BlockType::Empty);
    }
    /// And what is behind a turn; then, whether it may go on.
    pub fn turn(self, out: &mut Vec<u8>) {
        InstructionSink::new(out).br(self.labels()).end();
    }
    /// And where it settles.
    pub fn settle(self, out: &mut Vec<u8>, hints: &mut Hints) {
        hints.push((out.len() as u32, true));
        InstructionSink::new(out).br_if(0);
        if self == Kind::Split {
            InstructionSink::new(out).end();
        }
    }
    pub fn end(self, out: &mut Vec<u8>) {
        InstructionSink::new(out).br(0).end().unreachable().end();
    }
    pub fn of(l: &Loop) -> Kind {
        match l.turn {
            0 => Kind::Never,
            _ if l.pays => Kind::Dear,
            ..PIECE if l.counted.is_some() => Kind::Chunk,
            DEAR.. => Kind::Dear,
            _ if l.split && l.turn >= LARGE => Kind::Settles,
            _ if l.split => Kind::Split,
            _ => Kind::Whole,
        }
    }
}

/// The locals that a body's checks need.
pub struct Locals {
    pub first: u32,
    counts: bool,
    pays: bool,
    /// Loops in pieces that are in one another: each has a local for where its piece ends.
    pieces: u32,
    /// What loops count to.
    pub limit: u32,
    /// The function's own locals: where each group ends, and the kind of their slots.
    kinds: Vec<(u32, Option<usize>)>,
}

/// Types of values that can be put aside, in as many globals each.
pub const SLOTS: [ValType; 5] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];
pub const SLOTS_EACH: u32 = super::flow::MOST_USED as u32 + 1;

impl Locals {
    pub fn of(flow: &Flow) -> Locals {
        let any = |test: fn(Kind) -> bool| flow.loops.iter().any(|l| test(Kind::of(l)));
        let entry = flow.edits.iter().any(|edit| matches!(edit.what, What::Pay(_)));
        let (mut pieces, mut labels) = (0, Labels::default());
        for edit in &flow.edits {
            match edit.what {
                What::Before(l) => labels.push(&flow.loops[l as usize]),
                What::End(_) => _ = labels.pop(),
                _ => continue,
            }
            pieces = labels.pieces().max(pieces);
        }
        Locals {
            pieces,
            first: 0,
            kinds: Vec::new(),
            limit: flow.limit,
            counts: any(|kind| kind == Kind::Whole || kind == Kind::Chunk || kind.is_split()),
            pays: entry || any(|kind| kind == Kind::Dear),
        }
    }
    /// Notes `count` more locals of a type.
    pub fn more(&mut self, count: u32, ty: wasmparser::ValType) {
        self.first += count;
        let kind = match ty {
            wasmparser::ValType::I32 => Some(0),
            wasmparser::ValType::I64 => Some(1),
            wasmparser::ValType::F32 => Some(2),
            wasmparser::ValType::F64 => Some(3),
            wasmparser::ValType::V128 => Some(4),
            wasmparser::ValType::Ref(_) => None,
        };
        self.kinds.push((self.first, kind));
    }
    /// The kind of slot that fits a local.
    pub fn kind(&self, local: u32) -> Option<usize> {
        if local >= self.first {
            return Some(0);
        }
        let group = self.kinds.partition_point(|(end, _)| *end <= local);
        self.kinds.get(group)?.1
    }
    /// Counts a turn of a loop and pushes whether it may go on.
    pub fn count_turns(&self, units: u32, out: &mut Vec<u8>) {
        let mut code = InstructionSink::new(out);
        code.local_get(self.turns()).i32_const(units as i32).i32_add().local_tee(self.turns());
        code.i32_const(self.limit as i32).i32_lt_s();
    }
    pub fn count(&self) -> u32 {
        u32::from(self.counts) + u32::from(self.pays) + self.pieces
    }
    /// Where a piece of the innermost loop in pieces ends.
    pub fn end(&self, labels: &Labels) -> u32 {
        self.first + u32::from(self.counts) + u32::from(self.pays) + labels.pieces() - 1
    }
    pub fn turns(&self) -> u32 {
        self.first
    }
    pub fn scratch(&self) -> u32 {
        self.first + u32::from(self.counts)
    }
}
