//! The service: the worker that has the image, the disks, the page and the threads, and never blocks.
//!
//! It is a [`Cpu`] that runs no lwp, so that devices and the page's messages are what they are on the other machine; its
//! interrupt instance imports the hypercalls of this one. It outlives every thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use abi::Errno;
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{MessageEvent, MessagePort, Worker, WorkerOptions, WorkerType};

use super::board::{Board, THREADS_MAX, at, state};
use super::calls;
use super::choice::threads_max;
use super::link::{Link, op, words};
use crate::ahead::compile_kernel;
use crate::blobs::{Failure, Store};
use crate::control::word;
use crate::cpu::{BOOT_LWP, Cpu, Parts, forever};
use crate::disk::Disk;
use crate::hypercalls::{answer, copy_blob};
use crate::images::{self, Image};
use crate::kernel::{Interrupts, Modules, instantiate};
use crate::kmem::{KernelMemory, MAX_PAGES};
use crate::lwp::TRIES;
use crate::messages::{self, ToCpu, ToPage};
use crate::numbered::Numbered;
use crate::page::Options;
use crate::storage::Storage;
use crate::worker::{Told, disk};
use crate::{config, js};

/// The thread that boots.
const FIRST: u32 = 0;
/// So many idle threads are kept ready.
const AHEAD: usize = 3;
/// After the end sleepers are woken so often.
const ROUSE_MS: f64 = 10.0;
/// A worker that was terminated is gone after this.
const ROOM_MS: f64 = 50.0;
/// A thread whose lwp is over is idle after this.
const LEAVING_MS: f64 = 20.0;

/// Compiled once, posted to each thread.
struct ThreadModules {
    kernel: JsValue,
    clock: JsValue,
    user_hand: JsValue,
    kernel_hand: JsValue,
}

struct Service {
    cpu: Rc<Cpu>,
    link: Rc<Link>,
    modules: ThreadModules,
    base: String,
    threads_max: u32,
    workers: RefCell<Numbered<Worker>>,
    /// The threads' own kernel stacks.
    stacks: RefCell<Numbered<u32>>,
    booted: Cell<bool>,
    /// Threads that ask for one more.
    waiting: RefCell<Vec<u32>>,
    /// The threads that wait for the memories of forked lwps to be made, by the thread that makes one.
    forking: RefCell<Numbered<u32>>,
    /// Why each thread's last image was refused.
    errors: RefCell<Numbered<String>>,
    rouse: OnceCell<Function>,
}

thread_local! {
    static SERVICE: OnceCell<Rc<Service>> = const { OnceCell::new() };
}

fn service() -> Option<Rc<Service>> {
    SERVICE.with(|own| own.get().cloned())
}

async fn pause(ms: f64) {
    let passed = js::with_resolvers();
    js::set_timeout(passed.resolve().unchecked_ref(), ms);
    let _ = JsFuture::from(passed.promise()).await;
}

fn compile(wasm: &[u8]) -> Result<JsValue, JsValue> {
    js_sys::WebAssembly::Module::new(&Uint8Array::from(wasm)).map(JsValue::from)
}

