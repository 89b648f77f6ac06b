//! Branches in a resume copy, which have more labels to cross.

use wasm_encoder::Encode;
use wasmparser::{Catch, Operator};

use super::Writer;

impl Writer<'_, '_> {
    /// The number of labels that a branch to one of the program's crosses.
    pub(super) fn label(&self, relative: u32) -> u32 {
        self.depth - self.labels[self.labels.len() - 1 - relative as usize].at
    }

    /// Rewrites the labels of a branch.
    pub(super) fn branch(&mut self, op: &Operator, begin: usize, end: usize) -> bool {
        match *op {
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => {
                self.copy.up_to(begin + 1);
                self.label(relative_depth).encode(&mut self.copy.out);
            }
            Operator::BrTable { ref targets } => {
                self.copy.up_to(begin + 1);
                targets.len().encode(&mut self.copy.out);
                // The module is valid.
                for target in targets.targets().flatten().chain([targets.default()]) {
                    self.label(target).encode(&mut self.copy.out);
                }
            }
            Operator::BrOnCast { relative_depth, .. } | Operator::BrOnCastFail { relative_depth, .. } => {
                // A prefix, a number, flags, the label, types.
                let label = number_end(self.emit.module.bytes, begin + 1) + 1;
                self.copy.up_to(label);
                self.label(relative_depth).encode(&mut self.copy.out);
                self.copy.skip_to(number_end(self.emit.module.bytes, label));
                self.copy.up_to(end);
            }
            _ => return false,
        }
        self.copy.skip_to(end);
        true
    }

    /// Rewrites the labels of a `try_table`, of which the head is from `begin` to `end`.
    pub(super) fn catches(&mut self, catches: &[Catch], begin: usize, end: usize) {
        let mut clauses = Vec::new();
        (catches.len() as u32).encode(&mut clauses);
        for catch in catches {
            let (kind, tag, label) = match *catch {
                Catch::One { tag, label } => (0, Some(tag), label),
                Catch::OneRef { tag, label } => (1, Some(tag), label),
                Catch::All { label } => (2, None, label),
                Catch::AllRef { label } => (3, None, label),
            };
            clauses.push(kind);
            tag.into_iter().for_each(|tag| tag.encode(&mut clauses));
            self.label(label).encode(&mut clauses);
        }
        let ty = block_type_end(self.emit.module.bytes, begin + 1);
        self.copy.up_to(ty);
        self.copy.out.extend_from_slice(&clauses);
        self.copy.skip_to(end);
    }
}

/// Where a block type ends that begins at a place. The module is valid.
fn block_type_end(bytes: &[u8], begin: usize) -> usize {
    const NON_NULL: u8 = 0x64;
    const NULLABLE: u8 = 0x63;
    // A reference type of two parts, or one number.
    number_end(bytes, begin + usize::from(matches!(bytes[begin], NON_NULL | NULLABLE)))
}

fn number_end(bytes: &[u8], begin: usize) -> usize {
    begin + bytes[begin..].iter().take_while(|&&byte| byte & 0x80 != 0).count() + 1
}
