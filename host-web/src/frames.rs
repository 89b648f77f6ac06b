//! Where a program was when it was left: the functions on its stack, for the kernel's core dumps.
//!
//! An engine tells them in the text of the error that took the program off its stack, which it makes only when
//! somebody looks: `wasm-function[12]` in each line of a frame. What engine it is shows in the rest of the line: V8 writes
//! `(wasm://wasm/1a2b3c4d:wasm-function[12]:0x34)`, with a name for each module; SpiderMonkey and JavaScriptCore name no module.

use std::cell::{Cell, RefCell};

use js_sys::{Array, Reflect, Uint8Array, WebAssembly};
use loader::Origins;
use wasm_bindgen::prelude::*;

use crate::js;

/// Frames that engines are to keep of an error. V8's own choice is 10.
const FRAMES: u32 = 48;
const MARK: &str = "wasm-function[";

/// What is kept until the kernel asks.
#[derive(Default)]
pub struct Left {
    /// Whether the kernel reaches the program's memory.
    reached: Cell<bool>,
    by: RefCell<Option<JsValue>>,
    /// The stub took the program off its stack, and is its innermost frame.
    by_stub: Cell<bool>,
}

impl Left {
    /// The kernel reaches the memory of a program that is to run; or it doesn't any more, or not yet.
    pub fn reach(&self, reached: bool) {
        self.reached.set(reached);
        self.by.take();
    }

    pub fn by(&self, error: &JsValue, by_stub: bool) {
        self.by.replace(Some(error.clone()));
        self.by_stub.set(by_stub);
    }

    /// The functions as the file of the program numbers them; `None` where its memory can't be reached.
    pub fn frames(&self, module: Option<&JsValue>) -> Option<Vec<u32>> {
        if !self.reached.get() {
            return None;
        }
        let stack = self.by.borrow().as_ref().map(|error| js::get(error, "stack"));
        let stack = stack.and_then(|stack| stack.as_string()).unwrap_or_default();
        let origins = module.map(origins).unwrap_or_default();
        Some(functions(&stack, self.by_stub.get()).into_iter().filter_map(|f| origins.of(f)).collect())
    }
}

/// What the loader has left in a prepared program.
fn origins(module: &JsValue) -> Origins {
    let sections: Array =
        WebAssembly::Module::custom_sections(module.unchecked_ref(), loader::ORIGINS).unchecked_into();
    match sections.get(0) {
        none if none.is_undefined() => Origins::default(),
        section => Origins::read(&Uint8Array::new(&section).to_vec()),
    }
}

/// Has the engine keep more frames than it would, if it is one that can be told.
pub fn keep_more() {
    let error = js::get(&js_sys::global(), "Error");
    if js::get(&error, "stackTraceLimit").as_f64().is_some() {
        let _ = Reflect::set(&error, &"stackTraceLimit".into(), &FRAMES.into());
    }
}

/// The numbers of the program's functions in the text of a stack, the innermost first.
fn functions(stack: &str, by_stub: bool) -> Vec<u32> {
    let mut frames: Vec<(&str, u32)> = stack.lines().filter_map(frame).collect();
    if by_stub && let Some(&(stub, _)) = frames.first() {
        // As many as are the stub's; one, where that can't be seen.
        let own = frames.iter().take_while(|frame| frame.0 == stub).count();
        frames.drain(..if own < frames.len() { own } else { 1 });
    }
    let Some(&(program, _)) = frames.first() else { return Vec::new() };
    frames.iter().filter(|frame| frame.0 == program).map(|frame| frame.1).collect()
}

/// What a line says of the module, and the function's number.
fn frame(line: &str) -> Option<(&str, u32)> {
    let at = line.rfind(MARK)?;
    let number = line[at + MARK.len()..].split(']').next()?.parse().ok()?;
    let module = line[..at].rfind("wasm://").map_or("", |from| &line[from..at]);
    Some((module, number))
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn frames_are_read_from_the_stacks_of_each_engine() {
        let v8 = "RuntimeError: unreachable
    at wasm://wasm/00aa:wasm-function[41]:0x17b
    at abort (wasm://wasm/libc-00bb:wasm-function[7]:0x10)
    at wasm://wasm/libc-00bb:wasm-function[300]:0x20
    at http://localhost/worker.js:3:7
    at wasm://wasm/libc-00bb:wasm-function[2]:0x20";
        assert_eq!(functions(v8, true), [7, 300, 2]);
        assert_eq!(functions(v8, false), [41]);
        let mozilla = "wasm-function[41]@http://x/w.js line 3 > WebAssembly.Module:wasm-function[41]:0x17b
wasm-function[7]@http://x/w.js line 3 > WebAssembly.Module:wasm-function[7]:0x1
run@http://x/w.js:3:7
";
        assert_eq!((functions(mozilla, true), functions(mozilla, false)), (vec![7], vec![41, 7]));
        assert_eq!(functions("", true), []);
        assert_eq!(functions("at wasm-function[x]\nat wasm-function[", false), []);
    }
}
