//! The browser's interfaces that disks need. Declared here, not taken from web-sys, because any of
//! them may be missing or may throw: in private windows, in frames, in insecure contexts.

use abi::Errno;
use js_sys::{Array, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::js::get;

#[wasm_bindgen]
extern "C" {
    pub type StorageManager;
    #[wasm_bindgen(method, catch, js_name = getDirectory)]
    pub async fn directory(this: &StorageManager) -> Result<Directory, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn estimate(this: &StorageManager) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn persist(this: &StorageManager) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = FileSystemDirectoryHandle)]
    #[derive(Clone)]
    pub type Directory;
    #[wasm_bindgen(method, catch, js_name = getDirectoryHandle)]
    pub async fn directory(this: &Directory, name: &str, options: &JsValue) -> Result<Directory, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    pub async fn file(this: &Directory, name: &str, options: &JsValue) -> Result<FileHandle, JsValue>;

    #[wasm_bindgen(js_name = FileSystemFileHandle)]
    pub type FileHandle;
    /// Throws where it is missing.
    #[wasm_bindgen(method, catch, js_name = createSyncAccessHandle)]
    pub fn open(this: &FileHandle) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createWritable)]
    pub async fn writable(this: &FileHandle, options: &JsValue) -> Result<Writable, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getFile)]
    pub async fn file(this: &FileHandle) -> Result<Blob, JsValue>;

    #[wasm_bindgen(js_name = FileSystemSyncAccessHandle)]
    pub type SyncHandle;
    #[wasm_bindgen(method, catch)]
    pub fn read(this: &SyncHandle, to: &Uint8Array, options: &JsValue) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn write(this: &SyncHandle, from: &Uint8Array, options: &JsValue) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn flush(this: &SyncHandle) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn truncate(this: &SyncHandle, size: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = getSize)]
    pub fn size(this: &SyncHandle) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn close(this: &SyncHandle) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = FileSystemWritableFileStream)]
    pub type Writable;
    #[wasm_bindgen(method, catch)]
    pub async fn write(this: &Writable, command: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn truncate(this: &Writable, size: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn close(this: &Writable) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn abort(this: &Writable) -> Result<JsValue, JsValue>;

    #[derive(Clone)]
    pub type Blob;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(parts: &Array) -> Result<Blob, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn size(this: &Blob) -> f64;
    #[wasm_bindgen(method)]
    pub fn slice(this: &Blob, from: f64, to: f64) -> Blob;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub async fn array_buffer(this: &Blob) -> Result<JsValue, JsValue>;

    pub type LockManager;
    #[wasm_bindgen(method, catch)]
    pub fn request(this: &LockManager, name: &str, options: &JsValue, held: &Function) -> Result<Promise, JsValue>;

    #[derive(Clone)]
    pub type BroadcastChannel;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(name: &str) -> Result<BroadcastChannel, JsValue>;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    pub fn post(this: &BroadcastChannel, message: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, setter)]
    pub fn set_onmessage(this: &BroadcastChannel, f: &Function);
    #[wasm_bindgen(method)]
    pub fn close(this: &BroadcastChannel);
}

/// A property of `navigator`; `None` also where asking for it throws.
pub fn navigator(name: &str) -> Option<JsValue> {
    let value = get(&get(&js_sys::global(), "navigator"), name);
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

pub fn storage() -> Option<StorageManager> {
    navigator("storage").map(JsCast::unchecked_into)
}

/// What a program is told of an exception.
pub fn errno(e: &JsValue) -> Errno {
    match super::text(&get(e, "name")).as_str() {
        "QuotaExceededError" => Errno::ENOSPC,
        _ => Errno::EIO,
    }
}
