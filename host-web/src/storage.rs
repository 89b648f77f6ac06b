//! What comes from outside and stays: the image's blobs, compiled programs, disks.

use std::rc::Rc;

use abi::Errno;
use abi::types::diskctl;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::blobs::Store;
use crate::cpu::Cpu;
use crate::disk::Disk;
use crate::hypercalls::answer;
use crate::images;

/// Blobs that are made here.
const CONFIG: u32 = abi::image::BLOB_CONFIG;
const INDEX: u32 = abi::image::BLOB_INDEX;

pub struct Storage {
    store: Store,
    /// Blob 0.
    config: Uint8Array,
    index: Uint8Array,
    disk: Option<Disk>,
}

impl Storage {
    pub fn new(store: Store, config: &[u8], disk: Option<Disk>) -> Storage {
        Storage { index: Uint8Array::from(store.index()), config: Uint8Array::from(config), store, disk }
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

    /// Disks that are there, and whether each may be written to.
    pub fn disks(disk: Option<&Disk>) -> Vec<Option<bool>> {
        let Some(disk) = disk else { return Vec::new() };
        let writable = |flags| flags & u64::from(diskctl::READ_ONLY) == 0;
        (0..disk.units()).map(|unit| disk.ctl(unit, diskctl::FLAGS, 0).ok().map(writable)).collect()
    }

    pub fn disk_rw(&self, cpu: &Rc<Cpu>, unit: u32, write: bool, off: u64, ptr: u32, len: u32) -> JsValue {
        let (disk, range) = match (self.disk.clone(), cpu.kmem.range(ptr, len)) {
            (Some(disk), Ok(range)) => (disk, range),
            (None, _) => return answer(Err(Errno::ENXIO)).into(),
            (_, Err(e)) => return answer(Err(e)).into(),
        };
        cpu.await_host(async move {
            let done = if write {
                // A copy: the kernel's memory cannot be given away.
                let bytes = Uint8Array::new_with_length(len);
                bytes.set(&range, 0);
                disk.write(unit, off, bytes).await
            } else {
                disk.read(unit, off, len).await.map(|bytes| {
                    range.set(&bytes, 0);
                })
            };
            answer(done.map(|()| len))
        })
    }

    pub fn disk_flush(&self, cpu: &Rc<Cpu>, unit: u32) -> JsValue {
        let Some(disk) = self.disk.clone() else { return answer(Err(Errno::ENXIO)).into() };
        cpu.await_host(async move { answer(disk.flush(unit).await.map(|()| 0)) })
    }

    pub fn disk_ctl(&self, unit: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        self.disk.as_ref().ok_or(Errno::ENXIO)?.ctl(unit, cmd, arg)
    }

    /// After boot: what no later boot will ask for is dropped from the browser's cache.
    pub fn sweep(&self) {
        let store = self.store.clone();
        wasm_bindgen_futures::spawn_local(async move { store.sweep().await });
    }
}
