//! What earlier visits fetched, in the Cache API.
//!
//! It may be missing (insecure contexts), forbidden (frames whose storage is blocked), full, or
//! emptied by the browser at any moment. None of that is an error: what isn't here comes from the
//! network. Nobody waits for a write.
//!
//! Workers and tabs of one origin share it. Keys are addresses beneath the base, most of them named
//! by content, so that whoever writes one writes the same.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use js_sys::{Array, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use super::Listener;
use super::web::{self, CacheStorage, Response, global};
use crate::js;

/// The name in `caches`: the number changes when what is kept changes its meaning.
const NAME: &str = "vkernel-1";

/// `Clone` gives another name of the same one.
#[derive(Clone)]
pub struct Cache {
    /// Opened when it is first needed: most boots find all in what was looked for before.
    opened: Rc<OnceCell<Promise>>,
    base: Rc<str>,
    listener: Rc<dyn Listener>,
    /// What was looked for before we were (`www/src/ahead.js`): packs, by key. Each is taken once.
    asked: JsValue,
    /// It was said that the cache is full.
    told: Rc<Cell<bool>>,
}

impl Cache {
    /// Never fails: a cache that can't be had is empty.
    pub fn new(base: &str, listener: Rc<dyn Listener>, asked: JsValue) -> Cache {
        Cache { opened: Rc::default(), base: base.into(), listener, asked, told: Rc::default() }
    }

    async fn inner(&self) -> Option<web::Cache> {
        let open = || {
            future_to_promise(async {
                let caches = global("caches").ok_or(JsValue::UNDEFINED)?;
                caches.unchecked_into::<CacheStorage>().open(NAME).await.map(Into::into)
            })
        };
        self.opened.get_or_init(open).clone().await.ok().map(JsCast::unchecked_into)
    }

    pub async fn works(&self) -> bool {
        self.inner().await.is_some()
    }

    fn url(&self, key: &str) -> String {
        [&self.base, key].concat()
    }

    pub async fn response(&self, key: &str) -> Option<Response> {
        let found = self.inner().await?.find(&self.url(key)).await.ok()?;
        (!found.is_undefined()).then(|| found.unchecked_into())
    }

    /// What was found, unpacked and digested before we were: `raw` and `digest`. Not checked.
    pub fn asked(&self, key: &str) -> Option<JsValue> {
        let found = Some(js::get(&self.asked, key)).filter(JsValue::is_object)?;
        let _ = Reflect::delete_property(self.asked.unchecked_ref::<js_sys::Object>(), &key.into());
        Some(found)
    }

    pub async fn bytes(&self, key: &str) -> Option<Uint8Array> {
        let buffer = self.response(key).await?.array_buffer().await.ok()?;
        Some(Uint8Array::new(&buffer))
    }

    pub async fn text(&self, key: &str) -> Option<String> {
        self.response(key).await?.text().await.ok()?.as_string()
    }

    /// Keeps it, some time.
    pub fn put(&self, key: &str, kind: &str, body: &JsValue) {
        let headers = js::object(&[("Content-Type", &kind.into())]);
        let Ok(response) = Response::new(body, &js::object(&[("headers", &headers)])) else { return };
        let (cache, url) = (self.clone(), self.url(key));
        spawn_local(async move {
            if let Some(inner) = cache.inner().await
                && let Err(e) = inner.put(&url, &response).await
                && js::get(&e, "name").as_string().as_deref() == Some("QuotaExceededError")
                && !cache.told.replace(true)
            {
                cache
                    .listener
                    .notice("the browser has no room to keep what was fetched: it is fetched again next time");
            }
        });
    }

    pub async fn delete(&self, key: &str) {
        if let Some(inner) = self.inner().await {
            // What can't be deleted is found wrong again next time.
            let _ = inner.delete(&self.url(key)).await;
        }
    }

    /// All keys beneath the base, the oldest first.
    pub async fn keys(&self) -> Vec<String> {
        let Some(inner) = self.inner().await else { return Vec::new() };
        let Ok(Ok(requests)) = inner.keys().await.map(|keys| keys.dyn_into::<Array>()) else { return Vec::new() };
        let url = |r: JsValue| js::get(&r, "url").as_string();
        requests.iter().filter_map(url).filter_map(|url| Some(url.strip_prefix(&*self.base)?.to_string())).collect()
    }
}
