//! A CPU: a worker that runs lwps, one at a time.
//!
//! An lwp that sleeps is a suspended wasm stack and the function that resumes it. Whatever makes an
//! lwp leave its stack ends in [`Cpu::switch`], which resumes the next one: from one lwp to
//! another there is one microtask and no task of the event loop. While none is ready the CPU is
//! idle: it waits on its word of the control block, or, where it must hear of messages or of the
//! engine's own work, goes back to the event loop.
//!
//! Nothing that may call into wasm is called with one of the `RefCell`s borrowed.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::rc::Rc;

use abi::trapframe::{irq, kick};
use js_sys::{ArrayBuffer, Function, Int32Array, Promise, WebAssembly};
use sched::{Sched, SlotId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::MessagePort;

use crate::control::{Control, Request, cpu as at, word};
use crate::forked::Ready;
use crate::images::{Images, MOST_PAGES};
use crate::js::{self, Resolve};
use crate::kernel::{Interrupts, Modules};
use crate::kmem::KernelMemory;
use crate::messages::{self, ToPage};
use crate::seat::Seat;
use crate::storage::Storage;
use crate::units::Units;
use crate::{idle, lwp, seat};

/// The lwp that a kernel boots as.
pub const BOOT_LWP: u32 = u32::MAX;
/// An lwp that others wait for has the CPU for so long at a time.
const SLICE_NS: u64 = 10_000_000;
/// And for so long when one of them has slept: it may be what somebody at a terminal waits for.
const WOKEN_NS: u64 = 1_000_000;
/// The page's messages wait no longer than that. A turn of the event loop costs a hundredth of it.
const TASK_NS: u64 = 4_000_000;
/// A busy worker that nobody has sent anything to lets the engine do its own work now and then.
const REST_NS: u64 = 100_000_000;
/// What a collection of dead memories may take.
const COLLECT_MS: f64 = 50.0;
/// Programs are to be looked at about so often.
const LOOK_NS: u64 = 1_000_000;
const BUDGET_MAX: i32 = 1 << 20;

/// How an lwp's stack goes on.
pub enum Resume {
    /// It runs, or there is none.
    Nothing,
    /// Nothing has run yet.
    New,
    /// It is parked; the answer is the scheduler's.
    Park(Resolve),
    /// It waits for the host; the answer is in `answer`.
    Host(Resolve),
    /// It was preempted in user code.
    Preempt(Resolve),
}

/// An lwp that is to be.
#[derive(Clone, Copy)]
pub struct New {
    pub lwp: u32,
    pub vmspace: u32,
    /// The most pages that its address space may have.
    pub limit: u32,
}

/// What the host keeps for an lwp, by slot.
pub struct Hosted {
    pub lwp: u32,
    pub vmspace: u32,
    /// As in [`New`].
    pub limit: u32,
    /// What it begins with, if it was forked.
    pub ready: Option<Ready>,
    /// What it runs.
    pub image: u32,
    pub resume: Resume,
    pub answer: i32,
    pub seat: Option<Rc<Seat>>,
    /// What `lwp_next` said when the lwp was made to leave user code.
    pub next: Option<i64>,
    /// The word that counts it while it is parked.
    pub counted: Option<u32>,
    told: Option<Told>,
}

/// What is written down of an lwp for other CPUs.
struct Told {
    /// Where, in the control block.
    at: u32,
    /// The CPU time that was written last.
    ns: u64,
    /// The memory of its address space, and how many pages were written last.
    memory: Option<WebAssembly::Memory>,
    pages: u32,
}

impl Told {
    fn tell(&mut self, control: &Control, vmspace: u32, ns: u64) {
        control.lwp_set_time(self.at, std::mem::replace(&mut self.ns, ns), ns);
        let Some(memory) = &self.memory else { return };
        let pages = memory.buffer().unchecked_ref::<ArrayBuffer>().byte_length() >> 16;
        if pages != self.pages {
            self.pages = pages;
            control.lwp_set_pages(self.at, vmspace, pages);
        }
    }
}

pub struct Cpu {
    pub nr: u32,
    /// Whether others can ring and wake this CPU: the page is isolated.
    pub shared: bool,
    pub control: Control,
    pub kmem: KernelMemory,
    pub units: Units,
    pub modules: Modules,
    pub images: Images,
    pub storage: Storage,
    pub page: MessagePort,
    /// The bell pages of all CPUs.
    pub bells: Vec<JsValue>,
    bell_words: Vec<Int32Array>,
    pub interrupts: OnceCell<Interrupts>,
    pub sched: RefCell<Sched>,
    pub hosted: RefCell<Vec<Hosted>>,
    pub current: Cell<Option<SlotId>>,
    /// Work of the engine's that somebody waits for.
    pub awaited: Cell<u32>,
    /// Messages that have come by `postMessage`.
    pub mail_seen: Cell<i32>,
    /// Its word of the control block when it last looked at what others have done for it to see.
    wake_seen: Cell<i32>,
    /// There may be messages that were not seen.
    mail: Cell<bool>,
    /// It is known here that the vkernel has ended.
    over: Cell<bool>,
    pub idler: OnceCell<idle::Idler>,
    budget: Cell<i32>,
    looked_ns: Cell<u64>,
    ticked_ns: Cell<u64>,
    /// When the event loop last ran a task.
    pub task_ns: Cell<u64>,
    /// Input that there was no room for.
    pub backlog: RefCell<messages::Backlog>,
    /// Interrupts that came while an lwp was in the kernel.
    raised: RefCell<Vec<(u32, u32)>>,
    /// The kernel is in an interrupt: another waits for its end, as that one may hold what it needs.
    interrupted: Cell<bool>,
    /// Seats that no lwp has.
    pub seats: RefCell<Vec<Rc<Seat>>>,
    /// The other CPUs, by number.
    pub peers: RefCell<Vec<(u32, MessagePort)>>,
}

/// What a CPU is made of.
pub struct Parts {
    pub nr: u32,
    pub shared: bool,
    pub control: Control,
    pub kmem: KernelMemory,
    pub modules: Modules,
    pub storage: Storage,
    pub page: MessagePort,
    pub bells: Vec<JsValue>,
}

/// Nanoseconds of CLOCK_MONOTONIC: since the time origin of the first CPU's worker.
pub fn now_ns() -> u64 {
    (js::now_ms() * 1e6) as u64
}

impl Cpu {
    pub fn new(parts: Parts) -> Rc<Cpu> {
        let Parts { nr, shared, control, kmem, modules, storage, page, bells } = parts;
        let bell_words = bells.iter().map(|b| Int32Array::new(&js::get(b, "buffer"))).collect();
        let now = now_ns();
        Rc::new(Cpu {
            nr,
            shared,
            units: Units::new(&control),
            control,
            kmem,
            modules,
            images: Images::default(),
            storage,
            page,
            bells,
            bell_words,
            interrupts: OnceCell::new(),
            sched: RefCell::new(Sched::new()),
            hosted: RefCell::default(),
            current: Cell::new(None),
            awaited: Cell::new(0),
            mail_seen: Cell::new(0),
            wake_seen: Cell::new(-1),
            mail: Cell::new(true),
            over: Cell::new(false),
            idler: OnceCell::new(),
            budget: Cell::new(1024),
            looked_ns: Cell::new(now),
            ticked_ns: Cell::new(now),
            task_ns: Cell::new(now),
            backlog: RefCell::default(),
            raised: RefCell::default(),
            interrupted: Cell::new(false),
            seats: RefCell::default(),
            peers: RefCell::default(),
        })
    }

    pub fn ended(&self) -> bool {
        self.control.load(word::ENDED) != 0
    }

    /// Ends the vkernel. The first reason counts.
    pub fn end(&self, how: ToPage) {
        self.over.set(true);
        if self.control.exchange(word::ENDED, 1) == 0 {
            self.flush_output();
            messages::post(&self.page, &how);
        }
        for nr in (0..self.bells.len() as u32).filter(|&nr| nr != self.nr) {
            self.ring(nr);
            self.control.wake(nr);
        }
    }

    pub fn ring(&self, nr: u32) {
        self.bell_words[nr as usize].set_index(0, 1);
    }

    /// Asks something of another CPU, whether it runs a program or is idle.
    pub fn request(&self, nr: u32, request: Request) {
        self.control.request(nr, request);
        self.ring(nr);
    }

    pub fn with_hosted<R>(&self, slot: SlotId, f: impl FnOnce(&mut Hosted) -> R) -> R {
        f(&mut self.hosted.borrow_mut()[slot as usize])
    }

    /// Where the lwp that runs has left its program. None where the kernel can't reach its memory.
    pub fn frames(&self) -> Option<Vec<u32>> {
        let (seat, image) = self.hosted.borrow().get(self.slot() as usize).map(|h| (h.seat.clone(), h.image))?;
        let image = self.images.get(image);
        seat?.left.frames(image.as_ref().map(|image| &image.module))
    }

    /// The lwp that runs. Hypercalls have one.
    pub fn slot(&self) -> SlotId {
        self.current.get().unwrap_or(SlotId::MAX)
    }

    // ---- lwps that come and go

    /// A new lwp on this CPU, ready to run.
    pub fn create(&self, new: &New, ready: Option<Ready>) {
        let &New { lwp, vmspace, limit } = new;
        let slot = self.sched.borrow_mut().create(lwp, vmspace) as usize;
        let (resume, image, answer) = (Resume::New, 0, 0);
        let (seat, next, counted) = (None, None, None);
        let told = if self.shared { self.control.lwp_place(lwp) } else { None };
        let told = told.map(|at| Told { at, ns: 0, memory: None, pages: 0 });
        let new = Hosted { lwp, vmspace, limit, ready, image, resume, answer, seat, next, counted, told };
        let mut hosted = self.hosted.borrow_mut();
        if slot < hosted.len() {
            hosted[slot] = new;
        } else {
            hosted.push(new);
        }
    }

    /// The limit of an address space. The kernel asks and says so for the running lwp's own.
    pub fn limit(&self, vmspace: u32) -> u32 {
        let hosted = self.hosted.borrow();
        hosted.get(self.slot() as usize).filter(|h| h.vmspace == vmspace).map_or(MOST_PAGES, |h| h.limit)
    }

    pub fn set_limit(&self, vmspace: u32, pages: u32) {
        let mut hosted = self.hosted.borrow_mut();
        let Some(h) = hosted.get_mut(self.slot() as usize).filter(|h| h.vmspace == vmspace) else { return };
        h.limit = pages;
        if let Some(seat) = &h.seat {
            seat.stub.set_limit(pages);
        }
    }

    /// A program of this lwp has begun in this memory.
    pub fn entered(&self, slot: SlotId, memory: &JsValue) {
        let vmspace = self.with_hosted(slot, |h| {
            if let Some(told) = &mut h.told {
                told.memory = Some(memory.clone().unchecked_into());
                told.tell(&self.control, h.vmspace, told.ns);
            }
            h.vmspace
        });
        self.images.entered(vmspace, memory);
    }

    /// The running lwp is over.
    pub fn gone(&self, slot: SlotId) {
        let (lwp, vmspace) = self.with_hosted(slot, |h| {
            (h.seat, h.ready, h.told) = (None, None, None);
            h.resume = Resume::Nothing;
            (h.lwp, h.vmspace)
        });
        self.images.left(vmspace);
        self.sched.borrow_mut().gone(slot);
        if lwp != BOOT_LWP {
            self.control.lwp_remove(lwp);
            self.control.add(self.control.cpu(self.nr, at::LOAD), -1);
            if let Some(interrupts) = self.interrupts.get()
                && !self.ended()
                && let Err(e) = interrupts.lwp_gone(lwp)
            {
                self.end(ToPage::panicked(&e));
            }
        }
        let now = self.leave_current();
        self.switch_at(now);
    }

    // ---- switching

    /// The running lwp's time ends here, and now, as it answers.
    fn leave_current(&self) -> u64 {
        let now = now_ns();
        let slot = self.current.take();
        let mut sched = self.sched.borrow_mut();
        sched.end(now);
        if let Some(slot) = slot
            && let Hosted { told: Some(told), vmspace, .. } = &mut self.hosted.borrow_mut()[slot as usize]
        {
            told.tell(&self.control, *vmspace, sched.slot(slot).cpu_ns);
        }
        now
    }

    /// The running lwp sleeps: its stack will go on as `resume` says. Answers what to return from
    /// a suspending import.
    pub fn suspend(&self, resume: fn(Resolve) -> Resume) -> JsValue {
        let resolvers = js::with_resolvers();
        self.with_hosted(self.slot(), |h| h.resume = resume(resolvers.resolve()));
        let now = self.leave_current();
        self.switch_at(now);
        resolvers.promise().into()
    }

    /// Runs the next lwp that is ready. Called when none runs.
    pub fn switch(&self) {
        self.switch_at(now_ns());
    }

    fn switch_at(&self, mut now: u64) {
        // Whoever asks something of this CPU changes its word.
        let called = !self.shared || self.called();
        if self.over.get() || called && self.ended() {
            self.over.set(true);
            return;
        }
        if called {
            self.do_requests();
        }
        if self.do_interrupts() {
            now = now_ns();
            // One of them may have panicked.
            if self.over.get() {
                return;
            }
        }
        if self.task_is_due(now) {
            self.flush_output();
            return self.idler().after_a_task();
        }
        let next = {
            let mut sched = self.sched.borrow_mut();
            if sched.next_deadline <= now {
                sched.expire(now);
            }
            sched.begin(now)
        };
        match next {
            Some(slot) => self.resume(slot),
            None => {
                self.flush_output();
                self.idler().rest(self);
            }
        }
    }

    /// Goes on if nothing runs: something may be ready.
    pub fn poke(&self) {
        if self.current.get().is_none() {
            self.switch();
        }
    }

    pub fn idler(&self) -> &idle::Idler {
        self.idler.get().expect("a CPU has its idler before its first lwp")
    }

    fn resume(&self, slot: SlotId) {
        self.current.set(Some(slot));
        let resume = self.with_hosted(slot, |h| std::mem::replace(&mut h.resume, Resume::Nothing));
        match resume {
            Resume::Nothing => {}
            Resume::New => {
                if let Some(cpu) = current_cpu() {
                    spawn_local(lwp::life(cpu, slot));
                }
            }
            Resume::Park(resolve) => {
                if let Some(count) = self.with_hosted(slot, |h| h.counted.take()) {
                    self.control.add(count, -1);
                }
                let woken = self.sched.borrow_mut().take_woken(slot);
                resolve.number(woken.map_or(0, |w| w as i32));
            }
            Resume::Host(resolve) => resolve.number(self.with_hosted(slot, |h| h.answer)),
            Resume::Preempt(resolve) => self.back_to_user(slot, resolve),
        }
    }

    /// Runs `work` of the engine's for the running lwp, which sleeps until it is done.
    pub fn await_host(&self, work: impl Future<Output = i32> + 'static) -> JsValue {
        let Some(cpu) = current_cpu() else { return JsValue::UNDEFINED };
        let slot = self.slot();
        let tenant = self.sched.borrow_mut().slot(slot).tenant;
        self.awaited.set(self.awaited.get() + 1);
        spawn_local(async move {
            let answer = work.await;
            cpu.awaited.set(cpu.awaited.get() - 1);
            cpu.with_hosted(slot, |h| h.answer = answer);
            cpu.sched.borrow_mut().ready(slot, tenant);
            cpu.poke();
        });
        self.suspend(Resume::Host)
    }

    /// The running lwp sleeps until a promise of the host's is kept.
    pub async fn sleep_in_host(&self, until: Promise) {
        let work = async move {
            let _ = JsFuture::from(until).await;
            0
        };
        let awake = self.await_host(work);
        let _ = JsFuture::from(awake.unchecked_into::<Promise>()).await;
    }

    /// Memories are short. Engines collect a worker's dead ones when it wants one more, but not for
    /// another worker; so the others are asked to, and the running lwp sleeps a moment.
    pub async fn collect(&self) {
        self.ask_for_collection();
        seat::evict(self, None);
        self.sleep_in_host(js::timer(COLLECT_MS)).await;
    }

    /// As [`Cpu::collect`], when the lwp sleeps already.
    pub async fn have_collected(&self) {
        self.ask_for_collection();
        self.want_collection();
        js::sleep(COLLECT_MS).await;
    }

    fn want_collection(&self) {
        seat::evict(self, None);
        js::want_collection();
    }

    /// The kernel has forgotten this image.
    pub fn forget(&self, image: u32) {
        self.images.forget(image);
        seat::evict(self, Some(image));
    }

    fn ask_for_collection(&self) {
        for nr in (0..self.bells.len() as u32).filter(|&nr| nr != self.nr) {
            self.request(nr, Request::Collect);
        }
    }

    // ---- requests of other CPUs

    /// Does what other CPUs have asked for. No lwp of this CPU runs in the kernel.
    pub fn do_requests(&self) {
        if !self.shared {
            return;
        }
        let (requests, dropped) = self.control.requests(self.nr);
        for request in requests {
            match request {
                Request::Create { lwp, vmspace, limit } => self.create(&New { lwp, vmspace, limit }, None),
                Request::Unpark { word, n } => _ = self.sched.borrow_mut().unpark(word, n),
                Request::Kick { lwp, how } => self.sched.borrow_mut().kick(lwp, how),
                Request::Refill { unit } => messages::refill(self, unit),
                Request::Close { image } => self.forget(image),
                Request::Collect => self.want_collection(),
            }
        }
        if dropped {
            let mut sched = self.sched.borrow_mut();
            sched.unpark_all();
            sched.kick_all();
        }
    }

    // ---- interrupts

    /// Interrupts the kernel as soon as no lwp of this CPU is in it.
    pub fn raise(&self, irq: u32, arg: u32) {
        if !self.raised.borrow().contains(&(irq, arg)) {
            self.raised.borrow_mut().push((irq, arg));
        }
        if self.current.get().is_none() {
            self.do_interrupts();
        }
    }

    /// Answers whether there were any.
    fn do_interrupts(&self) -> bool {
        let mut any = false;
        if self.interrupted.replace(true) {
            return any;
        }
        loop {
            let first = self.raised.borrow().first().copied();
            let Some((irq, arg)) = first else {
                self.interrupted.set(false);
                return any;
            };
            any = true;
            self.raised.borrow_mut().remove(0);
            self.interrupt(irq, arg);
        }
    }

    fn interrupt(&self, irq: u32, arg: u32) {
        if self.ended() {
            return;
        }
        if let Some(interrupts) = self.interrupts.get()
            && let Err(e) = interrupts.intr(irq, arg)
            && !self.ended()
        {
            self.end(ToPage::panicked(&e));
        }
    }

    // ---- preemption

    pub fn mail_waits(&self) -> bool {
        self.shared && self.control.load(self.control.cpu(self.nr, at::MAIL)) != self.mail_seen.get()
    }

    /// Whether another CPU or the page has changed this one's word since it was last asked: it has requests or messages, or the
    /// vkernel has ended.
    fn called(&self) -> bool {
        let word = self.control.load(self.control.cpu(self.nr, at::WAKE));
        let called = self.wake_seen.replace(word) != word;
        if called {
            self.mail.set(true);
        }
        called
    }

    /// Whether the event loop must have its turn before another lwp does.
    fn task_is_due(&self, now: u64) -> bool {
        let since = now.saturating_sub(self.task_ns.get());
        if self.shared && self.awaited.get() == 0 {
            if self.mail.get() {
                self.mail.set(self.mail_waits());
            }
            return self.mail.get() || since >= REST_NS;
        }
        since >= TASK_NS
    }

    /// How many checks a program passes until it asks again.
    fn adapt_budget(&self, now: u64) {
        let bell = &self.bell_words[self.nr as usize];
        let took = now.saturating_sub(self.looked_ns.replace(now)).max(1);
        // One that was rung for says nothing about how long the budget lasts.
        if bell.get_index(1) < 0 {
            let had = i64::from(self.budget.get());
            let budget = (had * LOOK_NS as i64 / took as i64).clamp((had / 8).max(1), had * 2);
            self.budget.set(budget.min(i64::from(BUDGET_MAX)) as i32);
        }
        bell.set_index(0, 0);
        bell.set_index(1, self.budget.get());
    }

    /// `vk.preempt`: the program has run for a while, or somebody rang. Answers 0 to go on, 1 to leave
    /// user code, or a promise of one of them.
    pub fn preempt(&self) -> JsValue {
        let now = now_ns();
        self.adapt_budget(now);
        let slot = self.slot();
        self.sched.borrow_mut().slot(slot).preempted = true;
        self.do_requests();
        self.do_interrupts();
        // A program that computes for long may have said so before.
        self.flush_output();
        let lwp = self.with_hosted(slot, |h| h.lwp);
        if now.saturating_sub(self.ticked_ns.get()) >= SLICE_NS {
            self.ticked_ns.set(now);
            self.interrupt(irq::TICK, lwp);
        }
        if self.ended() {
            return 1.into();
        }
        let turn_over = {
            let mut sched = self.sched.borrow_mut();
            sched.expire(now);
            let had = now.saturating_sub(sched.running_since());
            sched.has_ready() && had >= SLICE_NS || had >= WOKEN_NS && sched.has_woken()
        };
        self.mail.set(true);
        let task = self.task_is_due(now);
        if self.is_kicked(slot) || task || turn_over {
            self.sched.borrow_mut().yield_now(slot);
            if task && let Some(bell) = self.bell_words.get(self.nr as usize) {
                // After so long in the event loop the measure of time is off.
                bell.set_index(1, self.budget.get() / 2);
            }
            return self.suspend(Resume::Preempt);
        }
        self.sched.borrow_mut().slot(slot).preempted = false;
        0.into()
    }

    fn is_kicked(&self, slot: SlotId) -> bool {
        let mut sched = self.sched.borrow_mut();
        let s = sched.slot(slot);
        s.kicked || s.held || s.signaled
    }

    /// A preempted lwp has the CPU again. If it was kicked the kernel says first whether and how it goes on.
    fn back_to_user(&self, slot: SlotId, resolve: Resolve) {
        let kicked = self.is_kicked(slot);
        {
            let mut sched = self.sched.borrow_mut();
            let s = sched.slot(slot);
            (s.kicked, s.held, s.signaled, s.preempted) = (false, false, false, false);
        }
        self.looked_ns.set(now_ns());
        if !kicked {
            return resolve.number(0);
        }
        let (lwp, seat) = self.with_hosted(slot, |h| (h.lwp, h.seat.clone()));
        if let (Some(cpu), Some(seat)) = (current_cpu(), seat) {
            spawn_local(async move { lwp::kicked(&cpu, slot, lwp, &seat, resolve).await });
        }
    }

    /// `lwp_kick`: at once for an lwp of this CPU.
    pub fn kick(&self, lwp: u32, how: u32) {
        if self.sched.borrow_mut().find(lwp).is_some() {
            return self.sched.borrow_mut().kick(lwp, how);
        }
        if how != kick::GO
            && let Some(nr) = self.control.lwp_cpu(lwp)
            && nr != self.nr
        {
            self.request(nr, Request::Kick { lwp, how });
        }
    }

    // ---- output

    /// Lets the page have what programs have written.
    pub fn flush_output(&self) {
        messages::flush(self);
    }
}

thread_local! {
    static CPU: OnceCell<Rc<Cpu>> = const { OnceCell::new() };
}

/// The CPU of this worker.
pub fn current_cpu() -> Option<Rc<Cpu>> {
    CPU.with(|cpu| cpu.get().cloned())
}

pub fn set_current_cpu(cpu: &Rc<Cpu>) {
    CPU.with(|own| _ = own.set(cpu.clone()));
}

/// A closure that lives as long as the worker.
pub fn forever(f: impl FnMut() + 'static) -> Function {
    Closure::<dyn FnMut()>::new(f).into_js_value().unchecked_into()
}
