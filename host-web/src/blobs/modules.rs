//! Compiling the prepared form of an image's program.

use abi::Errno;
use js_sys::Promise;
use js_sys::WebAssembly::{self, Module};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::{Failure, Store};
use crate::js;

/// Programs from this size on take long enough to be worth a word.
const BIG: u32 = 1 << 20;

impl Store {
    /// Compiles a program that will be run soon.
    pub fn expect(&self, blob: u32) {
        let store = self.clone();
        let module = future_to_promise(async move {
            let made = store.make(blob).await;
            made.map(JsValue::from).map_err(|failure| failure.to_js())
        });
        self.0.expected.borrow_mut().push((blob, module));
    }

    /// The module of a program of the image that has a prepared form. ENOEXEC, EIO.
    pub async fn module(&self, blob: u32) -> Result<Module, Failure> {
        let mut expected = self.0.expected.borrow_mut().extract_if(.., |e| e.0 == blob).collect::<Vec<_>>();
        match expected.pop() {
            Some((_, module)) => module.await.map(JsCast::unchecked_into).map_err(|e| Failure::from_js(&e)),
            None => self.make(blob).await,
        }
    }

    async fn make(&self, blob: u32) -> Result<Module, Failure> {
        let Some(prepared) = self.prepared(blob) else {
            let text = [&self.0.table.path(blob), " has no prepared form"].concat();
            return Err(Failure::new(Errno::ENOEXEC, text));
        };
        let bytes = self.bytes(prepared).await?;
        self.compile(blob, WebAssembly::compile(&bytes), bytes.length()).await
    }

    /// Waits for the compiler, and says so.
    async fn compile(&self, blob: u32, compiling: Promise, length: u32) -> Result<Module, Failure> {
        let path = if length >= BIG { self.0.table.path(blob) } else { String::new() };
        let say = |done| {
            if length >= BIG {
                self.0.listener.progress("compile", &path, done, f64::from(length));
            }
        };
        say(0.0);
        let module = compiling.await;
        say(f64::from(length));
        let module = module.map_err(|e| {
            let text = [&self.0.table.path(blob), ": ", &*js::message(&e)].concat();
            Failure::new(Errno::ENOEXEC, text)
        })?;
        Ok(module.unchecked_into())
    }
}
