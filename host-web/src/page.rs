//! The page's side: starts the workers, and gives out sessions on the kernel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::types::{attach, devctl};
use js_sys::{Array, Function, Object, Promise, Reflect, SharedArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{MessageChannel, MessageEvent, MessagePort, Worker, WorkerOptions, WorkerType};

use crate::config;
use crate::control::{BYTES, CPUS_MAX, Control, cpu as at};
use crate::js::{self, Resolve};
use crate::messages::{self, ToCpu, ToPage};
use crate::numbered::Numbered;
use crate::record::options;
use crate::threads::{self, Kind};
use crate::units::Units;

options! {
    /// What `boot` is asked for, but for its callbacks.
    pub struct Options {
        /// The address of the directory with the kernel and its image; ends with a slash.
        pub base: String,
        pub cpus: Option<u32>,
        pub init: Vec<String>,
        pub env: Vec<String>,
        pub persist: Option<bool>,
        /// "stacks" or "threads", for tests; see `threads`. Without it the engine's features decide.
        pub machine: Option<String>,
    }
}

/// After the end of a machine of threads its workers have so long to wake.
const LAST_MS: f64 = 200.0;

options! {
    /// What a session is asked for.
    struct SpawnOptions {
        argv: Vec<String>,
        env: Vec<String>,
        cwd: Option<String>,
        tty: Option<bool>,
        rows: Option<u32>,
        cols: Option<u32>,
    }
}

/// A vkernel in this page.
#[wasm_bindgen]
pub struct VKernel(Rc<Inner>);

struct Inner {
    cpus: u32,
    machine: Kind,
    port: MessagePort,
    /// Shared with the CPUs of an isolated page.
    control: Option<Control>,
    base: String,
    workers: RefCell<Vec<Worker>>,
    /// What further CPUs are to be told when they are started: after the first prompt, which would
    /// come later if they all began at once.
    later: RefCell<Vec<Posted>>,
    callbacks: JsValue,
    /// Some program has written something.
    seen: Cell<bool>,
    sessions: RefCell<Numbered<Rc<SessionInner>>>,
    /// The session that was asked for with the boot, and what a machine that was not told of it yet is to be told.
    session: RefCell<Option<Session>>,
    attach: RefCell<Option<ToCpu>>,
    booted: RefCell<Option<(Resolve, Resolve)>>,
    report: RefCell<Vec<Resolve>>,
    ended: Cell<bool>,
}

/// A worker's first message, and what is handed over with it.
struct Posted {
    message: Object,
    transfer: Array,
}

/// The further CPUs start so long after boot when no program has written anything by then.
const LATER_MS: f64 = 1000.0;
/// And so long after the first output, which is to be seen before them.
const SHOWN_MS: f64 = 60.0;

struct SessionInner {
    unit: u32,
    onoutput: Option<Function>,
    exited: Promise,
    over: Resolve,
    status: Cell<Option<u32>>,
}

/// A device on the kernel with something running on it.
#[wasm_bindgen]
pub struct Session {
    machine: Rc<Inner>,
    inner: Rc<SessionInner>,
}

/// Boots a vkernel; resolves when it takes sessions.
#[wasm_bindgen]
pub async fn boot(options: JsValue) -> Result<VKernel, JsValue> {
    let record = Options::of_js(&options)?;
    let shared = js::get(&js_sys::global(), "crossOriginIsolated").is_truthy();
    let machine = threads::choose(record.machine.as_deref(), shared).map_err(|text| JsError::new(&text))?;
    let cpus = cpus(&record, shared);
    let session = js::get(&options, "session");
    let (inner, booted) = start(&record, options, machine, shared, cpus)?;
    let of = inner.clone();
    let asked = future_to_promise(async move {
        // Its terminal may still have to be built.
        of.first_session(&Promise::resolve(&session).await?)?;
        Ok(JsValue::UNDEFINED)
    });
    JsFuture::from(booted).await?;
    asked.await?;
    Ok(VKernel(inner))
}

fn cpus(options: &Options, shared: bool) -> u32 {
    if !shared {
        return 1;
    }
    let navigator = js::get(&js_sys::global(), "navigator");
    let cores = js::number(&navigator, "hardwareConcurrency") as u32;
    options.cpus.unwrap_or(cores).clamp(1, CPUS_MAX)
}

/// Makes the workers and tells each what it is.
fn start(
    options: &Options,
    callbacks: JsValue,
    machine: Kind,
    shared: bool,
    cores: u32,
) -> Result<(Rc<Inner>, Promise), JsValue> {
    // Threads are the service's, which is one worker.
    let threads = machine == Kind::Threads;
    let cpus = if threads { 1 } else { cores };
    // The programs of more than one CPU need what only an isolated page has; one CPU is as good without.
    let shared = threads || shared && cpus > 1;
    let control = shared.then(|| Control::over(SharedArrayBuffer::new(BYTES).into()));
    let peers = peer_ports(cpus)?;
    let mut workers = vec![given_worker(&callbacks, "first", &options.base, "cpu.js")?];
    let disk_ports = match options.persist.unwrap_or(true) {
        true => storage_worker(&options.base, &callbacks, cpus, &mut workers)?,
        false => Array::new(),
    };
    let (mut later, mut ports) = (Vec::new(), Vec::new());
    for (nr, peers) in (0u32..).zip(&peers) {
        let channel = MessageChannel::new()?;
        let message = js::object(&[
            ("nr", &nr.into()),
            ("shared", &shared.into()),
            ("threads", &threads.into()),
            ("cpus", &cores.into()),
            ("options", &options.to_js()),
            ("page", &channel.port2()),
            ("peers", peers),
            ("disk", &disk_ports.get(nr)),
        ]);
        if let Some(control) = &control {
            Reflect::set(&message, &"control".into(), &control.buffer)?;
        }
        let transfer = Array::of1(&channel.port2());
        for port in peers.iter().chain([disk_ports.get(nr)]).filter(|port| !port.is_undefined()) {
            transfer.push(&port);
        }
        later.push(Posted { message, transfer });
        ports.push(channel.port1());
    }
    let now = later.remove(0);
    let booted = js::with_resolvers();
    let inner = Rc::new(Inner {
        cpus: cores,
        machine,
        port: ports[0].clone(),
        control,
        base: options.base.clone(),
        workers: RefCell::default(),
        later: RefCell::new(later),
        callbacks,
        seen: Cell::new(false),
        sessions: RefCell::default(),
        session: RefCell::default(),
        attach: RefCell::default(),
        booted: RefCell::new(Some((booted.resolve(), booted.reject()))),
        report: RefCell::default(),
        ended: Cell::new(false),
    });
    workers[0].post_message_with_transfer(&now.message, &now.transfer)?;
    for port in &ports {
        let of = inner.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| of.came(&event.data()));
        port.set_onmessage(Some(came.into_js_value().unchecked_ref()));
    }
    for worker in workers {
        inner.own(worker);
    }
    Ok((inner, booted.promise()))
}

