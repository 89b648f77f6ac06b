//! An instance of the stub: a program's imports, and why user code was left.
//!
//! It serves one lwp after another. The objects of a program's imports are made once: they hold every call that there is.

use js_sys::{Function, Object, Reflect, WebAssembly};
use wasm_bindgen::prelude::*;

use crate::js;
use crate::kernel::instantiate;

/// A property that says what it holds.
const VALUE: &str = "value";

pub struct Stub {
    lwp: JsValue,
    state: JsValue,
    pages: JsValue,
    /// For the program's `__vk_signal`; and the entry point after a fault.
    handler: JsValue,
    deliver: JsValue,
    /// What a program may import, by module.
    imports: Object,
}

impl Stub {
    /// `module` is a `loader::web_stub_module`; the rest are its imports, `kernel` the exports of an instance of it.
    pub fn new(module: &JsValue, kernel: &JsValue, bell: &JsValue, preempt: &JsValue) -> Result<Stub, JsValue> {
        let descriptor = js::object(&[(VALUE, &"i32".into()), ("mutable", &JsValue::TRUE)]);
        let lwp: JsValue = WebAssembly::Global::new(&descriptor, &0.into())?.into();
        let (trap, signal) = (js::get(kernel, "trap"), js::get(kernel, "signal"));
        let k = js::object(&[("trap", &trap), ("signal", &signal), ("lwp", &lwp)]);
        let vk = js::object(&[("bell", bell), ("preempt", preempt)]);
        let stub = instantiate(module, &js::object(&[("k", &k), ("vk", &vk)]))?;
        let imports = imports(&stub)?;
        let get = |name| js::get(&stub, name);
        let (state, pages, handler, deliver) = (get("state"), get("pages"), get("handler"), get("deliver"));
        Ok(Stub { lwp, state, pages, handler, deliver, imports })
    }

    /// Whose calls these are from now on.
    pub fn set_lwp(&self, lwp: u32) {
        // A mutable global takes any i32.
        let _ = Reflect::set(&self.lwp, &VALUE.into(), &(lwp as i32).into());
    }

    /// What calls the signal handlers of the program with these exports; none for no program.
    pub fn set_handler(&self, exports: &JsValue) {
        let handler = match exports.is_undefined() {
            true => JsValue::NULL,
            false => js::get(exports, abi::trapframe::HANDLER_EXPORT),
        };
        let handler = if handler.is_function() { handler } else { JsValue::NULL };
        let table: &js::Table = self.handler.unchecked_ref();
        // A table of functions takes an exported one, and null.
        let _ = table.clear(0, &handler);
    }

    /// Whether the program has one.
    pub fn has_handler(&self) -> bool {
        let table: &WebAssembly::Table = self.handler.unchecked_ref();
        table.get(0).is_ok_and(|f| f.is_function())
    }

    /// The entry point after a fault.
    pub fn deliver(&self) -> &Function {
        self.deliver.unchecked_ref()
    }

    /// So many pages the program's memories may have, all together.
    pub fn set_limit(&self, pages: u32) {
        let _ = Reflect::set(&self.pages, &VALUE.into(), &(pages as i32).into());
    }

    /// Why user code was left.
    pub fn state(&self) -> i32 {
        js::number(&self.state, VALUE) as i32
    }

    /// User code is about to run.
    pub fn reset(&self) {
        let _ = Reflect::set(&self.state, &VALUE.into(), &0.into());
    }

    /// The imports of a program; with the memory that it imports besides, if it does.
    pub fn imports(&self, memory: Option<(&str, &str, &JsValue)>) -> Object {
        let Some((module, name, memory)) = memory else { return self.imports.clone() };
        let copy = |of: &JsValue| match of.dyn_ref::<Object>() {
            Some(of) => Object::assign(&Object::new(), of),
            None => Object::new(),
        };
        let imports = copy(&self.imports);
        let with_memory = copy(&js::get(&imports, module));
        let _ = Reflect::set(&with_memory, &name.into(), memory);
        let _ = Reflect::set(&imports, &module.into(), &with_memory);
        imports
    }
}

/// The stub's exports, sorted into the modules that programs know.
fn imports(stub: &JsValue) -> Result<Object, JsValue> {
    let vk = js::object(&[("check", &js::get(stub, "check")), ("limit", &js::get(stub, "limit"))]);
    let imports = js::object(&[("vk", &vk)]);
    for export in Object::keys(stub.unchecked_ref::<Object>()) {
        let export = export.as_string().unwrap_or_default();
        let Some((module, name)) = export.split_once(':') else { continue };
        let mut of = js::get(&imports, module);
        if of.is_undefined() {
            of = Object::new().into();
            Reflect::set(&imports, &module.into(), &of)?;
        }
        Reflect::set(&of, &name.into(), &js::get(stub, &export))?;
    }
    Ok(imports)
}
