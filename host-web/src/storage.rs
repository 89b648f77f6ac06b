//! What comes from outside and stays: the image's blobs, compiled programs, disks.

use std::cell::OnceCell;
use std::rc::Rc;

use abi::Errno;
use abi::types::diskctl;
use js_sys::{Reflect, Uint8Array, WebAssembly};
use wasm_bindgen::prelude::*;

use crate::blobs::{Failure, Store};
use crate::cpu::Cpu;
use crate::disk::Disk;
use crate::hypercalls::answer;
use crate::images;
use crate::js;
use crate::kernel::instantiate;
use crate::lwp;

/// Blobs that are made here.
const CONFIG: u32 = abi::image::BLOB_CONFIG;
const INDEX: u32 = abi::image::BLOB_INDEX;

/// What an lwp waits for: its answer is that of the hypercall.
pub trait Work: Future<Output = i32> + 'static {}
impl<F: Future<Output = i32> + 'static> Work for F {}

pub struct Storage {
    store: Store,
    /// Blob 0.
    config: Uint8Array,
    index: Uint8Array,
    disk: Option<Disk>,
    /// Compiled when it was first needed.
    preparer: OnceCell<JsValue>,
}

impl Storage {
    pub fn new(store: Store, config: &[u8], disk: Option<Disk>) -> Storage {
        Storage {
            index: Uint8Array::from(store.index()),
            config: Uint8Array::from(config),
            store,
            disk,
            preparer: OnceCell::new(),
        }
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
    pub async fn module(&self, blob: u32) -> Result<JsValue, Failure> {
        if self.store.prepared(blob).is_some() {
            return self.store.module(blob).await.map(Into::into);
        }
        self.compile(&self.store.bytes(blob).await?).await
    }

    /// The blob of a file of the image, and so of its program.
    pub fn find(&self, path: &str) -> Option<u32> {
        self.store.find(path)
    }

    /// Prepares and compiles a program. ENOEXEC; ENOMEM where the engine has no room for another memory now.
    pub async fn compile(&self, bytes: &Uint8Array) -> Result<JsValue, Failure> {
        // Text is told apart here: what prepares is large and may have to be fetched.
        if bytes.subarray(0, 4).to_vec() != b"\0asm" {
            return Err(refused("not a WebAssembly module".into()));
        }
        let key = self.store.program_key(bytes).await;
        if let Some(key) = &key
            && let Some(prepared) = self.store.program(key).await
            && let Ok(module) = images::compile(&prepared).await
        {
            return Ok(module);
        }
        let prepared = self.prepare(bytes).await?;
        let module = images::compile(&prepared).await.map_err(refused)?;
        if let Some(key) = &key {
            self.store.keep_program(key, &prepared);
        }
        Ok(module)
    }

    /// What prepares is a module of its own: a page that only runs the image's programs never fetches it.
    async fn prepare(&self, program: &Uint8Array) -> Result<Uint8Array, Failure> {
        let module = match self.preparer.get() {
            Some(module) => module,
            None => {
                let missing = || refused("this page has nothing that prepares programs".into());
                let blob = self.store.preparer().ok_or_else(missing)?;
                let bytes = self.store.bytes(blob).await?;
                let module = images::compile(&bytes).await.map_err(refused)?;
                self.preparer.get_or_init(|| module)
            }
        };
        match prepared_by(module, program) {
            Ok(prepared) => prepared.map_err(refused),
            Err(e) if lwp::is_no_room(&e) => Err(Failure::new(Errno::ENOMEM, js::message(&e))),
            Err(e) => Err(refused(js::message(&e))),
        }
    }

    /// Disks that are there, and whether each may be written to.
    pub fn disks(disk: Option<&Disk>) -> Vec<Option<bool>> {
        let Some(disk) = disk else { return Vec::new() };
        let writable = |flags| flags & u64::from(diskctl::READ_ONLY) == 0;
        (0..disk.units()).map(|unit| disk.ctl(unit, diskctl::FLAGS, 0).ok().map(writable)).collect()
    }

    pub fn disk_rw(&self, cpu: &Rc<Cpu>, unit: u32, write: bool, off: u64, ptr: u32, len: u32) -> JsValue {
        match cpu.kmem.range(ptr, len).and_then(|range| self.transfer(unit, write, off, range)) {
            Ok(work) => cpu.await_host(work),
            Err(e) => answer(Err(e)).into(),
        }
    }

    /// Moves bytes between a disk and the kernel's memory. What is awaited answers as the hypercall does.
    pub fn transfer(&self, unit: u32, write: bool, off: u64, range: Uint8Array) -> Result<impl Work, Errno> {
        let disk = self.disk.clone().ok_or(Errno::ENXIO)?;
        Ok(async move {
            let len = range.length();
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
        match self.flush(unit) {
            Ok(work) => cpu.await_host(work),
            Err(e) => answer(Err(e)).into(),
        }
    }

    /// As [`Storage::transfer`].
    pub fn flush(&self, unit: u32) -> Result<impl Work, Errno> {
        let disk = self.disk.clone().ok_or(Errno::ENXIO)?;
        Ok(async move { answer(disk.flush(unit).await.map(|()| 0)) })
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

fn refused(text: String) -> Failure {
    Failure::new(Errno::ENOEXEC, text)
}

/// Runs an instance of `host-web/prepare` on a program: the prepared form, or why it was refused.
fn prepared_by(module: &JsValue, program: &Uint8Array) -> Result<Result<Uint8Array, String>, JsValue> {
    // Thrown away with its memory: what a compiler's size took is not kept.
    let exports = instantiate(module, &js::object(&[]))?;
    let call = |name: &str, args: &[u32]| -> Result<u32, JsValue> {
        let args = args.iter().map(|&n| JsValue::from(n)).collect();
        let answer = Reflect::apply(&js::function(&exports, name)?, &JsValue::UNDEFINED, &args)?;
        // An i32, whatever it means.
        Ok(answer.as_f64().unwrap_or_default() as i32 as u32)
    };
    let view = |at, length| {
        let memory: WebAssembly::Memory = js::get(&exports, "memory").unchecked_into();
        Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), at, length)
    };
    let length = program.length();
    view(call("room", &[length])?, length).set(program, 0);
    let made = call("prepare", &[])? == 1;
    let answer = view(call("at", &[])?, call("len", &[])?);
    Ok(if made { Ok(answer.slice(0, answer.length())) } else { Err(String::from_utf8_lossy(&answer.to_vec()).into()) })
}