/// A worker that the page has started already, or a new one.
fn given_worker(options: &JsValue, name: &str, base: &str, script: &str) -> Result<Worker, JsValue> {
    match js::get(options, name).dyn_into() {
        Ok(worker) => Ok(worker),
        Err(_) => worker(base, script),
    }
}

fn worker(base: &str, script: &str) -> Result<Worker, JsValue> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options(&[base, script].concat(), &options)
}

/// Starts the worker that has the disks; answers the CPUs' ports to it.
fn storage_worker(base: &str, options: &JsValue, cpus: u32, workers: &mut Vec<Worker>) -> Result<Array, JsValue> {
    let (own, theirs) = (Array::new(), Array::new());
    for _ in 0..cpus {
        let channel = MessageChannel::new()?;
        own.push(&channel.port1());
        theirs.push(&channel.port2());
    }
    let worker = given_worker(options, "disk", base, "disk.js")?;
    let message = js::object(&[("host", &wasm_bindgen::module()), ("ports", &theirs)]);
    worker.post_message_with_transfer(&message, &theirs)?;
    workers.push(worker);
    // Some browsers ask the user, so nobody waits for the answer.
    wasm_bindgen_futures::spawn_local(async { _ = crate::disk::persist().await });
    Ok(own)
}

/// For each CPU an array of ports to the others, with nothing in its own place.
fn peer_ports(cpus: u32) -> Result<Vec<Array>, JsValue> {
    let ports: Vec<Array> = (0..cpus).map(|_| Array::new_with_length(cpus)).collect();
    for a in 0..cpus {
        for b in a + 1..cpus {
            let channel = MessageChannel::new()?;
            ports[a as usize].set(b, channel.port1().into());
            ports[b as usize].set(a, channel.port2().into());
        }
    }
    Ok(ports)
}

