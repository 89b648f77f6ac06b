//! The modules of host-web that fetch and store, under a surface that a test page can call.

#[path = "../../../src/js.rs"]
#[allow(dead_code)]
pub mod js;

#[path = "../../../src/blobs/mod.rs"]
pub mod blobs;

#[path = "../../../src/disk/mod.rs"]
pub mod disk;

use std::rc::Rc;

use blobs::{Failure, Listener, Store};
use disk::Disk;
use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

/// Tells a JavaScript function.
struct Told(Function);

impl Listener for Told {
    fn progress(&self, what: &'static str, title: &str, done: f64, total: f64) {
        let of = js::object(&[
            ("what", &what.into()),
            ("title", &title.into()),
            ("done", &done.into()),
            ("total", &total.into()),
        ]);
        let _ = self.0.call1(&JsValue::NULL, &of);
    }
    fn notice(&self, text: &str) {
        let _ = self.0.call1(&JsValue::NULL, &text.into());
    }
}

fn error(f: Failure) -> JsValue {
    js_sys::Error::new(&[f.errno.name(), ": ", &f.text].concat()).into()
}

#[wasm_bindgen]
pub struct TestStore(Store);

#[wasm_bindgen]
pub async fn open_store(base: String, told: Function) -> Result<TestStore, JsValue> {
    Store::open(&base, Rc::new(Told(told))).await.map(TestStore).map_err(error)
}

#[wasm_bindgen]
impl TestStore {
    pub fn index(&self) -> Vec<u8> {
        self.0.index().to_vec()
    }
    pub fn prepared(&self, blob: u32) -> Option<u32> {
        self.0.prepared(blob)
    }
    pub fn try_bytes(&self, blob: u32) -> Option<Uint8Array> {
        self.0.try_bytes(blob)
    }
    pub async fn bytes(&self, blob: u32) -> Result<Uint8Array, JsValue> {
        self.0.bytes(blob).await.map_err(error)
    }
    pub async fn module(&self, blob: u32) -> Result<JsValue, JsValue> {
        self.0.module(blob).await.map(JsValue::from).map_err(error)
    }
    /// What was kept of a program, after which `prepared` is kept.
    pub async fn program(&self, original: Uint8Array, prepared: Uint8Array) -> Option<Uint8Array> {
        let key = self.0.program_key(&original).await?;
        let kept = self.0.program(&key).await;
        self.0.keep_program(&key, &prepared);
        kept
    }
    pub async fn sweep(&self) {
        self.0.sweep().await;
    }
}

#[wasm_bindgen]
pub struct TestDisk(Disk);

#[wasm_bindgen]
pub async fn connect(port: web_sys::MessagePort) -> TestDisk {
    TestDisk(Disk::connect(port).await)
}

#[wasm_bindgen]
pub async fn persist() -> bool {
    disk::persist().await
}

fn name(e: abi::Errno) -> JsValue {
    js_sys::Error::new(e.name()).into()
}

#[wasm_bindgen]
impl TestDisk {
    pub fn units(&self) -> u32 {
        self.0.units()
    }
    pub fn notice(&self) -> Option<String> {
        self.0.notice().map(Into::into)
    }
    pub async fn read(&self, unit: u32, offset: f64, length: u32) -> Result<Uint8Array, JsValue> {
        self.0.read(unit, offset as u64, length).await.map_err(name)
    }
    pub async fn write(&self, unit: u32, offset: f64, bytes: Uint8Array) -> Result<(), JsValue> {
        self.0.write(unit, offset as u64, bytes).await.map_err(name)
    }
    pub async fn flush(&self, unit: u32) -> Result<(), JsValue> {
        self.0.flush(unit).await.map_err(name)
    }
    pub fn ctl(&self, unit: u32, cmd: u32, arg: f64) -> Result<f64, JsValue> {
        self.0.ctl(unit, cmd, arg as u64).map(|v| v as f64).map_err(name)
    }
}
