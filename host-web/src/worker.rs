//! A CPU's worker, from its first message on.
//!
//! The first CPU makes the machine: it fetches, compiles, boots, and then tells the others over the
//! ports between them. Those wait for that and then take lwps.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::trapframe::FIRST_VMSPACE;
use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{MessageEvent, MessagePort};

use crate::ahead::{self, Ahead, LATER, SOON};
use crate::blobs::{Listener, Store};
use crate::control::{BYTES, Control, cpu as at};
use crate::cpu::{BOOT_LWP, Cpu, New, Parts, set_current_cpu};
use crate::disk::Disk;
use crate::idle::{Idler, in_a_task};
use crate::images::{Image, MOST_PAGES};
use crate::kernel::{self, Interrupts, Modules};
use crate::kmem::{KernelMemory, shared_memory};
use crate::messages::{self, ToPage};
use crate::page::Options;
use crate::storage::Storage;
use crate::{config, forked, frames, js, threads};

/// Bells are a page each.
const BELL_PAGES: u32 = 1;

/// What is told to the page of a fetch.
pub struct Told(pub MessagePort);

impl Listener for Told {
    fn progress(&self, what: &'static str, title: &str, done: f64, total: f64) {
        let (what, title) = (what.into(), title.into());
        messages::post(&self.0, &ToPage::Progress { what, title, done, total });
    }
    fn notice(&self, text: &str) {
        messages::post(&self.0, &ToPage::Notice(text.into()));
    }
}

/// The worker's entry. `message` is what the page has posted: `nr`, `shared`, `options`, `page` (a
/// port), `control` (shared) and `peers`, an array of ports with a hole at `nr`.
#[wasm_bindgen]
pub fn cpu_main(message: JsValue) {
    frames::keep_more();
    if !js::get(&message, "thread").is_undefined() {
        return threads::thread(&message);
    }
    spawn_local(async move {
        let page: MessagePort = js::get(&message, "page").unchecked_into();
        let nr = js::number(&message, "nr") as u32;
        let began = match nr {
            0 if js::get(&message, "threads").is_truthy() => {
                ahead::forget();
                threads::serve(&message, page.clone()).await
            }
            0 => first(&message, page.clone()).await,
            nr => further(&message, nr, page.clone()).await,
        };
        if let Err(e) = began {
            if nr != 0 {
                // It has no lwps yet: the vkernel does without it.
                return messages::post(&page, &ToPage::Notice(format!("CPU {nr}: {}", js::message(&e))));
            }
            messages::post(&page, &ToPage::Ended { status: None, panic: Some(js::message(&e)) });
        }
    });
}

fn peers(message: &JsValue) -> Vec<(u32, MessagePort)> {
    let peers: Array = js::get(message, "peers").unchecked_into();
    (0..).zip(peers.iter()).filter_map(|(nr, port)| Some((nr, port.dyn_into().ok()?))).collect()
}

async fn first(message: &JsValue, page: MessagePort) -> Result<(), JsValue> {
    let options = Options::of_js(&js::get(message, "options"))?;
    let shared = js::get(message, "shared").is_truthy();
    let ahead::Parts { store, kmem, modules } = Ahead::of(&options.base, &page).done().await?;
    let buffer = if shared { js::get(message, "control") } else { own_control()? };
    let peers = peers(message);
    let cpus = if shared { peers.len() + 1 } else { 1 };
    let bells = (0..cpus).map(|_| shared_memory(BELL_PAGES, BELL_PAGES)).collect::<Result<Vec<_>, _>>()?;
    let disk = disk(message).await;
    let disks = Storage::disks(disk.as_ref());
    if let Some(notice) = disk.as_ref().and_then(Disk::notice) {
        messages::post(&page, &ToPage::Notice(notice.into()));
    }
    let storage = Storage::new(store, &config::encode(&options, &disks, js::number(message, "cpus") as u32), disk);
    let cpu = Cpu::new(Parts { nr: 0, shared, control: Control::over(buffer), kmem, modules, storage, page, bells });
    begin(&cpu)?;
    cpu.interrupts.get().map_or(Ok(()), Interrupts::prepare)?;
    for blob in SOON.iter().filter_map(|path| cpu.storage.find(path)) {
        cpu.images.expect(&cpu, blob);
    }
    boot(&cpu).await?;
    listen(&cpu, &cpu.page, messages::from_page);
    messages::post(&cpu.page, &ToPage::Booted);
    for (nr, port) in &peers {
        tell_peer(&cpu, *nr, port)?;
        listen(&cpu, port, from_peer);
    }
    *cpu.peers.borrow_mut() = peers;
    js::sleep(LATER.1).await;
    cpu.storage.sweep();
    if let Some(blob) = cpu.storage.find(LATER.0) {
        cpu.images.expect(&cpu, blob);
    }
    Ok(())
}