impl Inner {
    /// Hears of a worker's failure, and ends it with the vkernel.
    fn own(self: &Rc<Self>, worker: Worker) {
        let of = self.clone();
        let failed = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            of.over(None, Some(format!("a worker failed: {}", js::message(&event))));
        });
        worker.set_onerror(Some(failed.into_js_value().unchecked_ref()));
        self.workers.borrow_mut().push(worker);
    }

    /// Makes the session that is asked for with the boot: the first CPU finds it in its mail as soon as the kernel is up,
    /// without a message there and back.
    fn first_session(self: &Rc<Self>, asked: &JsValue) -> Result<(), JsValue> {
        if !asked.is_object() || self.ended.get() {
            return Ok(());
        }
        let (session, record) = self.session(asked)?;
        *self.session.borrow_mut() = Some(session);
        if self.machine == Kind::Threads && self.booted.borrow().is_some() {
            *self.attach.borrow_mut() = Some(record);
        } else {
            self.post(&record, None);
        }
        Ok(())
    }

    /// A session, and what the first CPU is to be told of it.
    fn session(self: &Rc<Self>, options: &JsValue) -> Result<(Session, ToCpu), JsValue> {
        let of = SpawnOptions::of_js(options)?;
        let units = devctl::ATTACHED_FIRST..devctl::ATTACHED_FIRST + devctl::ATTACHED_MAX;
        let unit = { units }.find(|unit| !self.sessions.borrow().contains(*unit));
        let unit = unit.ok_or_else(|| JsError::new("too many sessions at once"))?;
        let resolvers = js::with_resolvers();
        let inner = Rc::new(SessionInner {
            unit,
            onoutput: js::function(options, "onoutput").ok(),
            exited: resolvers.promise(),
            over: resolvers.resolve(),
            status: Cell::new(None),
        });
        self.sessions.borrow_mut().insert(unit, inner.clone());
        let kind = if of.tty.unwrap_or(true) { devctl::KIND_SCREEN } else { devctl::KIND_PIPE };
        let (rows, cols) = (of.rows.unwrap_or(24), of.cols.unwrap_or(80));
        let record = ToCpu::Attach { unit, kind, rows, cols, command: command(&of) };
        Ok((Session { machine: self.clone(), inner }, record))
    }

    fn start_others_after(self: &Rc<Self>, ms: f64) {
        let of = self.clone();
        js::set_timeout(Closure::once_into_js(move || of.start_others()).unchecked_ref(), ms);
    }

    /// Starts the further CPUs, once.
    fn start_others(self: &Rc<Self>) {
        for Posted { message, transfer } in self.later.take() {
            let started = worker(&self.base, "cpu.js");
            match started.and_then(|w| w.post_message_with_transfer(&message, &transfer).map(|()| w)) {
                Ok(worker) => self.own(worker),
                Err(e) => self.over(None, Some(js::message(&e))),
            }
        }
    }

    fn call(&self, name: &str, arg: &JsValue) {
        if let Ok(f) = js::function(&self.callbacks, name) {
            // What the page's own code throws is told by the browser.
            if let Err(e) = f.call1(&self.callbacks, arg) {
                js::log_error(&js::message(&e));
            }
        }
    }

    fn post(&self, record: &ToCpu, bytes: Option<&Uint8Array>) {
        if self.ended.get() || self.port.post_message(&messages::message(record.to_js(), bytes)).is_err() {
            return;
        }
        if let Some(control) = &self.control {
            control.add(control.cpu(0, at::MAIL), 1);
            control.wake(0);
        }
    }

    fn came(self: &Rc<Self>, message: &JsValue) {
        let (record, bytes) = messages::parts(message);
        let Some(record) = ToPage::of_js(&record) else { return };
        match record {
            ToPage::Booted => {
                if let Some(record) = self.attach.take() {
                    self.post(&record, None);
                }
                if let Some((resolve, _)) = self.booted.take() {
                    resolve.value(&JsValue::UNDEFINED);
                }
                self.start_others_after(LATER_MS);
            }
            ToPage::Console(text) => self.call("onconsole", &text.into()),
            ToPage::Notice(text) => self.call("onnotice", &text.into()),
            ToPage::Progress { what, title, done, total } => {
                let progress = js::object(&[
                    ("what", &what.into()),
                    ("title", &title.into()),
                    ("done", &done.into()),
                    ("total", &total.into()),
                ]);
                self.call("onprogress", &progress);
            }
            ToPage::Output(unit) => {
                self.output(unit, bytes);
                if !self.seen.replace(true) {
                    self.start_others_after(SHOWN_MS);
                }
            }
            ToPage::Exited { unit, status } => {
                self.output(unit, None);
                if let Some(session) = self.sessions.borrow_mut().remove(unit) {
                    session.end(status);
                }
            }
            ToPage::Report(text) => {
                for resolve in self.report.take() {
                    resolve.value(&text.as_str().into());
                }
            }
            ToPage::Ended { status, panic } => self.over(status, panic),
        }
    }

    /// Output beside the message, or in the ring.
    fn output(&self, unit: u32, bytes: Option<Uint8Array>) {
        let session = self.sessions.borrow().get(unit).cloned();
        let in_ring = || self.control.as_ref().and_then(|control| Units::new(control).take_output(unit));
        for bytes in bytes.into_iter().chain(in_ring()) {
            if let Some(f) = session.as_ref().and_then(|s| s.onoutput.as_ref())
                && let Err(e) = f.call1(&JsValue::UNDEFINED, &bytes)
            {
                js::log_error(&js::message(&e));
            }
        }
    }

    fn end_workers(&self) {
        let workers = self.workers.take();
        let terminate = move || workers.iter().for_each(Worker::terminate);
        if self.machine == Kind::Stacks {
            return terminate();
        }
        // Sleepers are woken first: WebKit keeps a worker that is terminated while it waits.
        let _ = self.port.post_message(&messages::message(ToCpu::Terminate.to_js(), None));
        js::set_timeout(Closure::once_into_js(terminate).unchecked_ref(), LAST_MS);
    }

    /// The vkernel has ended: so have all sessions.
    fn over(&self, status: Option<u32>, panic: Option<String>) {
        if self.ended.replace(true) {
            return;
        }
        for (_, session) in self.sessions.borrow_mut().take() {
            session.end(9);
        }
        // Those that have not started never will.
        self.later.take();
        for resolve in self.report.take() {
            resolve.value(&"".into());
        }
        self.end_workers();
        let text = panic.map_or(JsValue::UNDEFINED, |p| JsValue::from(p.as_str()));
        let status = status.map_or(JsValue::UNDEFINED, |s| exit_status(s).into());
        if let Some((_, reject)) = self.booted.take() {
            // Who boots hears of it there, and only there: it may be tried again.
            let why = text.as_string().unwrap_or_else(|| "the kernel has ended while it booted".into());
            return reject.value(&JsError::new(&why).into());
        }
        self.call("onended", &js::object(&[("status", &status), ("panic", &text)]));
    }
}

