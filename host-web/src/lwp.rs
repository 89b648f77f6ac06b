//! An lwp: the loop around user code, and how user code is left.

use std::rc::Rc;

use abi::Errno;
use abi::trapframe::{Next, Reason};
use js_sys::{Function, Promise, Reflect, WebAssembly};
use loader::{Import, Memory};
use sched::SlotId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::cpu::Cpu;
use crate::forked::Ready;
use crate::frames;
use crate::images::Image;
use crate::js::{self, Resolve};
use crate::kernel::instantiate;
use crate::messages::ToPage;
use crate::seat::Seat;
use crate::stub::Stub;

/// Values of the stub's `state`.
mod state {
    pub const KERNEL: i32 = 1;
    pub const LEAVING: i32 = 2;
    pub const KICKED: i32 = 3;
}

/// What `preempt` answers when a handler is to run first.
pub const SIGNAL: i32 = 2;

/// The life of an lwp, until the kernel says that it is gone or the vkernel ends.
pub async fn life(cpu: Rc<Cpu>, slot: SlotId) {
    if let Err(e) = run(&cpu, slot).await
        && !cpu.ended()
    {
        cpu.end(ToPage::panicked(&e));
    }
    cpu.gone(slot);
}

async fn run(cpu: &Rc<Cpu>, slot: SlotId) -> Result<(), JsValue> {
    let lwp = cpu.with_hosted(slot, |h| h.lwp);
    let interrupts = cpu.interrupts.get().ok_or_else(|| JsError::new("an lwp before boot"))?;
    let mut ready = cpu.with_hosted(slot, |h| h.ready.take());
    let mut seat = match &ready {
        Some(ready) => ready.seat.clone(),
        None => Seat::take(cpu)?,
    };
    let stack = interrupts.kstack(lwp)?;
    seat.seat(lwp, stack);
    cpu.with_hosted(slot, |h| h.seat = Some(seat.clone()));
    let (mut reason, mut detail) = (Reason::Start, 0);
    loop {
        // A kick may have asked already.
        let next = match cpu.with_hosted(slot, |h| h.next.take()) {
            Some(next) => next,
            None => seat.kernel.next(lwp, reason as u32, detail).await?,
        };
        let left = match Next::decode(next) {
            Next::Gone => break,
            Next::Run { image } => {
                if ready.is_none() && seat.has_resident() {
                    seat = moved(cpu, slot, lwp, stack, seat);
                }
                user(cpu, slot, &seat, image, ready.take()).await
            }
            Next::Signal => deliver(cpu, &seat).await,
            Next::Resume => return Err(JsError::new("lwp_next: nothing to resume").into()),
        };
        (reason, detail) = match left {
            Ok(()) => (Reason::Returned, 0),
            Err(Left::Fault(reason)) => (reason, 0),
            Err(Left::NotSetUp(errno)) => (Reason::ExecFailed, errno as u32),
            Err(Left::Broken(e)) => return Err(e),
        };
        seat.reset();
    }
    cpu.with_hosted(slot, |h| h.seat = None);
    seat.give_back(cpu);
    Ok(())
}

/// Another program: the one that it leaves may stay for others. The new seat, or the old one where there is no room.
fn moved(cpu: &Cpu, slot: SlotId, lwp: u32, stack: u32, old: Rc<Seat>) -> Rc<Seat> {
    let Ok(seat) = Seat::take(cpu) else { return old };
    cpu.with_hosted(slot, |h| h.seat = Some(seat.clone()));
    seat.seat(lwp, stack);
    old.give_back(cpu);
    seat
}

/// An lwp that was preempted is asked for: the kernel says whether it goes on in user code.
pub async fn kicked(cpu: &Rc<Cpu>, slot: SlotId, lwp: u32, seat: &Seat, resolve: Resolve) {
    match seat.kernel.next(lwp, Reason::Kicked as u32, 0).await {
        Ok(next) if Next::decode(next) == Next::Resume => resolve.number(0),
        Ok(next) if Next::decode(next) == Next::Signal => resolve.number(SIGNAL),
        Ok(next) => {
            cpu.with_hosted(slot, |h| h.next = Some(next));
            resolve.number(1);
        }
        Err(e) if !cpu.ended() => cpu.end(ToPage::panicked(&e)),
        Err(_) => {}
    }
}