/// The way to the storage worker, if the page has one.
pub async fn disk(message: &JsValue) -> Option<Disk> {
    let port: MessagePort = js::get(message, "disk").dyn_into().ok()?;
    Some(Disk::connect(port).await)
}

/// A block that nobody else sees.
fn own_control() -> Result<JsValue, JsValue> {
    let pages = BYTES.div_ceil(65536);
    Ok(js::get(&shared_memory(pages, pages)?, "buffer"))
}

fn begin(cpu: &Rc<Cpu>) -> Result<(), JsValue> {
    set_current_cpu(cpu);
    _ = cpu.idler.set(Idler::new()?);
    _ = cpu.interrupts.set(Interrupts::new(cpu)?);
    Ok(())
}

/// Boots as an lwp of its own: reading the image may sleep.
async fn boot(cpu: &Rc<Cpu>) -> Result<(), JsValue> {
    cpu.create(&New { lwp: BOOT_LWP, vmspace: 0, limit: 0 }, None);
    let slot = cpu.sched.borrow_mut().begin(crate::cpu::now_ns());
    cpu.current.set(slot);
    kernel::boot(cpu).await?;
    let interrupts = cpu.interrupts.get().ok_or_else(|| JsError::new("no interrupt instance"))?;
    let lwp = interrupts.number("first_lwp", &[])? as u32;
    cpu.control.lwp_add(lwp, 0);
    cpu.control.add(cpu.control.cpu(0, at::LOAD), 1);
    cpu.control.store(cpu.control.cpu(0, at::ONLINE), 1);
    cpu.create(&New { lwp, vmspace: FIRST_VMSPACE, limit: MOST_PAGES }, None);
    if let Some(slot) = slot {
        cpu.gone(slot);
    }
    Ok(())
}

/// Has messages of a port handled, each as a task of the event loop.
fn listen(cpu: &Rc<Cpu>, port: &MessagePort, handle: fn(&Rc<Cpu>, &JsValue)) {
    let cpu = cpu.clone();
    let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        cpu.mail_seen.set(cpu.mail_seen.get().wrapping_add(1));
        handle(&cpu, &event.data());
        // What the kernel answers at once, as an echo, does not wait for programs.
        cpu.flush_output();
        in_a_task(&cpu);
    });
    port.set_onmessage(Some(came.into_js_value().unchecked_ref()));
}

/// A further CPU gets what it needs to take lwps.
fn tell_peer(cpu: &Rc<Cpu>, nr: u32, port: &MessagePort) -> Result<(), JsValue> {
    let interrupts = cpu.interrupts.get().ok_or_else(|| JsError::new("no interrupt instance"))?;
    let stack = interrupts.number("cpu_stack", &[])? as u32;
    if stack == 0 {
        // No memory for it: it waits for this message, and has no lwps.
        return Ok(());
    }
    let Modules { kernel, stub, uaccess, clock } = &cpu.modules;
    let modules = js::object(&[("kernel", kernel), ("stub", stub), ("uaccess", uaccess), ("clock", clock)]);
    let bells: Array = cpu.bells.iter().collect();
    let message =
        js::object(&[("stack", &stack.into()), ("kmem", &cpu.kmem.memory), ("bells", &bells), ("modules", &modules)]);
    port.post_message(&message)?;
    for (number, image) in cpu.images.all() {
        port.post_message(&js::object(&[("image", &number.into()), ("module", &image.module)]))?;
        cpu.control.add(cpu.control.cpu(nr, at::MAIL), 1);
        cpu.control.wake(nr);
    }
    Ok(())
}

