//! Which functions of a program as it runs were which in its file.
//!
//! [`fork`](crate::fork) and [`prepare`](crate::prepare) put imports and functions of their own into a program, so
//! that the numbers in a backtrace are not those that a debugger has. What they leave is in a custom section,
//! [`SECTION`], a line of LEB128 numbers: where the added imports begin and how many there are, how many functions the
//! file had with its imports, where the copies of functions begin by which a fork comes back, and for each the function it is a
//! copy of, as the distance from the one before; then the inner functions
//! that [`prepare`](crate::prepare) adds to some, and which they belong to.

use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{BinaryReader, Parser, Payload};

/// The name of the custom section. A program's own of that name is left out when it is rewritten.
pub const SECTION: &str = "vkernel.origins";

/// The way back from the functions of a program that was rewritten. By default it was not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins {
    /// The first import that was added, and how many were.
    imported: u32,
    added: u32,
    /// Functions of the file, imports among them.
    functions: u32,
    first_copy: u32,
    copies: Vec<u32>,
    /// Functions that have the body of another, which only calls them: their numbers and its.
    inners: Vec<(u32, u32)>,
}

impl Origins {
    pub(crate) fn new(imported: u32, added: u32, functions: u32, first_copy: u32, copies: Vec<u32>) -> Origins {
        Origins { imported, added, functions, first_copy, copies, inners: Vec::new() }
    }

    pub(crate) fn with_inners(self, inners: Vec<(u32, u32)>) -> Origins {
        Origins { inners, ..self }
    }

    /// As they are when so many imports more come behind all that there are. `functions` counts those there were.
    pub(crate) fn behind(self, imported: u32, added: u32, functions: u32) -> Origins {
        match self.added {
            0 => Origins::new(imported, added, functions, 0, Vec::new()),
            // Those of fork stand last among the imports, so one range holds both.
            _ => {
                let (all, first_copy) = (self.added.saturating_add(added), self.first_copy.saturating_add(added));
                Origins { added: all, first_copy, ..self }
            }
        }
    }

    /// The number in the file of a function with this number; `None` for one that was added.
    pub fn of(&self, function: u32) -> Option<u32> {
        // Of the two, the inner one stands for the function in a backtrace: a call from itself has no outer one.
        if let Some(&(_, outer)) = self.inners.iter().find(|inner| inner.0 == function) {
            return self.outside(outer);
        }
        if self.inners.iter().any(|inner| inner.1 == function) {
            return None;
        }
        self.outside(function)
    }

    fn outside(&self, function: u32) -> Option<u32> {
        if self.added == 0 || function < self.imported {
            return Some(function);
        }
        let old = function.checked_sub(self.added).filter(|&old| old >= self.imported)?;
        if old < self.functions {
            return Some(old);
        }
        self.copies.get(function.checked_sub(self.first_copy)? as usize).copied()
    }