/// A wait status as a shell tells it: `wait(2)`.
fn exit_status(word: u32) -> u32 {
    match word & 0x7f {
        0 => word >> 8 & 0xff,
        signal => 128 + signal,
    }
}

impl SessionInner {
    fn end(&self, status: u32) {
        self.status.set(Some(status));
        self.over.value(&exit_status(status).into());
    }
}

#[wasm_bindgen]
impl VKernel {
    #[wasm_bindgen(getter)]
    pub fn cpus(&self) -> u32 {
        self.0.cpus
    }

    /// "stacks" or "threads".
    #[wasm_bindgen(getter)]
    pub fn machine(&self) -> String {
        self.0.machine.name().into()
    }

    #[wasm_bindgen(getter)]
    pub fn isolated(&self) -> bool {
        js::get(&js_sys::global(), "crossOriginIsolated").is_truthy()
    }

    /// Runs something on a device of its own; without `argv` a login shell.
    pub fn spawn(&self, options: JsValue) -> Result<Session, JsValue> {
        if self.0.ended.get() {
            return Err(JsError::new("the vkernel has ended").into());
        }
        let (session, record) = self.0.session(&options)?;
        self.0.post(&record, None);
        Ok(session)
    }

    /// The session that was asked for with the boot: `session` in its options, as `spawn` takes them. Once.
    #[wasm_bindgen(js_name = takeSession)]
    pub fn take_session(&self) -> Option<Session> {
        self.0.session.take()
    }