/// How user code was left, but for a return of its entry point.
pub enum Left {
    Fault(Reason),
    NotSetUp(Errno),
    /// The kernel's fault, or the machine's.
    Broken(JsValue),
}

/// Calls the handler of a fault, on the empty stack that the fault has left.
async fn deliver(cpu: &Rc<Cpu>, seat: &Seat) -> Result<(), Left> {
    run_entry(seat.stub.deliver()).await.map_err(|e| why_left(cpu.ended(), &seat.stub, &seat.left, e))
}

/// Sets a program up in its address space and runs it.
async fn user(cpu: &Rc<Cpu>, slot: SlotId, seat: &Seat, number: u32, ready: Option<Ready>) -> Result<(), Left> {
    seat.left.reach(false);
    let image = image_for(cpu, slot, number).await?;
    let limit = cpu.with_hosted(slot, |h| {
        h.image = number;
        h.limit
    });
    seat.stub.set_limit(limit);
    // What the program does before its entry point the parent has done.
    let start = if ready.is_none() { &image.program.start } else { &None };
    let (exports, memory) = match ready {
        Some(ready) => (ready.exports, ready.memory),
        None if image.pages() > limit => return Err(Left::NotSetUp(Errno::ENOMEM)),
        None => instance(cpu, seat, &image).await?,
    };
    let stays = image.program.serves_again;
    seat.enter(cpu, number, &exports, &memory, stays).map_err(|e| out_of(cpu.ended(), e))?;
    seat.left.reach(true);
    cpu.entered(slot, &memory);

    for entry in start.iter().map(String::as_str).chain(["_start"]) {
        let entry = js::function(&exports, entry).map_err(|_| Left::NotSetUp(Errno::ENOEXEC))?;
        if let Err(e) = run_entry(&entry).await {
            return Err(why_left(cpu.ended(), &seat.stub, &seat.left, e));
        }
    }
    Ok(())
}

/// Tries to make the program's instance this often where memories are short.
pub const TRIES: u32 = 4;

/// The program's instance. Where there is no room for its memory, there may be when the dead ones are gone.
async fn instance(cpu: &Rc<Cpu>, seat: &Seat, image: &Image) -> Result<(JsValue, JsValue), Left> {
    for _ in 1..TRIES {
        match program(&seat.stub, image).map_err(|e| out_of(cpu.ended(), e)) {
            Err(Left::NotSetUp(Errno::ENOMEM)) => cpu.collect().await,
            made => return made,
        }
    }
    program(&seat.stub, image).map_err(|e| out_of(cpu.ended(), e))
}

/// The program.
async fn image_for(cpu: &Rc<Cpu>, slot: SlotId, image: u32) -> Result<Rc<Image>, Left> {
    if let Some(image) = cpu.images.get(image) {
        return Ok(image);
    }
    posted(cpu, slot, cpu.images.wait_for(cpu, image)).await?.ok_or(Left::NotSetUp(Errno::ENOENT))
}

/// What another CPU posts. The kernel thinks that the lwp is in user code already: it may be killed while it waits.
async fn posted<T>(cpu: &Rc<Cpu>, slot: SlotId, what: impl Future<Output = T>) -> Result<T, Left> {
    cpu.sched.borrow_mut().slot(slot).preempted = true;
    let what = what.await;
    let killed = {
        let mut sched = cpu.sched.borrow_mut();
        let s = sched.slot(slot);
        // A stop is sat out at its first call.
        (s.preempted, s.held) = (false, false);
        std::mem::take(&mut s.kicked)
    };
    if killed { Err(Left::Fault(Reason::Kicked)) } else { Ok(what) }
}

async fn run_entry(entry: &Function) -> Result<(), JsValue> {
    let promise = js::promising(entry)?.call0(&JsValue::UNDEFINED)?;
    JsFuture::from(promise.unchecked_into::<Promise>()).await.map(|_| ())
}

