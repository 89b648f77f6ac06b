//! The kernel's memory, as the host sees it. Its size never changes, so these views never go stale.

use abi::Errno;
use js_sys::{Int32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::js;

/// Sizes to try, in pages of 64 KiB: a phone has not the room that a desk has.
const SIZES: [u32; 4] = [16384, 8192, 4096, 2048];
/// What `kernel.wasm` was linked for.
pub const MAX_PAGES: u32 = 16384;

#[derive(Clone)]
pub struct KernelMemory {
    pub memory: JsValue,
    size: u32,
    bytes: Uint8Array,
    words: Int32Array,
}

impl KernelMemory {
    /// As large a memory as the engine gives.
    pub fn make() -> Result<KernelMemory, JsValue> {
        let mut last = JsValue::UNDEFINED;
        for pages in SIZES {
            match shared_memory(pages, MAX_PAGES) {
                Ok(memory) => return Ok(KernelMemory::over(memory)),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    pub fn over(memory: JsValue) -> KernelMemory {
        let buffer = js::get(&memory, "buffer");
        let bytes = Uint8Array::new(&buffer);
        KernelMemory { size: bytes.length(), bytes, words: Int32Array::new(&buffer), memory }
    }

    pub fn size(&self) -> u32 {
        self.size
    }

    /// A range of it. EFAULT when it isn't one; the kernel's pointers are right, but a broken kernel
    /// shall end as one.
    pub fn range(&self, ptr: u32, len: u32) -> Result<Uint8Array, Errno> {
        match ptr.checked_add(len) {
            Some(end) if end <= self.size() => Ok(self.bytes.subarray(ptr, end)),
            _ => Err(Errno::EFAULT),
        }
    }

    pub fn read(&self, ptr: u32, len: u32) -> Result<Vec<u8>, Errno> {
        let range = self.range(ptr, len)?;
        let mut out = vec![0; len as usize];
        range.copy_to(&mut out);
        Ok(out)
    }

    pub fn write(&self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.range(ptr, bytes.len() as u32)?.copy_from(bytes);
        Ok(())
    }

    pub fn words(&self) -> &Int32Array {
        &self.words
    }

    /// A word, as the CPUs agree on it.
    pub fn word(&self, ptr: u32) -> u32 {
        if ptr < self.size { js::atomic_load(&self.words, ptr >> 2) as u32 } else { 0 }
    }
}

/// `new WebAssembly.Memory({initial, maximum, shared: true})`. Every page may make one; only an
/// isolated one may post it to another worker.
pub fn shared_memory(initial: u32, maximum: u32) -> Result<JsValue, JsValue> {
    let descriptor =
        js::object(&[("initial", &initial.into()), ("maximum", &maximum.into()), ("shared", &JsValue::TRUE)]);
    js_sys::WebAssembly::Memory::new(&descriptor).map(Into::into)
}