    /// The section's payload; nothing where there is nothing to tell.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.added == 0 {
            return out;
        }
        for number in [self.imported, self.added, self.functions, self.first_copy, self.copies.len() as u32] {
            number.encode(&mut out);
        }
        let mut last = 0;
        for &copy in &self.copies {
            (copy - last).encode(&mut out);
            last = copy;
        }
        (self.inners.len() as u32).encode(&mut out);
        for &(inner, outer) in &self.inners {
            inner.encode(&mut out);
            outer.encode(&mut out);
        }
        out
    }

    /// Reads a payload. What this version has not written says nothing.
    pub fn read(payload: &[u8]) -> Origins {
        Self::try_read(payload).unwrap_or_default()
    }

    fn try_read(payload: &[u8]) -> Option<Origins> {
        let mut from = BinaryReader::new(payload, 0);
        let mut number = || from.read_var_u32().ok();
        let (imported, added, functions, first_copy) = (number()?, number()?, number()?, number()?);
        let count = number()?;
        let mut copies = Vec::new();
        let mut last = 0u32;
        for _ in 0..count {
            last = last.checked_add(number()?)?;
            copies.push(last);
        }
        let mut inners = Vec::new();
        for _ in 0..number()? {
            inners.push((number()?, number()?));
        }
        imported.checked_add(added)?;
        Some(Origins { imported, added, functions, first_copy, copies, inners })
    }

    /// Of a program that one of the passes has written.
    pub fn of_module(bytes: &[u8]) -> Origins {
        // It is one of the custom sections that come first, so that there is no need to look further.
        let mut payloads = Parser::new(0).parse_all(bytes).skip(1).map_while(|payload| match payload {
            Ok(Payload::CustomSection(section)) => Some(section),
            _ => None,
        });
        payloads
            .find(|section| section.name() == SECTION)
            .map(|section| Origins::read(section.data()))
            .unwrap_or_default()
    }

    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let payload = self.to_bytes();
        if !payload.is_empty() {
            CustomSection { name: SECTION.into(), data: payload.into() }.append_to(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_functions_have_no_origin_and_copies_have_that_of_their_original() {
        // Three imports, ten functions in all; fork added one import and copies of 4 and 7 behind five of its own.
        let forking = Origins::new(3, 1, 10, 16, vec![4, 7]);
        let of: Vec<_> = (0..19).map(|at| forking.of(at)).collect();
        let plain = (0..3).map(Some).chain([None]).chain((3..10).map(Some));
        assert_eq!(of, plain.chain([None; 5]).chain([Some(4), Some(7), None]).collect::<Vec<_>>());
        let prepared = forking.clone().behind(4, 2, 18);
        assert_eq!(
            (prepared.of(5), prepared.of(6), prepared.of(18), prepared.of(19)),
            (None, Some(3), Some(4), Some(7))
        );
        assert_eq!((Origins::read(&forking.to_bytes()), Origins::read(&prepared.to_bytes())), (forking, prepared));
    }

    #[test]
    fn the_passes_leave_the_way_back() {
        let program = |import: &str| {
            let text = format!(
                r#"(module {import} (import "vkernel" "getpid" (func (result i32)))
                    (memory (export "memory") 1) (func $one) (func (export "_start") (call $one)))"#
            );
            wat::parse_str(text).expect("a program")
        };
        let prepared = crate::prepare(&program("")).expect("accepted");
        assert_eq!(Origins::of_module(&prepared), Origins::new(1, 2, 3, 0, vec![]));
        let forking = r#"(import "vkernel" "fork" (func (result i32)))"#;
        let forked = crate::fork(&program(forking)).expect("accepted").expect("forks");
        let origins = Origins::of_module(&forked);
        assert_eq!((origins.of(2), origins.of(3), origins.of(4)), (None, Some(2), Some(3)));
        // Both, at once and one after the other.
        let both = Origins::of_module(&crate::prepare(&forked).expect("accepted"));
        assert_eq!((both.of(4), both.of(5), both.of(6)), (None, Some(2), Some(3)));
        assert_eq!(Origins::of_module(&crate::prepare(&program(forking)).expect("accepted")), both);
    }

    #[test]
    fn a_function_that_calls_itself_is_its_inner_one() {
        let text = r#"(module (memory (export "memory") 1) (func (export "_start") (drop (call $fib (i32.const 9))))
            (func $fib (param i32) (result i32) (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
        let origins = Origins::of_module(&crate::prepare(&wat::parse_str(text).expect("a program")).expect("accepted"));
        let [(inner, outer)] = origins.inners[..] else { panic!("{origins:?}") };
        assert_eq!((outer, origins.of(outer), origins.of(inner), origins.of(outer - 1)), (3, None, Some(1), Some(0)));
        assert_eq!(Origins::read(&origins.to_bytes()), origins);
    }

    #[test]
    fn what_was_not_rewritten_is_what_it_was_and_damaged_bytes_say_nothing() {
        let none = Origins::default();
        assert_eq!((none.of(0), none.of(u32::MAX), none.to_bytes()), (Some(0), Some(u32::MAX), vec![]));
        let prepared = none.behind(2, 2, 5);
        assert_eq!(
            (0..8).map(|at| prepared.of(at)).collect::<Vec<_>>(),
            [Some(0), Some(1), None, None, Some(2), Some(3), Some(4), None]
        );
        let bytes = prepared.to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(Origins::read(&bytes[..len]), Origins::default());
        }
    }
}