    /// The kernel's counters, as text: a line `name value` each. Nothing when it has ended.
    pub fn report(&self) -> Promise {
        if self.0.ended.get() {
            return Promise::resolve(&JsValue::from("")).unchecked_into();
        }
        let resolvers = js::with_resolvers();
        self.0.report.borrow_mut().push(resolvers.resolve());
        self.0.post(&ToCpu::Report, None);
        resolvers.promise()
    }

    /// Ends every process, and with them the vkernel: `onended` says when.
    pub fn shutdown(&self) {
        self.0.post(&ToCpu::Shutdown, None);
    }

    /// Ends it at once, whatever it is at.
    pub fn terminate(&self) {
        self.0.over(None, Some("terminated".into()));
    }
}

/// The records of `abi::types::attach`.
fn command(of: &SpawnOptions) -> Vec<u8> {
    let mut out = Vec::new();
    let mut record = |kind, text: &str| config::record(&mut out, kind, &[text.as_bytes()]);
    of.argv.iter().for_each(|arg| record(attach::ARG, arg));
    of.env.iter().for_each(|var| record(attach::ENV, var));
    of.cwd.iter().for_each(|dir| record(attach::WORKDIR, dir));
    out
}

#[wasm_bindgen]
impl Session {
    fn post(&self, record: &ToCpu, bytes: Option<&Uint8Array>) {
        if self.inner.status.get().is_none() {
            self.machine.post(record, bytes);
        }
    }

    /// Types.
    pub fn write(&self, bytes: Uint8Array) {
        self.post(&ToCpu::Input(self.inner.unit), Some(&bytes));
    }
    /// End of file, for a session that is no terminal.
    pub fn end(&self) {
        self.post(&ToCpu::End(self.inner.unit), None);
    }
    pub fn resize(&self, cols: u32, rows: u32) {
        self.post(&ToCpu::Resize { unit: self.inner.unit, rows, cols }, None);
    }
    /// So many bytes of output were shown: more may come.
    pub fn ack(&self, n: u32) {
        self.post(&ToCpu::Shown { unit: self.inner.unit, n }, None);
    }
    /// Hangs up.
    pub fn close(&self) {
        self.post(&ToCpu::Close(self.inner.unit), None);
    }
    /// The exit status, when it is over: 128 and the signal's number for one that was killed.
    #[wasm_bindgen(getter)]
    pub fn exited(&self) -> Promise {
        self.inner.exited.clone()
    }
}
