//! Blobs: the contents of the image's files, fetched when somebody first needs them.
//!
//! A [`Store`] knows where each blob is (a *pack*, a gzip file that holds several) and keeps the
//! packs that were needed last, unpacked, as JavaScript arrays outside our own memory. What is not
//! in memory comes from the browser's cache, else from the network ([`fetch`]). Nothing is handed
//! out before the SHA-256 of its pack was compared with the pack's name. The manifest names the index, which is a pack,
//! and says which packs its numbers mean: so each blob is the one that the image was made with, and needs no digest of
//! its own, which every program and file that a prompt waits for would wait for.
//!
//! Each worker may have a store of its own; they share what was fetched through the cache.
//! A store lives as long as its worker.

mod cache;
mod fetch;
mod hash;
mod manifest;
mod modules;
mod open;
mod packs;
mod programs;
mod table;
mod web;

use std::cell::RefCell;
use std::rc::Rc;

use abi::Errno;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use cache::Cache;
use packs::Packs;
use table::Table;

use crate::js;

/// Who is told how it goes.
pub trait Listener {
    /// `what` is "fetch" or "compile"; it is over when `done` is `total`.
    fn progress(&self, what: &'static str, title: &str, done: f64, total: f64);
    /// Something that a person should know.
    fn notice(&self, text: &str);
}

/// Why a blob can't be had: a number for programs and a sentence for people.
#[derive(Clone, Debug)]
pub struct Failure {
    pub errno: Errno,
    pub text: String,
}

impl Failure {
    pub fn new(errno: Errno, text: String) -> Failure {
        Failure { errno, text }
    }

    /// As what a promise is rejected with.
    fn to_js(&self) -> JsValue {
        js::object(&[("errno", &(self.errno as u32).into()), ("message", &self.text.as_str().into())]).into()
    }
    fn from_js(e: &JsValue) -> Failure {
        let errno = Errno::from_raw(js::number(e, "errno") as u32).unwrap_or(Errno::EIO);
        Failure::new(errno, js::message(e))
    }
}

/// `Clone` gives another name of the same one.
#[derive(Clone)]
pub struct Store(Rc<Inner>);

struct Inner {
    cache: Cache,
    listener: Rc<dyn Listener>,
    manifest: JsValue,
    table: Table,
    packs: Packs,
    /// Of the modules of programs that are expected to be run.
    expected: RefCell<Vec<(u32, Promise)>>,
}

impl Store {
    /// The kernel's blob 1.
    pub fn index(&self) -> &[u8] {
        self.0.table.index()
    }

    /// The blob of a program of the image.
    pub fn find(&self, path: &str) -> Option<u32> {
        self.0.table.find(path).filter(|&blob| self.prepared(blob).is_some())
    }

    /// The blob with the prepared form of a program.
    pub fn prepared(&self, blob: u32) -> Option<u32> {
        self.0.table.slot(blob).map(|slot| slot.prepared).filter(|&blob| blob != 0)
    }

    /// The contents if they are in memory. A view: not to be written to.
    pub fn try_bytes(&self, blob: u32) -> Option<Uint8Array> {
        let slot = self.0.table.slot(blob)?;
        if slot.length == 0 {
            return Some(Uint8Array::new_with_length(0));
        }
        view(&self.0.packs.in_memory(slot.pack)?, &slot)
    }

    /// The blob with the module that prepares programs (`host-web/prepare`).
    pub fn preparer(&self) -> Option<u32> {
        js::get(&self.0.manifest, "preparer").as_f64().map(|nr| nr as u32)
    }

    /// The contents, from wherever they are. A view: not to be written to. ENOENT, EIO.
    pub async fn bytes(&self, blob: u32) -> Result<Uint8Array, Failure> {
        if let Some(bytes) = self.try_bytes(blob) {
            return Ok(bytes);
        }
        let Some(slot) = self.0.table.slot(blob) else {
            return Err(Failure::new(Errno::ENOENT, ["there is no blob ", &blob.to_string()].concat()));
        };
        let pack = Packs::wait(self.0.packs.get(slot.pack as usize)).await?.unchecked_into();
        view(&pack, &slot).ok_or_else(|| self.damaged(blob))
    }

    fn damaged(&self, blob: u32) -> Failure {
        let title = self.0.table.slot(blob).map_or("", |slot| self.0.packs.title(slot.pack as usize));
        let text = [&self.0.table.path(blob), " in ", title, " is not where the image says: refused"];
        Failure::new(Errno::EIO, text.concat())
    }
}

/// A blob in its pack; `None` when the table is wrong about it.
fn view(pack: &Uint8Array, slot: &table::Slot) -> Option<Uint8Array> {
    let end = slot.offset.checked_add(slot.length).filter(|&end| end <= pack.length())?;
    Some(pack.subarray(slot.offset, end))
}
