//! The browser's interfaces that blobs need: fetch, streams, the Cache API, digests.
//!
//! Declared here, not taken from web-sys, because each of them may be missing or may throw where
//! the specification says it can't: in insecure contexts, in frames whose storage is blocked.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch, catch)]
    pub async fn fetch(url: &str, init: &JsValue) -> Result<Response, JsValue>;

    pub type Response;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(body: &JsValue, init: &JsValue) -> Result<Response, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, getter)]
    pub fn body(this: &Response) -> Option<Stream>;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub async fn array_buffer(this: &Response) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn text(this: &Response) -> Result<JsValue, JsValue>;

    /// `ReadableStream`.
    #[wasm_bindgen(js_name = ReadableStream)]
    pub type Stream;
    #[wasm_bindgen(method, js_name = getReader, catch)]
    pub fn reader(this: &Stream) -> Result<StreamReader, JsValue>;
    #[wasm_bindgen(method, js_name = pipeThrough, catch)]
    pub fn through(this: &Stream, transform: &JsValue) -> Result<Stream, JsValue>;
    #[wasm_bindgen(js_name = ReadableStreamDefaultReader)]
    pub type StreamReader;
    #[wasm_bindgen(method, catch)]
    pub async fn read(this: &StreamReader) -> Result<Chunk, JsValue>;
    /// What a read answers: no value when the stream has ended.
    #[wasm_bindgen(js_name = Object)]
    pub type Chunk;
    #[wasm_bindgen(method, getter)]
    pub fn value(this: &Chunk) -> Option<Uint8Array>;

    pub type DecompressionStream;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(format: &str) -> Result<DecompressionStream, JsValue>;

    #[wasm_bindgen(js_name = setInterval)]
    pub fn set_interval(f: &Function, ms: f64) -> f64;
    #[wasm_bindgen(js_name = clearInterval)]
    pub fn clear_interval(id: f64);

    pub type CacheStorage;
    #[wasm_bindgen(method, catch)]
    pub async fn open(this: &CacheStorage, name: &str) -> Result<Cache, JsValue>;
    #[derive(Clone)]
    pub type Cache;
    #[wasm_bindgen(method, catch, js_name = match)]
    pub async fn find(this: &Cache, url: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn put(this: &Cache, url: &str, response: &Response) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn delete(this: &Cache, url: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn keys(this: &Cache) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = SubtleCrypto)]
    pub type Subtle;
    #[wasm_bindgen(method, catch)]
    pub async fn digest(this: &Subtle, algorithm: &str, data: &Uint8Array) -> Result<JsValue, JsValue>;
}

/// A property of the global object that may be missing, or forbidden to look at.
pub fn global(name: &str) -> Option<JsValue> {
    let value = js_sys::Reflect::get(&js_sys::global(), &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}
