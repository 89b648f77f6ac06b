//! What js-sys does not have: JSPI, and a few calls that are on the way of every switch between lwps.

use js_sys::{Array, Function, Int32Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `WebAssembly.promising(f)`: a function that runs `f` on a stack of its own, for a promise of its result.
    #[wasm_bindgen(js_namespace = WebAssembly, catch)]
    pub fn promising(f: &Function) -> Result<Function, JsValue>;

    /// `new WebAssembly.Suspending(f)`: as an import it suspends the calling stack until the promise
    /// that `f` answers is settled; anything else that `f` answers is the result at once.
    #[wasm_bindgen(js_namespace = WebAssembly)]
    pub type Suspending;
    #[wasm_bindgen(constructor, js_namespace = WebAssembly, catch)]
    pub fn new(f: &JsValue) -> Result<Suspending, JsValue>;

    /// `Promise.withResolvers()`.
    pub type Resolvers;
    #[wasm_bindgen(js_namespace = Promise, js_name = withResolvers)]
    pub fn with_resolvers() -> Resolvers;
    #[wasm_bindgen(method, getter)]
    pub fn promise(this: &Resolvers) -> Promise;
    #[wasm_bindgen(method, getter)]
    pub fn resolve(this: &Resolvers) -> Resolve;
    #[wasm_bindgen(method, getter)]
    pub fn reject(this: &Resolvers) -> Resolve;

    /// The function that settles a promise.
    #[derive(Clone)]
    pub type Resolve;
    #[wasm_bindgen(method, js_name = call)]
    fn call_i32(this: &Resolve, this_arg: &JsValue, value: i32);
    #[wasm_bindgen(method, js_name = call)]
    fn call_value(this: &Resolve, this_arg: &JsValue, value: &JsValue);

    /// `WebAssembly.Table`, whose slots may be emptied.
    pub type Table;
    #[wasm_bindgen(method, js_name = set, catch)]
    pub fn clear(this: &Table, index: u32, null: &JsValue) -> Result<(), JsValue>;

    /// A promise of which only the success is of interest.
    pub type Thenable;
    #[wasm_bindgen(method)]
    pub fn then(this: &Thenable, f: &Function);

    #[derive(Clone)]
    pub type AbortController;
    #[wasm_bindgen(constructor)]
    pub fn new() -> AbortController;
    #[wasm_bindgen(method, getter)]
    pub fn signal(this: &AbortController) -> JsValue;
    #[wasm_bindgen(method)]
    pub fn abort(this: &AbortController);

    // `Atomics`, for an index that is in bounds of an array of integers: these cannot throw. Those of js-sys may, so each
    // call of them goes through a function with a `try` and its arguments in a list.
    #[wasm_bindgen(js_namespace = Atomics, js_name = load)]
    pub fn atomic_load(words: &Int32Array, index: u32) -> i32;
    #[wasm_bindgen(js_namespace = Atomics, js_name = store)]
    pub fn atomic_store(words: &Int32Array, index: u32, value: i32);
    #[wasm_bindgen(js_namespace = Atomics, js_name = add)]
    pub fn atomic_add(words: &Int32Array, index: u32, value: i32) -> i32;
    #[wasm_bindgen(js_namespace = Atomics, js_name = exchange)]
    pub fn atomic_exchange(words: &Int32Array, index: u32, value: i32) -> i32;

    #[wasm_bindgen(js_name = queueMicrotask)]
    pub fn queue_microtask(f: &Function);
    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(f: &Function, ms: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(id: f64);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub fn now_ms() -> f64;
    #[wasm_bindgen(js_namespace = performance, js_name = timeOrigin, thread_local_v2)]
    pub static TIME_ORIGIN: f64;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    pub fn random_values(to: &js_sys::Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = String)]
    fn string(of: &JsValue) -> String;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub fn log_error(text: &str);
}

impl Resolve {
    pub fn number(&self, value: i32) {
        self.call_i32(&JsValue::UNDEFINED, value);
    }
    pub fn value(&self, value: &JsValue) {
        self.call_value(&JsValue::UNDEFINED, value);
    }
}

/// So many zero bytes, if the engine has room.
pub fn bytes(length: u32) -> Result<Uint8Array, JsValue> {
    let constructor: Function = get(&js_sys::global(), "Uint8Array").unchecked_into();
    Reflect::construct(&constructor, &Array::of1(&length.into())).map(JsCast::unchecked_into)
}

/// Engines collect garbage when much of it was made: this makes much, without touching it.
pub fn want_collection() {
    for _ in 0..4 {
        let _ = bytes(256 << 20);
    }
}

/// A promise that is kept after so long, and never broken.
pub fn timer(ms: f64) -> Promise {
    Promise::new(&mut |resolve, _| _ = set_timeout(&resolve, ms))
}

/// Waits for so long.
pub async fn sleep(ms: f64) {
    let _ = timer(ms).await;
}

/// A property that is there by contract: `undefined` when it isn't.
pub fn get(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// An exported function.
pub fn function(of: &JsValue, name: &str) -> Result<Function, JsValue> {
    get(of, name).dyn_into().map_err(|_| JsError::new(&format!("no function {name}")).into())
}

/// An object of these properties.
pub fn object(properties: &[(&str, &JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        // A plain object takes any property.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// What an exception says.
pub fn message(e: &JsValue) -> String {
    match get(e, "message").as_string() {
        Some(text) => text,
        None => string(e),
    }
}

/// A number that an object holds, or 0.
pub fn number(of: &JsValue, name: &str) -> f64 {
    get(of, name).as_f64().unwrap_or(0.0)
}
