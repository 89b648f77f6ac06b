//! What the first CPU does before it is told what for: it fetches and compiles the kernel, opens the
//! image, and compiles the programs that every prompt needs.
//!
//! A page that starts the first CPU's worker before its own code is there (`vk/cpu.js` by the name
//! "ahead") wins that time, and more if it asks for the files meanwhile (`www/src/ahead.js`): then a worker that
//! has just started finds them in its mail. They are an object of promises, each of which may be missing, fail or
//! come to nothing: then it is asked for again.
//!
//! [`cpu_ahead`] begins, [`Ahead::of`] takes what was begun or begins now, [`Ahead::done`] waits.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Promise, WebAssembly};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::MessagePort;

use crate::blobs::{Failure, Listener, Store};
use crate::js;
use crate::kernel::Modules;
use crate::kmem::KernelMemory;
use crate::worker::Told;

/// A program that people begin with, and how long after boot it is time for it: when the prompt is there.
pub const LATER: (&str, f64) = ("bin/tools", 500.0);
/// Programs that every prompt needs.
pub const SOON: [&str; 2] = ["sbin/init", "bin/sh"];

thread_local! {
    static BEGUN: RefCell<Option<Ahead>> = const { RefCell::new(None) };
}

pub struct Ahead {
    base: String,
    listener: Rc<Late>,
    /// Of the compiled kernel.
    kernel: Promise,
    /// Kept when `store` is there.
    opened: Promise,
    store: Rc<RefCell<Option<Result<Store, Failure>>>>,
    /// The kernel's memory, and the modules around it.
    made: Result<(KernelMemory, Modules), JsValue>,
}

/// What the first CPU's machine is made of.
pub struct Parts {
    pub store: Store,
    pub kmem: KernelMemory,
    pub modules: Modules,
}

/// Begins, in a worker whose first message has not come yet. `asked` is what the page has asked for.
#[wasm_bindgen]
pub fn cpu_ahead(base: String, asked: &JsValue) {
    BEGUN.with(|begun| *begun.borrow_mut() = Some(Ahead::begin(base, asked)));
}

/// Lets go of what was begun: this machine goes another way.
pub fn forget() {
    BEGUN.with(|begun| begun.take());
}

impl Ahead {
    fn begin(base: String, asked: &JsValue) -> Ahead {
        let kernel = js::get(asked, "kernel").dyn_into().unwrap_or_else(|_| compile_kernel(&base));
        let listener = Rc::new(Late::default());
        let store = Rc::default();
        let opened = future_to_promise(open(base.clone(), listener.clone(), asked.clone(), Rc::clone(&store)));
        let made = KernelMemory::make().and_then(|kmem| Ok((kmem.clone(), Modules::around(&kmem)?)));
        Ahead { base, listener, kernel, opened, store, made }
    }

    /// What was begun for this directory, or a beginning. `page` hears how it goes.
    pub fn of(base: &str, page: &MessagePort) -> Ahead {
        let begun = BEGUN.with(|begun| begun.borrow_mut().take()).filter(|ahead| ahead.base == base);
        let ahead = begun.unwrap_or_else(|| Ahead::begin(base.into(), &JsValue::UNDEFINED));
        ahead.listener.begin(Told(page.clone()));
        ahead
    }

    pub async fn done(self) -> Result<Parts, JsValue> {
        let _ = JsFuture::from(self.opened).await;
        let store = self.store.take().ok_or_else(|| JsError::new("the image was not opened"))?;
        let store = store.map_err(|e| JsError::new(&e.text))?;
        let (kmem, mut modules) = self.made?;
        modules.kernel = match JsFuture::from(self.kernel).await {
            Ok(kernel) if kernel.is_object() => kernel,
            // What was asked for before the page was there may have met a network that has come since.
            _ => JsFuture::from(compile_kernel(&self.base)).await?,
        };
        Ok(Parts { store, kmem, modules })
    }
}

async fn open(
    base: String,
    listener: Rc<Late>,
    asked: JsValue,
    to: Rc<RefCell<Option<Result<Store, Failure>>>>,
) -> Result<JsValue, JsValue> {
    let store = Store::open_asked(&base, listener, &asked).await;
    if let Ok(store) = &store {
        for blob in SOON.iter().filter_map(|path| store.find(path)) {
            store.expect(blob);
        }
    }
    *to.borrow_mut() = Some(store);
    Ok(JsValue::UNDEFINED)
}

/// Fetches and compiles while the image is fetched.
pub fn compile_kernel(base: &str) -> Promise {
    let url = [base, "kernel.wasm"].concat();
    let fetched = js::function(&js_sys::global(), "fetch").and_then(|f| f.call1(&JsValue::UNDEFINED, &url.into()));
    match fetched {
        Ok(response) => WebAssembly::compile_streaming(response.unchecked_ref()).unchecked_into(),
        Err(e) => Promise::reject(&e),
    }
}

/// A listener that nobody listens to yet: it remembers the notices.
#[derive(Default)]
struct Late(RefCell<(Option<Told>, Vec<String>)>);

impl Late {
    fn begin(&self, told: Told) {
        let mut late = self.0.borrow_mut();
        late.1.drain(..).for_each(|text| told.notice(&text));
        late.0 = Some(told);
    }
}

impl Listener for Late {
    fn progress(&self, what: &'static str, title: &str, done: f64, total: f64) {
        if let Some(told) = &self.0.borrow().0 {
            told.progress(what, title, done, total);
        }
    }
    fn notice(&self, text: &str) {
        let mut late = self.0.borrow_mut();
        match &late.0 {
            Some(told) => told.notice(text),
            None => late.1.push(text.into()),
        }
    }
}
