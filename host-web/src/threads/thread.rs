//! A thread: a worker that runs one lwp after another, each on the worker's own stack.
//!
//! Its life: made by the service; idle; given an lwp, which it runs from `lwp_next(Start)` to `Gone`; idle again. It blocks
//! where its lwp sleeps, so nothing of it is asynchronous but the wait for a compiled program and long idleness.
//!
//! Kernel code of an lwp runs on that lwp's kernel stack; what is on nobody's account (`kstack`, `lwp_gone`, ticks) on the
//! thread's own, which is one of those that CPUs have for interrupts.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use abi::trapframe::{FIRST_VMSPACE, Next, Reason, irq};
use js_sys::{Array, BigInt, Function, WebAssembly};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::board::{Board, NOBODY, Waited, at, state, wait};
use super::calls::{self, leave};
use super::link::{Link, op};
use super::memory::Hands;
use crate::cpu::BOOT_LWP;
use crate::forked::fill;
use crate::frames;
use crate::images::{self, Image, Images};
use crate::js::{self, Resolve};
use crate::kernel::{self, Interrupts, instantiate};
use crate::kmem::KernelMemory;
use crate::lwp::{Left, SIGNAL, out_of, program, why_left};
use crate::numbered::Numbered;
use crate::stub::Stub;

/// Programs are to be looked at about so often.
const LOOK_NS: u64 = 1_000_000;
/// CPU time is accounted and limits are looked at so often.
const TICK_NS: u64 = 10_000_000;
const BUDGET_MAX: i32 = 1 << 22;
/// Idle threads block for so long. Then they wait in the event loop, where the engine collects garbage.
const IDLE_MS: f64 = 100.0;

/// The thread's instance of the kernel.
struct Instance {
    calls: Interrupts,
    next: Function,
    table: WebAssembly::Table,
}

pub struct Thread {
    pub nr: u32,
    pub link: Rc<Link>,
    /// Those that were posted to this thread, and programs on their way from the kernel to the service.
    pub images: Images,
    instance: OnceCell<Instance>,
    /// With a bell of this thread's own.
    stub: OnceCell<Stub>,
    hands: Hands,
    left: frames::Left,
    own_stack: Cell<u32>,
    lwp_stack: Cell<u32>,
    lwp: Cell<u32>,
    vmspace: Cell<u32>,
    /// The image that the lwp runs.
    image: Cell<u32>,
    /// The address space that the lwp has forked and that has no lwp yet; or 0.
    pub(super) forks: Cell<u32>,
    /// Of a forked lwp that is on its way here: its image, and what its memory will be.
    came: RefCell<Option<(u32, JsValue)>>,
    /// What `lwp_next` said when the lwp was made to leave user code.
    next: Cell<Option<i64>>,
    /// Pages that images begin with, and the limits in pages of address spaces that have no thread yet.
    pub(super) pages: RefCell<Numbered<u32>>,
    pub(super) limits: RefCell<Numbered<u32>>,
    /// The image that is on its way here.
    wanted: RefCell<Option<Resolve>>,
    /// What the idle thread waits for in its event loop.
    nudged: RefCell<Option<Resolve>>,
    began_ns: Cell<u64>,
    slept_ns: Cell<u64>,
    budget: Cell<i32>,
    looked_ns: Cell<u64>,
    ticked_ns: Cell<u64>,
}

/// The worker's entry. `message` is what `service::start` posts.
pub fn thread(message: &JsValue) {
    match Thread::new(message) {
        Ok(thread) => spawn_local(async move {
            if let Err(e) = thread.live().await
                && !thread.link.ended()
            {
                thread.link.panicked(&kernel::epitaph(&e));
            }
        }),
        Err(e) => wasm_bindgen::throw_val(e),
    }
}

