//! What comes from outside and stays: the image's blobs, compiled programs, disks.

use abi::Errno;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::blobs::Store;
use crate::cpu::Cpu;
use crate::images;

/// Blobs that are made here.
const CONFIG: u32 = abi::image::BLOB_CONFIG;
const INDEX: u32 = abi::image::BLOB_INDEX;

pub struct Storage {
    store: Store,
    /// Blob 0.
    config: Uint8Array,
    index: Uint8Array,
}

impl Storage {
    pub fn new(store: Store, config: &[u8]) -> Storage {
        Storage { index: Uint8Array::from(store.index()), config: Uint8Array::from(config), store }
    }

    /// A blob that is at hand.
    pub fn blob_now(&self, blob: u32) -> Option<Uint8Array> {
        match blob {
            CONFIG => Some(self.config.clone()),
            INDEX => Some(self.index.clone()),
            _ => self.store.try_bytes(blob),
        }
    }

    /// A blob, from wherever it is. ENOENT, EIO.
    pub async fn blob(&self, blob: u32) -> Result<Uint8Array, Errno> {
        self.store.bytes(blob).await.map_err(|e| e.errno)
    }

    /// The compiled program of a blob. One that is no program of the image's own was not prepared.
    pub async fn module(&self, blob: u32) -> Result<JsValue, String> {
        if self.store.prepared(blob).is_some() {
            return self.store.module(blob).await.map(Into::into).map_err(|e| e.text);
        }
        let bytes = self.store.bytes(blob).await.map_err(|e| e.text)?;
        self.compile(bytes).await
    }

    /// Prepares and compiles a program.
    pub async fn compile(&self, bytes: Uint8Array) -> Result<JsValue, String> {
        let key = self.store.program_key(&bytes).await;
        if let Some(key) = &key
            && let Some(prepared) = self.store.program(key).await
            && let Ok(module) = images::compile(&prepared).await
        {
            return Ok(module);
        }
        let prepared = loader::prepare(&bytes.to_vec()).map_err(|refusal| refusal.to_string())?;
        let prepared = Uint8Array::from(prepared.as_slice());
        let module = images::compile(&prepared).await?;
        if let Some(key) = &key {
            self.store.keep_program(key, &prepared);
        }
        Ok(module)
    }

    pub fn disk_rw(&self, _: &Cpu, _: u32, _: bool, _: u64, _: u32, _: u32) -> JsValue {
        (-(Errno::ENXIO as i32)).into()
    }
    pub fn disk_flush(&self, _: &Cpu, _: u32) -> JsValue {
        (-(Errno::ENXIO as i32)).into()
    }
    pub fn disk_ctl(&self, _: u32, _: u32, _: u64) -> Result<u64, Errno> {
        Err(Errno::ENXIO)
    }

    /// After boot: what no later boot will ask for is dropped from the browser's cache.
    pub fn sweep(&self) {
        let store = self.store.clone();
        wasm_bindgen_futures::spawn_local(async move { store.sweep().await });
    }
}