/// The service's start, in its worker. `message` is what the page posts to a first CPU.
pub async fn serve(message: &JsValue, page: MessagePort) -> Result<(), JsValue> {
    let options = Options::of_js(&js::get(message, "options"))?;
    let kernel = compile_kernel(&options.base);
    let store = Store::open(&options.base, Rc::new(Told(page.clone()))).await;
    let store = store.map_err(|e| JsError::new(&e.text))?;
    let kernel = JsFuture::from(kernel).await?;

    let kmem = KernelMemory::make()?;
    let pages = u64::from(kmem.size() >> 16);
    let modules = ThreadModules {
        kernel: kernel.clone(),
        clock: compile(&loader::clock_module())?,
        user_hand: compile(&loader::user_hand_module())?,
        kernel_hand: compile(&loader::kernel_hand_module((pages, u64::from(MAX_PAGES))))?,
    };
    let disk = disk(message).await;
    let disks = Storage::disks(disk.as_ref());
    if let Some(notice) = disk.as_ref().and_then(Disk::notice) {
        messages::post(&page, &ToPage::Notice(notice.into()));
    }
    let storage = Storage::new(store, &config::encode(&options, &disks, js::number(message, "cpus") as u32), disk);
    let board = Board::make()?;
    let control = js::get(message, "control");
    let link = Link::new(
        control.clone(),
        kmem.clone(),
        board.clone(),
        modules.clock.clone(),
        js::TIME_ORIGIN.with(|&own| own),
        |message, _| {
            if let Some(service) = service() {
                service.told(None, message);
            }
        },
    );
    let link = Rc::new(link);
    let cpu = Cpu::new(Parts {
        nr: 0,
        shared: true,
        control: link.control.clone(),
        kmem,
        // Programs run on threads.
        modules: Modules::without_programs(kernel.clone(), modules.clock.clone()),
        storage,
        page,
        bells: vec![board.bells.clone()],
    });
    let interrupts = Interrupts::over(instantiate(&kernel, &calls::imports(&link, None)?)?)?;
    interrupts.prepare()?;
    _ = cpu.interrupts.set(interrupts);

    let (base, booted) = (options.base, Cell::new(false));
    let service = Rc::new(Service {
        cpu,
        link,
        modules,
        base,
        threads_max: threads_max(),
        workers: RefCell::default(),
        stacks: RefCell::default(),
        booted,
        waiting: RefCell::default(),
        forking: RefCell::default(),
        errors: RefCell::default(),
        rouse: OnceCell::new(),
    });
    SERVICE.with(|own| _ = own.set(service.clone()));
    service.listen_to_page();
    // The first thread boots, and then runs the first lwp.
    board.turn(FIRST, state::NONE, state::BUSY);
    service.start(FIRST, 0)?;
    board.give(FIRST, BOOT_LWP, 0, images::MOST_PAGES, false);
    Ok(())
}