async fn further(message: &JsValue, nr: u32, page: MessagePort) -> Result<(), JsValue> {
    let options = Options::of_js(&js::get(message, "options"))?;
    let peers = peers(message);
    let from_first = peers.iter().find(|(nr, _)| *nr == 0).map(|(_, port)| port.clone());
    let from_first = from_first.ok_or_else(|| JsError::new("a CPU without a port to the first"))?;
    let later = Rc::default();
    let start = first_message(&from_first, &later).await;
    if js::get(&start, "kmem").is_undefined() {
        // An image, as to all others.
        return Err(JsError::new("the kernel has no memory for it").into());
    }
    let store = Store::open(&options.base, Rc::new(Told(page.clone()))).await;
    let store = store.map_err(|e| JsError::new(&e.text))?;

    let modules = js::get(&start, "modules");
    let module = |name| js::get(&modules, name);
    let modules =
        Modules { kernel: module("kernel"), stub: module("stub"), uaccess: module("uaccess"), clock: module("clock") };
    let bells: Array = js::get(&start, "bells").unchecked_into();
    let cpu = Cpu::new(Parts {
        nr,
        shared: true,
        control: Control::over(js::get(message, "control")),
        kmem: KernelMemory::over(js::get(&start, "kmem")),
        modules,
        storage: Storage::new(store, &[], disk(message).await),
        page,
        bells: bells.iter().collect(),
    });
    begin(&cpu)?;
    if let Some(interrupts) = cpu.interrupts.get() {
        interrupts.set_stack(js::number(&start, "stack") as u32);
    }
    for (_, port) in &peers {
        listen(&cpu, port, from_peer);
    }
    for message in later.take() {
        cpu.mail_seen.set(cpu.mail_seen.get().wrapping_add(1));
        from_peer(&cpu, &message);
    }
    *cpu.peers.borrow_mut() = peers;
    cpu.control.store(cpu.control.cpu(nr, at::ONLINE), 1);
    cpu.poke();
    Ok(())
}

/// Another CPU has compiled a program, has forked an lwp of this one, or answers that it has what it was posted.
fn from_peer(cpu: &Rc<Cpu>, message: &JsValue) {
    let number = |name| js::number(message, name) as u32;
    let copy = js::get(message, "copy");
    if !copy.is_undefined() {
        let new = New { lwp: number("lwp"), vmspace: number("vmspace"), limit: number("limit") };
        return forked::came(cpu, number("from"), new, number("image"), copy);
    }
    let answered = js::get(message, "forked");
    if let Some(lwp) = answered.as_f64() {
        return cpu.images.answered(lwp as u32, js::number(message, "errno") as i32);
    }
    let number = number("image");
    match Image::of(js::get(message, "module")) {
        Ok(image) => cpu.images.add(number, image),
        Err(e) => cpu.end(ToPage::Ended { status: None, panic: Some(e.text) }),
    }
}

/// The first message of a port. Those after it are kept until somebody listens.
async fn first_message(port: &MessagePort, later: &Rc<RefCell<Vec<JsValue>>>) -> JsValue {
    let resolvers = js::with_resolvers();
    let (resolve, later) = (Cell::new(Some(resolvers.resolve())), later.clone());
    let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| match resolve.take() {
        Some(resolve) => resolve.value(&event.data()),
        None => later.borrow_mut().push(event.data()),
    });
    port.set_onmessage(Some(came.into_js_value().unchecked_ref()));
    JsFuture::from(resolvers.promise()).await.unwrap_or_default()
}
