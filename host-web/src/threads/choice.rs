//! Which machine an engine gets: lwps as stacks, lwps as threads, or none.

use js_sys::{Uint8Array, WebAssembly};

use crate::js;

/// `(module (memory 1) (memory 1))`
const TWO_MEMORIES: [u8; 15] = [0, b'a', b's', b'm', 1, 0, 0, 0, 5, 5, 2, 0, 1, 0, 1];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An lwp is a JSPI stack, a CPU a worker.
    Stacks,
    /// An lwp has a worker.
    Threads,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Stacks => "stacks",
            Kind::Threads => "threads",
        }
    }
}

fn has_jspi() -> bool {
    let wasm = js::get(&js_sys::global(), "WebAssembly");
    js::function(&wasm, "Suspending").is_ok() && js::function(&wasm, "promising").is_ok()
}

/// How many threads to make. The engines that get them on their own account have room for thousands of memories. In Chromium,
/// where somebody has asked for them, there is room for 124 in all, and each thread has the host's and its program's.
pub fn threads_max() -> u32 {
    if has_jspi() { 48 } else { super::board::THREADS_MAX }
}

fn has_multi_memory() -> bool {
    WebAssembly::validate(&Uint8Array::from(&TWO_MEMORIES[..])) == Ok(true)
}

/// The machine for this page, or the sentence that says why there is none. `asked` is the boot option `machine`, for tests.
pub fn choose(asked: Option<&str>, isolated: bool) -> Result<Kind, String> {
    let (jspi, memories) = (has_jspi(), has_multi_memory());
    let shared = isolated && js::function(&js_sys::global(), "SharedArrayBuffer").is_ok();
    match asked {
        Some("stacks") if jspi && memories => return Ok(Kind::Stacks),
        Some("threads") if shared => return Ok(Kind::Threads),
        None if jspi && memories => return Ok(Kind::Stacks),
        None if shared => return Ok(Kind::Threads),
        None | Some("stacks" | "threads") => {}
        Some(other) => return Err(format!("there is no machine \"{other}\": say \"stacks\" or \"threads\"")),
    }
    let lacks = match (jspi, memories) {
        (true, true) => "",
        (true, false) => " without WebAssembly multi-memory",
        (false, true) => " without JavaScript Promise Integration (JSPI)",
        (false, false) => " without JavaScript Promise Integration (JSPI) and WebAssembly multi-memory",
    };
    Err(match (isolated, shared) {
        (true, true) => format!("Stacks cannot be had in a browser{lacks}."),
        (true, false) => format!("A browser{lacks} can run this only with SharedArrayBuffer, which this one has not."),
        (false, _) => format!(
            "A browser{lacks} can run this only in a page that is cross-origin isolated: \
             in a tab of its own, from a server that sends COOP and COEP headers."
        ),
    })
}