impl Service {
    fn listen_to_page(self: &Rc<Self>) {
        let of = self.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(ToCpu::Terminate) = ToCpu::of_js(&messages::parts(&event.data()).0) {
                return of.rouse_all();
            }
            messages::from_page(&of.cpu, &event.data());
        });
        self.cpu.page.set_onmessage(Some(came.into_js_value().unchecked_ref()));
    }

    // ---- threads

    /// Makes the worker of a thread, with this stack for what is on no lwp's account.
    fn start(self: &Rc<Self>, nr: u32, stack: u32) -> Result<(), JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&[&self.base, "cpu.js"].concat(), &options)?;
        let of = self.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            of.told(Some(nr), event.data().unchecked_ref());
        });
        worker.set_onmessage(Some(came.into_js_value().unchecked_ref()));
        let of = self.clone();
        let failed = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            // What is not prevented goes on to the page.
            event.unchecked_ref::<web_sys::Event>().prevent_default();
            of.failed(nr, &event);
        });
        worker.set_onerror(Some(failed.into_js_value().unchecked_ref()));
        let ThreadModules { kernel, clock, user_hand, kernel_hand } = &self.modules;
        worker.post_message(&js::object(&[
            ("host", &wasm_bindgen::module()),
            ("thread", &nr.into()),
            ("stack", &stack.into()),
            ("origin", &js::TIME_ORIGIN.with(|&own| own).into()),
            ("control", &self.link.control.buffer),
            ("board", &self.link.board.memory),
            ("bells", &self.link.board.bells),
            ("kmem", &self.link.kmem.memory),
            ("kernel", kernel),
            ("clock", clock),
            ("user_hand", user_hand),
            ("kernel_hand", kernel_hand),
        ]))?;
        self.workers.borrow_mut().insert(nr, worker);
        Ok(())
    }

    /// Makes a thread that is `COMING`. False when there is no room for it.
    fn start_further(self: &Rc<Self>, nr: u32) -> bool {
        let stack = self.stacks.borrow().get(nr).copied();
        match stack.map(|stack| self.start(nr, stack)) {
            Some(Ok(())) => return true,
            Some(Err(e)) => self.end(ToPage::panicked(&e)),
            None => {}
        }
        self.link.board.turn(nr, state::COMING, state::NONE);
        false
    }

    fn count(&self, state: i32) -> usize {
        self.link.board.threads().filter(|&nr| self.link.board.is(nr, state)).count()
    }

    /// Makes threads while few are idle.
    fn keep_ahead(self: &Rc<Self>) {
        let board = &self.link.board;
        while self.count(state::IDLE) + self.count(state::COMING) < AHEAD {
            let free = (0..self.threads_max).find(|&nr| board.turn(nr, state::NONE, state::COMING));
            if !free.is_some_and(|nr| self.start_further(nr)) {
                return;
            }
        }
    }

    /// Tells those who want a thread: that there is one, or that there will be none.
    fn tell_waiting(&self) {
        if self.count(state::IDLE) == 0 && self.count(state::COMING) > 0 {
            return;
        }
        let answer = if self.count(state::IDLE) > 0 { Ok(0) } else { Err(Errno::EAGAIN) };
        for nr in self.waiting.take() {
            let (low, high) = words(answer);
            self.link.board.answer(nr, low, high);
        }
    }

    /// A thread's worker has failed. One that never came up had no room; there are fewer then.
    fn failed(&self, nr: u32, event: &JsValue) {
        if !self.link.board.turn(nr, state::COMING, state::NONE) {
            let panic = Some(format!("a worker failed: {}", js::message(event)));
            return self.end(ToPage::Ended { status: None, panic });
        }
        self.end_worker(nr);
        self.tell_waiting();
    }

    /// Wakes a thread that is idle in its event loop.
    fn nudge(&self, nr: u32) {
        if self.link.board.load(nr, at::LOOPING) != 0
            && let Some(worker) = self.workers.borrow().get(nr)
        {
            // Null can be cloned.
            let _ = worker.post_message(&JsValue::NULL);
        }
    }

    fn end_worker(&self, nr: u32) {
        if let Some(worker) = self.workers.borrow_mut().remove(nr) {
            worker.terminate();
        }
    }

    /// Sends idle threads away and waits until the engine has let go of what they had. False when none is idle.
    async fn make_room(&self) -> bool {
        let board = &self.link.board;
        let dismissed = board.threads().filter(|&nr| board.dismiss(nr)).inspect(|&nr| self.nudge(nr)).count();
        if dismissed > 0 {
            pause(ROOM_MS).await;
        }
        dismissed > 0
    }

    // ---- what threads tell and ask

    /// A message of a thread, or of the interrupt instance.
    fn told(self: &Rc<Self>, from: Option<u32>, message: &Array) {
        let number = |i: u32| message.get(2 + i).as_f64().unwrap_or(0.0);
        let small = |i: u32| number(i) as u32;
        let extra = message.get(1);
        match message.get(0).as_f64().unwrap_or(0.0) as u32 {
            ask @ 1..=op::ASKS => {
                if let Some(nr) = from {
                    self.asked(nr, ask, message);
                }
            }
            op::WANT => {
                if let Some(worker) = from.and_then(|nr| self.workers.borrow().get(nr).cloned()) {
                    let image = small(0);
                    let module = self.cpu.images.get(image).map_or(JsValue::UNDEFINED, |image| image.module.clone());
                    // A module can be cloned.
                    let _ = worker.post_message(&Array::of2(&image.into(), &module));
                }
            }
            op::CLOSE => _ = self.cpu.images.close(&self.cpu, small(0)),
            op::OUTPUT => messages::post(&self.cpu.page, &ToPage::Output(small(0))),
            op::ROOM => {
                // Not from within an interrupt, which may be what took the input.
                let (of, unit) = (self.clone(), small(0));
                spawn_local(async move { messages::refill(&of.cpu, unit) });
            }
            op::CONSOLE => messages::post(&self.cpu.page, &ToPage::Console(extra.as_string().unwrap_or_default())),
            op::UP => self.tell_waiting(),
            op::FORKED => {
                if let Some(parent) = from.and_then(|nr| self.forking.borrow_mut().remove(nr)) {
                    self.link.board.answer(parent, small(0) as i32, 0);
                }
            }
            op::LEFT => {
                if let Some(nr) = from {
                    self.end_worker(nr);
                    self.link.board.turn(nr, state::LEAVING, state::NONE);
                }
            }
            op::TAKEN => {
                self.nudge(small(0));
                self.keep_ahead();
            }
            op::BOOTED => self.booted(),
            op::HALTED => self.end(ToPage::Ended { status: Some(small(0)), panic: None }),
            op::PANICKED => self.end(ToPage::Ended { status: None, panic: extra.as_string() }),
            _ => {}
        }
    }

    fn booted(self: &Rc<Self>) {
        if !self.booted.replace(true) {
            if let Some(interrupts) = self.cpu.interrupts.get() {
                // At once, as they are never given back: a later one would look like a leak.
                let stacks = (FIRST + 1..self.threads_max).map_while(|nr| {
                    let stack = interrupts.number("cpu_stack", &[]).ok().filter(|&stack| stack != 0)?;
                    Some((nr, stack as u32))
                });
                for (nr, stack) in stacks {
                    self.stacks.borrow_mut().insert(nr, stack);
                }
            }
            messages::post(&self.cpu.page, &ToPage::Booted);
            self.cpu.storage.sweep();
        }
        self.keep_ahead();
    }

    /// A thread has forked: what the child's memory will be goes on to the child's thread.
    fn fork(&self, parent: u32, message: &Array) {
        let number = |i: u32| message.get(2 + i).as_f64().unwrap_or(0.0) as u32;
        let (child, image, contents) = (number(0), number(1), message.get(1));
        self.forking.borrow_mut().insert(child, parent);
        if let Some(worker) = self.workers.borrow().get(child) {
            let module = self.cpu.images.get(image).map_or(JsValue::UNDEFINED, |image| image.module.clone());
            // What has come here can go on.
            let posted = Array::of3(&image.into(), &module, &contents);
            let _ = worker.post_message_with_transfer(&posted, &Array::of1(&contents));
        }
    }

    fn asked(self: &Rc<Self>, nr: u32, ask: u32, message: &Array) {
        if ask == op::FORK {
            return self.fork(nr, message);
        }
        let of = self.clone();
        if ask == op::THREAD {
            self.waiting.borrow_mut().push(nr);
            self.keep_ahead();
            if self.count(state::IDLE) + self.count(state::COMING) > 0 {
                return self.tell_waiting();
            }
            // A process that was waited for may still be leaving its thread.
            return spawn_local(async move {
                pause(LEAVING_MS).await;
                of.tell_waiting();
            });
        }
        if ask == op::BLOB_READ
            && let Some(answer) = self.blob_now(message)
        {
            return self.link.board.answer(nr, answer, 0);
        }
        let message = message.clone();
        spawn_local(async move {
            let (low, high) = of.work(nr, ask, &message).await;
            of.link.board.answer(nr, low, high);
        });
    }

    fn blob_now(&self, message: &Array) -> Option<i32> {
        let number = |i: u32| message.get(2 + i).as_f64().unwrap_or(0.0);
        let bytes = self.cpu.storage.blob_now(number(0) as u32)?;
        Some(copy_blob(&self.cpu, &bytes, number(1) as u64, number(2) as u32, number(3) as u32))
    }

    async fn work(&self, nr: u32, ask: u32, message: &Array) -> (i32, i32) {
        let number = |i: u32| message.get(2 + i).as_f64().unwrap_or(0.0);
        let small = |i: u32| number(i) as u32;
        let storage = &self.cpu.storage;
        match ask {
            op::BLOB_READ => match storage.blob(small(0)).await {
                Ok(bytes) => (copy_blob(&self.cpu, &bytes, number(1) as u64, small(2), small(3)), 0),
                Err(e) => words(Err(e)),
            },
            op::IMAGE_BLOB => match self.cpu.images.get(images::BLOB | small(0)) {
                Some(image) => (images::BLOB as i32 | small(0) as i32, image.pages() as i32),
                None => self.made(nr, images::BLOB | small(0), storage.module(small(0)).await),
            },
            op::IMAGE_COMMIT => {
                let bytes = message.get(1).unchecked_into();
                let mut module = storage.compile(&bytes).await;
                for _ in 1..TRIES {
                    if module.as_ref().is_err_and(|e| e.errno == Errno::ENOMEM) {
                        js::want_collection();
                        if !self.make_room().await {
                            pause(ROOM_MS).await;
                        }
                        module = storage.compile(&bytes).await;
                    }
                }
                self.made(nr, self.link.control.add(word::NEXT_IMAGE, 1) as u32 + 1, module)
            }
            op::IMAGE_PAGES => (self.cpu.images.get(small(0)).map_or(0, |image| image.pages() as i32), 0),
            op::IMAGE_ERROR => {
                let text = self.errors.borrow().get(nr).cloned().unwrap_or_default();
                let n = text.floor_char_boundary(small(1) as usize);
                words(self.link.kmem.write(small(0), &text.as_bytes()[..n]).map(|()| n as u32))
            }
            op::DISK_RW => {
                let range = self.link.kmem.range(small(3), small(4));
                match range.and_then(|range| storage.transfer(small(0), number(1) != 0.0, number(2) as u64, range)) {
                    Ok(work) => (work.await, 0),
                    Err(e) => words(Err(e)),
                }
            }
            op::DISK_FLUSH => match storage.flush(small(0)) {
                Ok(work) => (work.await, 0),
                Err(e) => words(Err(e)),
            },
            op::DISK_CTL => {
                let r = storage.disk_ctl(small(0), small(1), number(2) as u64);
                let r = r.map_or_else(|e| -(e as i64), |v| v as i64);
                (r as i32, (r >> 32) as i32)
            }
            op::MEMORY => words(if self.make_room().await { Ok(0) } else { Err(Errno::EAGAIN) }),
            op::EXITED => {
                messages::session_over(&self.cpu, small(0), small(1));
                (0, 0)
            }
            _ => words(Err(Errno::EINVAL)),
        }
    }

    /// A program was compiled, or not.
    fn made(&self, nr: u32, number: u32, module: Result<JsValue, Failure>) -> (i32, i32) {
        match module.and_then(Image::of) {
            Ok(image) => {
                let pages = image.pages() as i32;
                self.cpu.images.add(number, image);
                (answer(Ok(number)), pages)
            }
            Err(Failure { errno, text }) => {
                self.errors.borrow_mut().insert(nr, text);
                words(Err(errno))
            }
        }
    }

    // ---- the end

    fn end(&self, how: ToPage) {
        self.cpu.end(how);
        self.rouse_all();
    }

    /// Wakes whoever sleeps, again and again: one may have been about to. Until the page terminates this worker.
    fn rouse_all(&self) {
        self.link.control.store(word::ENDED, 1);
        for nr in 0..THREADS_MAX {
            self.link.board.rouse(nr, self.link.kernel_words());
            self.nudge(nr);
        }
        let again = self.rouse.get_or_init(|| {
            forever(|| {
                if let Some(service) = service() {
                    service.rouse_all();
                }
            })
        });
        js::set_timeout(again, ROUSE_MS);
    }
}
