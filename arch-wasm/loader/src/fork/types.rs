//! Function types that are added for blocks and functions, one each.

use std::collections::HashMap;

use wasm_encoder::{BlockType, Encode, ValType};

use super::module::{Code, F32, F64, I32, I64, V128};

#[derive(Default)]
pub struct Added {
    /// The program's own come before.
    first: u32,
    known: HashMap<(Vec<Code>, Vec<Code>), u32>,
    /// Their encodings.
    bytes: Vec<u8>,
}

impl Added {
    pub fn new(first: u32) -> Added {
        Added { first, ..Added::default() }
    }

    pub fn count(&self) -> u32 {
        self.known.len() as u32
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of a type.
    pub fn function(&mut self, params: &[Code], results: &[Code]) -> u32 {
        let next = self.first + self.known.len() as u32;
        let bytes = &mut self.bytes;
        *self.known.entry((params.to_vec(), results.to_vec())).or_insert_with(|| {
            bytes.push(0x60);
            params.encode(bytes);
            results.encode(bytes);
            next
        })
    }

    pub fn block(&mut self, params: &[Code], results: &[Code]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], &[one]) if number(one).is_some() => BlockType::Result(number(one).unwrap_or(ValType::I32)),
            _ => BlockType::FunctionType(self.function(params, results)),
        }
    }
}

fn number(code: Code) -> Option<ValType> {
    Some(match code {
        I32 => ValType::I32,
        I64 => ValType::I64,
        F32 => ValType::F32,
        F64 => ValType::F64,
        V128 => ValType::V128,
        _ => return None,
    })
}