/// The program's instance: its exports and its memory.
pub fn program(stub: &Stub, image: &Image) -> Result<(JsValue, JsValue), JsValue> {
    let pages = u32::try_from(image.program.pages).unwrap_or(u32::MAX);
    let memory = |max: Option<u64>| {
        let descriptor = js::object(&[("initial", &pages.into())]);
        if let Some(max) = max {
            let _ = Reflect::set(&descriptor, &"maximum".into(), &(max as f64).into());
        }
        WebAssembly::Memory::new(&descriptor).map(JsValue::from)
    };
    let imported = image.program.imports.iter().find_map(|import| match import {
        Import::Memory { module, name } => Some((module, name)),
        Import::Call { .. } => None,
    });
    if let Some((module, name)) = imported {
        let memory = memory(image.program.max_pages)?;
        let imports = stub.imports(Some((module, name, &memory)));
        return Ok((instantiate(&image.module, &imports)?, memory));
    }
    let exports = instantiate(&image.module, &stub.imports(None))?;
    let memory = match &image.program.memory {
        Memory::Exported(name) => js::get(&exports, name),
        // Every pointer is bad: uaccess gets a memory without a byte.
        _ => memory(Some(0))?,
    };
    Ok((exports, memory))
}

/// A program that couldn't be instantiated: a trap of its initialisers, or no room.
pub fn out_of(ended: bool, e: JsValue) -> Left {
    if ended {
        return Left::Broken(e);
    }
    if is_no_room(&e) {
        return Left::NotSetUp(Errno::ENOMEM);
    }
    match error_name(&e).as_deref() {
        Some("RuntimeError") => Left::Fault(fault(&js::message(&e))),
        // Imports that no check has found to contradict each other: the program's affair.
        Some("LinkError" | "TypeError") => Left::NotSetUp(Errno::ENOEXEC),
        _ => Left::Broken(e),
    }
}

fn error_name(e: &JsValue) -> Option<String> {
    e.dyn_ref::<js_sys::Error>().map(|e| e.name().as_string().unwrap_or_default())
}

/// Whether an instance or a memory was refused because the engine has no room for it.
pub fn is_no_room(e: &JsValue) -> bool {
    match error_name(e).as_deref() {
        // SpiderMonkey has an InternalError, or throws the text "out of memory".
        Some("RangeError" | "InternalError") => true,
        None => e.is_string(),
        _ => false,
    }
}

/// Tells faults of the program from those of the kernel. `left` keeps where the program was.
pub fn why_left(ended: bool, stub: &Stub, left: &frames::Left, e: JsValue) -> Left {
    let state = stub.state();
    if ended || state == state::KERNEL {
        return Left::Broken(e);
    }
    left.by(&e, matches!(state, state::LEAVING | state::KICKED));
    match state {
        state::LEAVING => return Left::Fault(Reason::Unwound),
        state::KICKED => return Left::Fault(Reason::Kicked),
        _ => {}
    }
    let Some(error) = e.dyn_ref::<js_sys::Error>() else { return Left::Fault(Reason::Uncaught) };
    match error.name().as_string().unwrap_or_default().as_str() {
        "RuntimeError" => Left::Fault(fault(&js::message(&e))),
        // Chromium's RangeError, Firefox's InternalError.
        "RangeError" | "InternalError" => Left::Fault(Reason::StackOverflow),
        _ => Left::Fault(Reason::Uncaught),
    }
}

/// What the engines say of a trap. V8, SpiderMonkey and JavaScriptCore have words of their own.
fn fault(message: &str) -> Reason {
    const WORDS: [(&str, Reason); 16] = [
        ("unreachable", Reason::Unreachable),
        ("float unrepresentable", Reason::BadConversion),
        ("table index", Reason::TableBounds),
        ("table access", Reason::TableBounds),
        // JavaScriptCore: "Out of bounds call_indirect", "Out of bounds Trunc operation".
        ("bounds call_indirect", Reason::TableBounds),
        ("bounds trunc", Reason::BadConversion),
        ("index out of bounds", Reason::MemoryBounds),
        ("out of bounds", Reason::MemoryBounds),
        ("by zero", Reason::DivideByZero),
        ("overflow", Reason::IntegerOverflow),
        ("unrepresentable", Reason::IntegerOverflow),
        ("signature", Reason::BadSignature),
        // SpiderMonkey: "indirect call to null".
        ("null", Reason::NullReference),
        ("indirect call", Reason::BadSignature),
        ("unaligned", Reason::Unaligned),
        ("invalid conversion", Reason::BadConversion),
    ];
    let message = message.to_ascii_lowercase();
    // std's search is made for long texts, and as large.
    let has = |word: &str| message.as_bytes().windows(word.len()).any(|at| at == word.as_bytes());
    WORDS.iter().find(|(word, _)| has(word)).map_or(Reason::Other, |(_, reason)| *reason)
}
