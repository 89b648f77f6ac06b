//! Opening a store: the manifest from the server and from the cache, whichever is right.
//!
//! What was booted last time is loaded from the cache while the server is asked whether it is still
//! what is to be booted; most times it is. No answer, an error, somebody's login page: then what was
//! booted last time is still good.

use std::cell::RefCell;
use std::rc::Rc;

use abi::Errno;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use super::cache::Cache;
use super::manifest::Manifest;
use super::packs::Packs;
use super::table::Table;
use super::{Failure, Inner, Listener, Store, fetch};
use crate::js;

/// How long the server may take to answer for the manifest when the cache has one.
const PATIENCE_MS: f64 = 4000.0;
const MANIFEST: &str = "manifest.json";

/// An image whose boot packs are on their way.
struct Start {
    /// The manifest, as it came.
    text: String,
    json: JsValue,
    packs: Packs,
    index: usize,
    /// A promise of the index and the boot packs.
    all: Promise,
}

impl Start {
    /// `None` when it is no manifest.
    fn new(text: String, base: &str, cache: &Cache, listener: &Rc<dyn Listener>) -> Option<Start> {
        let Manifest { json, packs, index, boot } = Manifest::parse(&text)?;
        let packs = Packs::new(base, cache.clone(), listener.clone(), packs);
        let all = [index].iter().chain(&boot).map(|&pack| packs.get(pack)).collect::<Array>();
        Some(Start { text, json, packs, index, all: Promise::all(&all) })
    }
}

impl Store {
    /// Fetches the manifest, the index and the packs needed to boot. `base` ends with a slash.
    pub async fn open(base: &str, listener: Rc<dyn Listener>) -> Result<Store, Failure> {
        Store::open_asked(base, listener, &JsValue::UNDEFINED).await
    }

    /// The same, with what was asked for before this code was there (`www/src/ahead.js`): promises of `manifest`, the server's
    /// text, and of `kept`, the cache's `text` and its boot `packs` by key, unpacked.
    pub async fn open_asked(base: &str, listener: Rc<dyn Listener>, asked: &JsValue) -> Result<Store, Failure> {
        let url = [base, MANIFEST].concat();
        let early = js::get(asked, "manifest").dyn_into::<Promise>().ok();
        let answer = {
            let url = url.clone();
            future_to_promise(async move {
                if let Some(early) = early
                    && let Ok(text) = early.await
                    && text.is_string()
                {
                    return Ok(text);
                }
                let text = fetch::text_once(&url, PATIENCE_MS).await;
                text.map(JsValue::from).map_err(|failure| failure.to_js())
            })
        };
        let kept = match js::get(asked, "kept").dyn_into::<Promise>() {
            Ok(kept) => kept.await.unwrap_or_default(),
            Err(_) => JsValue::UNDEFINED,
        };
        let cache = Cache::new(base, listener.clone(), js::get(&kept, "packs"));
        let kept = match js::get(&kept, "text").as_string() {
            Some(text) => Some(text),
            None => cache.text(MANIFEST).await,
        };
        let booted = kept.clone();
        let kept = kept.and_then(|text| Start::new(text, base, &cache, &listener));
        let answer = Packs::wait(answer).await;
        let start = match kept {
            Some(kept) => {
                let text = answer.ok().and_then(|text| text.as_string()).filter(|text| *text != kept.text);
                match text.and_then(|text| Start::new(text, base, &cache, &listener)) {
                    Some(newer) => {
                        // Nobody else waits for these.
                        spawn_local(async move { _ = kept.all.await });
                        newer
                    }
                    None => kept,
                }
            }
            None => {
                let text = match answer?.as_string() {
                    Some(text) => text,
                    None => fetch::text(&url, "the list of files", &*listener).await?,
                };
                Start::new(text, base, &cache, &listener).ok_or_else(|| bad_manifest(&url))?
            }
        };
        let known = booted.as_ref() == Some(&start.text);
        finish(start, known, cache, listener).await
    }
}

/// `known` says that the cache has this manifest.
async fn finish(start: Start, known: bool, cache: Cache, listener: Rc<dyn Listener>) -> Result<Store, Failure> {
    let Start { text, json, packs, index, all } = start;
    let all: Array = Packs::wait(all).await?.unchecked_into();
    packs.forget(index);
    let table = Table::new(Uint8Array::new(&all.get(0)).to_vec())
        .ok_or_else(|| Failure::new(Errno::EIO, "the image's index is damaged".into()))?;
    // Only now: a manifest in the cache is one that was booted from.
    if !known {
        cache.put(MANIFEST, "application/json", &text.into());
    }
    let expected = RefCell::default();
    Ok(Store(Rc::new(Inner { cache, listener, manifest: json, table, packs, expected })))
}

fn bad_manifest(url: &str) -> Failure {
    Failure::new(Errno::EIO, [url, " is not a list of files of this version: loading the page again may help"].concat())
}