impl Thread {
    fn new(message: &JsValue) -> Result<Rc<Thread>, JsValue> {
        let get = |name| js::get(message, name);
        let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        let to_service = scope.clone();
        let send = move |message: &Array, transferred: &Array| {
            // Numbers, texts, bytes: they can be cloned.
            let _ = to_service.post_message_with_transfer(message, transferred);
        };
        let board = Board::over(get("board"), get("bells"));
        let kmem = KernelMemory::over(get("kmem"));
        let link = Link::new(get("control"), kmem, board, get("clock"), js::number(message, "origin"), send);
        let link = Rc::new(link);
        let nr = js::number(message, "thread") as u32;
        let stub = js_sys::Uint8Array::from(loader::web_stub_module_at(Board::bell_offset(nr)).as_slice());
        let now = link.now_ns();
        let thread = Rc::new(Thread {
            nr,
            images: Images::default(),
            instance: OnceCell::new(),
            stub: OnceCell::new(),
            left: frames::Left::default(),
            hands: Hands::new(&link, get("user_hand"), get("kernel_hand")),
            own_stack: Cell::new(js::number(message, "stack") as u32),
            lwp_stack: Cell::new(0),
            lwp: Cell::new(NOBODY),
            vmspace: Cell::new(0),
            image: Cell::new(0),
            forks: Cell::new(0),
            came: RefCell::default(),
            next: Cell::new(None),
            pages: RefCell::default(),
            limits: RefCell::default(),
            wanted: RefCell::default(),
            nudged: RefCell::default(),
            began_ns: Cell::new(now),
            slept_ns: Cell::new(0),
            budget: Cell::new(1024),
            looked_ns: Cell::new(now),
            ticked_ns: Cell::new(now),
            link,
        });
        let exports = instantiate(&get("kernel"), &calls::imports(&thread.link, Some(thread.clone()))?)?;
        let of = thread.clone();
        let preempt = Closure::<dyn FnMut() -> i32>::new(move || of.preempt());
        let bells = &thread.link.board.bells;
        let stub = WebAssembly::Module::new(&stub)?.into();
        _ = thread.stub.set(Stub::new(&stub, &exports, bells, &preempt.into_js_value())?);
        _ = thread.instance.set(Instance {
            next: js::function(&exports, "lwp_next")?,
            table: js::get(&exports, "__indirect_function_table").unchecked_into(),
            calls: Interrupts::over(exports)?,
        });
        let of = thread.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| of.message(&event.data()));
        scope.set_onmessage(Some(came.into_js_value().unchecked_ref()));
        Ok(thread)
    }

    fn board(&self) -> &Board {
        &self.link.board
    }
    fn stub(&self) -> &Stub {
        self.stub.get().expect("a thread has its stub before its first lwp")
    }
    fn instance(&self) -> &Instance {
        self.instance.get().expect("a thread has its instance before its first lwp")
    }
    pub fn lwp(&self) -> u32 {
        self.lwp.get()
    }
    pub fn vmspace(&self) -> u32 {
        self.vmspace.get()
    }
    pub fn image_number(&self) -> u32 {
        self.image.get()
    }
    /// What the lwp's memory holds.
    pub fn copy(&self) -> Result<JsValue, JsValue> {
        self.hands.copy()
    }
    pub fn memory_size(&self) -> u64 {
        self.hands.size()
    }

    // ---- from lwp to lwp

    async fn live(&self) -> Result<(), JsValue> {
        // The first thread has its job before it is here. Others may follow one that has left.
        let mut jobs = if self.board().is(self.nr, state::COMING) { self.board().load(self.nr, at::JOBS) } else { 0 };
        if self.board().turn(self.nr, state::COMING, state::IDLE) {
            self.link.tell(op::UP, &[], &JsValue::UNDEFINED);
        }
        while self.job(&mut jobs).await {
            let job = |word| self.board().load(self.nr, word) as u32;
            let (mut lwp, mut vmspace) = (job(at::LWP), job(at::VMSPACE));
            if lwp == BOOT_LWP {
                (lwp, vmspace) = (self.boot()?, FIRST_VMSPACE);
                self.board().store(self.nr, at::LWP, lwp as i32);
                self.board().store(self.nr, at::VMSPACE, vmspace as i32);
            }
            self.lwp.set(lwp);
            self.stub().set_lwp(lwp);
            self.vmspace.set(vmspace);
            let mut forked = None;
            if self.board().exchange(self.nr, at::FORKED, 0) != 0 {
                match self.forked().await {
                    Ok(exports) => forked = Some(exports),
                    Err(e) => {
                        self.leave_lwp()?;
                        self.board().store(self.nr, at::STATE, state::IDLE);
                        self.link.tell(op::FORKED, &[f64::from(e as i32)], &JsValue::UNDEFINED);
                        continue;
                    }
                }
                self.link.tell(op::FORKED, &[0.0], &JsValue::UNDEFINED);
            }
            self.run(lwp, forked).await?;
            self.gone(lwp)?;
        }
        Ok(())
    }

    /// Waits for an lwp. False when the vkernel has ended, or this thread is to.
    async fn job(&self, jobs: &mut i32) -> bool {
        let (words, word) = (self.board().words(), Board::index(self.nr, at::JOBS));
        while !self.link.ended() {
            let given = self.board().load(self.nr, at::JOBS);
            if given != *jobs {
                *jobs = given;
                self.board().store(self.nr, at::LOOPING, 0);
                return true;
            }
            if self.board().is(self.nr, state::LEAVING) {
                self.link.tell(op::LEFT, &[], &JsValue::UNDEFINED);
                return false;
            }
            if self.board().load(self.nr, at::LOOPING) == 0 && wait(words, word, given, IDLE_MS) != Waited::TimedOut {
                continue;
            }
            // Whoever gives it an lwp sees this word, or the look at the jobs after this sees the lwp.
            if self.board().exchange(self.nr, at::LOOPING, 1) == 1 {
                let resolvers = js::with_resolvers();
                self.nudged.replace(Some(resolvers.resolve()));
                let _ = wasm_bindgen_futures::JsFuture::from(resolvers.promise()).await;
                self.board().store(self.nr, at::LOOPING, 0);
            }
        }
        false
    }

    /// Boots the kernel, on the linker's stack, and answers its first lwp.
    fn boot(&self) -> Result<u32, JsValue> {
        let calls = &self.instance().calls;
        for name in ["boot", "start"] {
            kernel::booted(name, calls.number(name, &[])?)?;
        }
        let lwp = calls.number("first_lwp", &[])? as u32;
        self.own_stack.set(calls.number("cpu_stack", &[])? as u32);
        self.link.tell(op::BOOTED, &[], &JsValue::UNDEFINED);
        Ok(lwp)
    }

    /// `forked` is the instance, with its memory filled, that a forked lwp begins with.
    async fn run(&self, lwp: u32, mut forked: Option<JsValue>) -> Result<(), JsValue> {
        let calls = &self.instance().calls;
        calls.set_stack(self.own_stack.get());
        self.lwp_stack.set(calls.kstack(lwp)?);
        let now = self.link.now_ns();
        self.began_ns.set(now);
        self.slept_ns.set(0);
        self.ticked_ns.set(now);
        let (mut reason, mut detail) = (Reason::Start, 0);
        loop {
            // A kick may have asked already.
            let next = match self.next.take() {
                Some(next) => next,
                None => self.lwp_next(reason, detail)?,
            };
            let left = match Next::decode(next) {
                Next::Gone => return Ok(()),
                Next::Run { image } => self.user(image, forked.take()).await,
                Next::Signal => self.enter(self.stub().deliver()),
                Next::Resume => return Err(JsError::new("lwp_next: nothing to resume").into()),
            };
            (reason, detail) = match left {
                Ok(()) => (Reason::Returned, 0),
                Err(Left::Fault(reason)) => (reason, 0),
                Err(Left::NotSetUp(errno)) => (Reason::ExecFailed, errno as u32),
                Err(Left::Broken(e)) => return Err(e),
            };
        }
    }

    /// `lwp_next`, from the top of the lwp's kernel stack. Blocks.
    fn lwp_next(&self, reason: Reason, detail: u32) -> Result<i64, JsValue> {
        let instance = self.instance();
        instance.calls.set_stack(self.lwp_stack.get());
        let (lwp, reason) = (self.lwp().into(), (reason as u32).into());
        let next = instance.next.call3(&JsValue::UNDEFINED, &lwp, &reason, &detail.into())?;
        i64::try_from(next.unchecked_into::<BigInt>()).map_err(|_| JsError::new("lwp_next: not an i64").into())
    }

    /// The lwp is over. Nobody may find it here once the kernel uses its number again.
    fn gone(&self, lwp: u32) -> Result<(), JsValue> {
        self.leave_lwp()?;
        let calls = &self.instance().calls;
        calls.set_stack(self.own_stack.get());
        calls.lwp_gone(lwp)?;
        self.board().store(self.nr, at::STATE, state::IDLE);
        Ok(())
    }

    fn leave_lwp(&self) -> Result<(), JsValue> {
        self.board().store(self.nr, at::LWP, NOBODY as i32);
        self.lwp.set(NOBODY);
        let instance = self.instance();
        self.left.reach(false);
        self.hands.unbind(&instance.table, instance.calls.first_slot)?;
        self.stub().set_handler(&JsValue::UNDEFINED);
        Ok(())
    }

    // ---- user code

    /// Sets a program up in its address space and runs it.
    async fn user(&self, number: u32, forked: Option<JsValue>) -> Result<(), Left> {
        if forked.is_none() {
            self.left.reach(false);
        }
        let image = self.image(number).await.ok_or(Left::NotSetUp(abi::Errno::ENOENT))?;
        self.image.set(number);
        self.stub().reset();
        // What the program does before its entry point the parent has done.
        let start = if forked.is_none() { &image.program.start } else { &None };
        let exports = match forked {
            Some(exports) => exports,
            None => self.instance_of(&image, None)?,
        };
        self.looked_ns.set(self.link.now_ns());
        self.board().set_budget(self.nr, self.budget.get());
        for entry in start.iter().map(String::as_str).chain(["_start"]) {
            let entry = js::function(&exports, entry).map_err(|_| Left::NotSetUp(abi::Errno::ENOEXEC))?;
            self.enter(&entry)?;
        }
        Ok(())
    }

    /// What a forked lwp begins with, once it has come here.
    async fn forked(&self) -> Result<JsValue, abi::Errno> {
        let (number, contents) = loop {
            if let Some(came) = self.came.take() {
                break came;
            }
            self.posted().await;
        };
        let image = self.images.get(number).ok_or(abi::Errno::ENOENT)?;
        match self.instance_of(&image, Some(&contents)) {
            Err(Left::NotSetUp(errno)) => Err(errno),
            made => made.map_err(|_| abi::Errno::ENOMEM),
        }
    }

    /// An instance of a program; its memory begins as `contents`, if there are any.
    fn instance_of(&self, image: &Image, contents: Option<&JsValue>) -> Result<JsValue, Left> {
        loop {
            match self.instantiate(image, contents).map_err(|e| out_of(self.link.ended(), e)) {
                // The dead of idle threads may be what there is no room for.
                Err(Left::NotSetUp(abi::Errno::ENOMEM)) if self.ask(op::MEMORY, &[], &JsValue::UNDEFINED).0 == 0 => {}
                made => return made,
            }
        }
    }

    /// For the kernel: where the program was when it was left.
    pub(super) fn frames(&self) -> Option<Vec<u32>> {
        let image = self.images.get(self.image.get());
        self.left.frames(image.as_ref().map(|image| &image.module))
    }

    /// Calls user code.
    fn enter(&self, entry: &Function) -> Result<(), Left> {
        match entry.call0(&JsValue::UNDEFINED) {
            Ok(_) => Ok(()),
            Err(e) => Err(why_left(self.link.ended(), self.stub(), &self.left, e)),
        }
    }

    /// Whether the program has signal handlers.
    pub(super) fn has_handler(&self) -> bool {
        self.stub().has_handler()
    }

    /// The program gets no more memory than its limit.
    pub(super) fn bound(&self) {
        self.stub().set_limit(self.board().load(self.nr, at::LIMIT) as u32);
    }

    /// An instance of a program, whose memory the kernel reaches. Answers the exports.
    fn instantiate(&self, image: &Image, contents: Option<&JsValue>) -> Result<JsValue, JsValue> {
        self.bound();
        let (exports, memory) = program(self.stub(), image)?;
        contents.map_or(Ok(()), |contents| fill(&memory, contents))?;
        self.stub().set_handler(&exports);
        let instance = self.instance();
        self.hands.bind(&instance.table, instance.calls.first_slot, &memory)?;
        self.left.reach(true);
        Ok(exports)
    }

    /// A compiled program, from the service if this thread has not run it before.
    async fn image(&self, number: u32) -> Option<Rc<Image>> {
        if let Some(image) = self.images.get(number) {
            return Some(image);
        }
        self.link.tell(op::WANT, &[number.into()], &JsValue::UNDEFINED);
        self.posted().await;
        self.images.get(number)
    }

    /// The service has posted something.
    async fn posted(&self) {
        let resolvers = js::with_resolvers();
        self.wanted.replace(Some(resolvers.resolve()));
        let _ = wasm_bindgen_futures::JsFuture::from(resolvers.promise()).await;
    }

    /// `[image, module]`, for a forked lwp with what its memory will be; or null: look at the board.
    fn message(&self, message: &JsValue) {
        if message.is_null() {
            if let Some(resolve) = self.nudged.take() {
                resolve.number(0);
            }
            return;
        }
        let message: &Array = message.unchecked_ref();
        let number = message.get(0).as_f64().unwrap_or(0.0) as u32;
        if let Some(image) = Some(message.get(1)).filter(|m| !m.is_undefined()).and_then(|m| Image::of(m).ok()) {
            // One that a program has made is run here now, and hardly ever again.
            self.images.keep_blobs();
            self.images.add(number, image);
        }
        let contents = message.get(2);
        if !contents.is_undefined() {
            self.came.replace(Some((number, contents)));
        }
        if let Some(resolve) = self.wanted.take() {
            resolve.number(0);
        }
    }

    // ---- sleep

    /// Runs `f`, which blocks. The time is not the lwp's.
    fn asleep<R>(&self, f: impl FnOnce() -> R) -> R {
        let from = self.link.now_ns();
        self.board().store(self.nr, at::CPU_US, (self.cpu_ns_at(from) / 1000) as i32);
        self.board().store(self.nr, at::PAGES, (self.memory_size() >> 16) as i32);
        let r = f();
        self.slept_ns.set(self.slept_ns.get() + self.link.now_ns().saturating_sub(from));
        if self.link.ended() {
            leave("the vkernel has ended");
        }
        r
    }

    fn cpu_ns_at(&self, now: u64) -> u64 {
        now.saturating_sub(self.began_ns.get()).saturating_sub(self.slept_ns.get())
    }
    pub fn cpu_ns(&self) -> u64 {
        self.cpu_ns_at(self.link.now_ns())
    }

    /// The hypercall: 0 woken, 1 changed, 2 timed out.
    pub fn park(&self, word: u32, expected: u32, deadline: u64) -> u32 {
        self.board().store(self.nr, at::PARKED, word as i32);
        let how = self.asleep(|| {
            while !self.link.ended() {
                let now = self.link.now_ns();
                let left_ms =
                    if deadline == u64::MAX { f64::INFINITY } else { deadline.saturating_sub(now) as f64 / 1e6 };
                match wait(self.link.kernel_words(), word >> 2, expected as i32, left_ms) {
                    Waited::Notified => return 0,
                    Waited::Changed => return 1,
                    Waited::TimedOut if self.link.now_ns() >= deadline => return 2,
                    // The engine's clock and ours differ by a little.
                    Waited::TimedOut => {}
                }
            }
            0
        });
        self.board().store(self.nr, at::PARKED, 0);
        how
    }

    /// Asks the service and blocks until it has answered.
    pub fn ask(&self, op: u32, numbers: &[f64], extra: &JsValue) -> (i32, i32) {
        self.answer_to(|link| link.tell(op, numbers, extra))
    }

    /// As `ask`, of what `question` sends.
    pub(super) fn answer_to(&self, question: impl FnOnce(&Link)) -> (i32, i32) {
        let asked = self.board().load(self.nr, at::ANSWERS);
        question(&self.link);
        self.asleep(|| {
            while self.board().load(self.nr, at::ANSWERS) == asked && !self.link.ended() {
                wait(self.board().words(), Board::index(self.nr, at::ANSWERS), asked, f64::INFINITY);
            }
        });
        (self.board().load(self.nr, at::ANSWER), self.board().load(self.nr, at::ANSWER_HIGH))
    }

    // ---- preemption

    /// `vk.preempt`: the program has run for a while, or somebody rang. Answers 0 to go on, 1 to leave user code. Blocks
    /// while the lwp is stopped.
    fn preempt(&self) -> i32 {
        let now = self.link.now_ns();
        self.adapt_budget(now);
        if now.saturating_sub(self.ticked_ns.get()) >= TICK_NS {
            self.ticked_ns.set(now);
            let calls = &self.instance().calls;
            calls.set_stack(self.own_stack.get());
            if let Err(e) = calls.intr(irq::TICK, self.lwp()) {
                return self.broken(&e);
            }
            calls.set_stack(self.lwp_stack.get());
        }
        if self.board().set_bell(self.nr, 0) == 0 {
            return 0;
        }
        if self.link.ended() {
            return 1;
        }
        match self.lwp_next(Reason::Kicked, 0) {
            Ok(next) if matches!(Next::decode(next), Next::Resume | Next::Signal) => {
                self.looked_ns.set(self.link.now_ns());
                if Next::decode(next) == Next::Signal { SIGNAL } else { 0 }
            }
            Ok(next) => {
                self.next.set(Some(next));
                1
            }
            Err(e) => self.broken(&e),
        }
    }

    /// The kernel's fault: user code is left, and the vkernel ends.
    fn broken(&self, e: &JsValue) -> i32 {
        if !self.link.ended() {
            self.link.panicked(&kernel::epitaph(e));
        }
        1
    }

    /// How many checks a program passes until it asks again.
    fn adapt_budget(&self, now: u64) {
        let took = now.saturating_sub(self.looked_ns.replace(now)).max(1);
        let budget = i64::from(self.budget.get());
        let wanted = (budget * LOOK_NS as i64 / took as i64).clamp((budget / 8).max(1), budget * 2);
        self.budget.set(wanted.min(i64::from(BUDGET_MAX)) as i32);
        self.board().set_budget(self.nr, self.budget.get());
    }

    // ---- images

    /// `image_commit`.
    pub fn commit(&self, handle: u32) -> i32 {
        match self.images.take(handle) {
            Some(bytes) => self.ask_for_image(op::IMAGE_COMMIT, &[], &bytes),
            None => -(abi::Errno::EINVAL as i32),
        }
    }

    /// `image_blob`.
    pub fn blob(&self, blob: u32) -> i32 {
        let number = images::BLOB | blob;
        if self.pages.borrow().contains(number) {
            return number as i32;
        }
        self.ask_for_image(op::IMAGE_BLOB, &[blob.into()], &JsValue::UNDEFINED)
    }

    fn ask_for_image(&self, op: u32, numbers: &[f64], extra: &JsValue) -> i32 {
        let (image, pages) = self.ask(op, numbers, extra);
        if image >= 0 {
            self.pages.borrow_mut().insert(image as u32, pages as u32);
        }
        image
    }
}
