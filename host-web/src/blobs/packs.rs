//! Packs: gzip files that hold several blobs one after the other.
//!
//! A pack is absent, on its way (a promise that all who want it share) or unpacked. Of the unpacked
//! ones those used last are kept, up to [`KEEP_BYTES`]; the others are unpacked again when needed,
//! from the browser's cache. Blobs are views of a pack's array, so that it stays while one is used.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::Errno;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::cache::Cache;
use super::fetch::Transfer;
use super::manifest::Pack;
use super::web::{DecompressionStream, Response};
use super::{Failure, Listener, hash};
use crate::js;

/// Unpacked packs in memory, but for the one used last: it may be larger.
const KEEP_BYTES: f64 = 160e6;
/// A pack's name is this much of its SHA-256.
const NAME_BYTES: usize = 16;

#[derive(Clone)]
pub struct Packs(Rc<Inner>);

struct Inner {
    base: String,
    cache: Cache,
    listener: Rc<dyn Listener>,
    packs: Vec<Pack>,
    states: RefCell<Vec<State>>,
    /// Counts uses.
    clock: Cell<u32>,
}

#[derive(Clone, Default)]
struct State {
    unpacked: Option<Uint8Array>,
    /// When it was used last.
    used: u32,
    loading: Option<Promise>,
}

impl Packs {
    pub fn new(base: &str, cache: Cache, listener: Rc<dyn Listener>, packs: Vec<Pack>) -> Packs {
        let states = RefCell::new(vec![State::default(); packs.len()]);
        Packs(Rc::new(Inner { base: base.into(), cache, listener, packs, states, clock: Cell::new(0) }))
    }

    pub fn title(&self, nr: usize) -> &str {
        self.0.packs.get(nr).map_or("", |pack| &pack.title)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.packs.iter().map(|pack| &*pack.name)
    }

    /// A pack if it is in memory.
    pub fn in_memory(&self, nr: u32) -> Option<Uint8Array> {
        let mut states = self.0.states.borrow_mut();
        let state = states.get_mut(nr as usize)?;
        let unpacked = state.unpacked.clone()?;
        state.used = self.0.tick();
        Some(unpacked)
    }

    /// A promise of a pack, for [`Packs::wait`].
    pub fn get(&self, nr: usize) -> Promise {
        if let Some(unpacked) = self.in_memory(nr as u32) {
            return Promise::resolve(&JsValue::from(unpacked));
        }
        self.load(nr)
    }

    /// What such a promise comes to.
    pub async fn wait(promise: Promise) -> Result<JsValue, Failure> {
        promise.await.map_err(|e| Failure::from_js(&e))
    }

    pub fn forget(&self, nr: usize) {
        if let Some(state) = self.0.states.borrow_mut().get_mut(nr) {
            state.unpacked = None;
        }
    }

    fn load(&self, nr: usize) -> Promise {
        if let Some(loading) = self.0.states.borrow().get(nr).and_then(|state| state.loading.clone()) {
            return loading;
        }
        let packs = self.clone();
        let loading = future_to_promise(async move {
            let result = match packs.0.packs.get(nr) {
                Some(pack) => packs.0.load(pack).await,
                None => Err(Failure::new(Errno::EIO, "the image's index names a pack that is not there".into())),
            };
            packs.0.arrived(nr, result.as_ref().ok());
            result.map(JsValue::from).map_err(|failure| failure.to_js())
        });
        if let Some(state) = self.0.states.borrow_mut().get_mut(nr) {
            state.loading = Some(loading.clone());
        }
        loading
    }
}

impl Inner {
    fn tick(&self) -> u32 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    fn arrived(&self, nr: usize, unpacked: Option<&Uint8Array>) {
        let now = self.tick();
        let mut states = self.states.borrow_mut();
        let Some(state) = states.get_mut(nr) else { return };
        *state = State { unpacked: unpacked.cloned(), used: now, loading: None };
        let size = |state: &State| state.unpacked.as_ref().map_or(0.0, |u| f64::from(u.length()));
        while states.iter().map(size).sum::<f64>() > KEEP_BYTES {
            let others = states.iter_mut().filter(|state| state.unpacked.is_some() && state.used != now);
            let Some(oldest) = others.min_by_key(|state| state.used) else { break };
            oldest.unpacked = None;
        }
    }

    /// From the cache, else from the server.
    async fn load(&self, pack: &Pack) -> Result<Uint8Array, Failure> {
        let key = ["packs/", &pack.name].concat();
        if let Some(raw) = self.cache.asked(&key).and_then(|found| pack.found(&found)) {
            return Ok(raw);
        }
        if let Some(file) = self.cache.bytes(&key).await {
            if let Some(raw) = pack.opened(&file).await {
                return Ok(raw);
            }
            self.cache.delete(&key).await;
        }
        // With a cache of our own the browser's other one need not keep it too.
        let how = if self.cache.works().await { "no-store" } else { "default" };
        let url = [&self.base, &*key].concat();
        for how in [how, "reload"] {
            let file = Transfer::new(&url, &pack.title, pack.bytes, how, &*self.listener).run().await?;
            if let Some(raw) = pack.opened(&file).await {
                self.cache.put(&key, "application/octet-stream", &file);
                return Ok(raw);
            }
        }
        let text = [&pack.title, " (", &url, ") is not what its name says (wrong SHA-256): refused"];
        Err(Failure::new(Errno::EIO, text.concat()))
    }
}

impl Pack {
    /// What was unpacked and digested before we were, if it is this pack.
    fn found(&self, found: &JsValue) -> Option<Uint8Array> {
        let digest = Uint8Array::new(&js::get(found, "digest")).to_vec().try_into().ok()?;
        let raw = Uint8Array::new(&js::get(found, "raw"));
        (hash::hex(&digest, NAME_BYTES) == self.name && raw.length() == self.raw).then_some(raw)
    }

    /// Unpacks a file if it is this pack. The digest, which is another thread's, and the unpacking run beside each
    /// other; nobody sees the contents before both are done.
    async fn opened(&self, file: &Uint8Array) -> Option<Uint8Array> {
        let (name, of) = (self.name.clone(), file.clone());
        let called =
            future_to_promise(async move { Ok((hash::hex(&hash::sha256(&of).await, NAME_BYTES) == name).into()) });
        let raw = unpack(file, self.raw).await;
        if called.await.is_ok_and(|called| called.is_truthy()) { raw } else { None }
    }
}

/// `None` when it is no gzip file of so many bytes.
async fn unpack(file: &Uint8Array, length: u32) -> Option<Uint8Array> {
    let gunzip = DecompressionStream::new("gzip").ok()?;
    let reader = Response::new(file, &js::object(&[])).ok()?.body()?.through(&gunzip).ok()?.reader().ok()?;
    let raw = Uint8Array::new_with_length(length);
    let mut have = 0;
    while let Some(chunk) = reader.read().await.ok()?.value() {
        if chunk.length() > length - have {
            return None;
        }
        raw.set(&chunk, have);
        have += chunk.length();
    }
    (have == length).then_some(raw)
}
