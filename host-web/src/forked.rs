//! fork(2): what a forked lwp begins with is made before there is the lwp, so that a fork without room for
//! the memory fails in the parent.
//!
//! The parent sleeps in `lwp_create`, so its memory holds still. On the parent's own CPU the child's instance is made
//! and filled at once. Another CPU is posted a copy, makes the instance, and answers; until then the parent waits.

use std::rc::Rc;

use abi::Errno;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::control::cpu as at;
use crate::cpu::{Cpu, New};
use crate::hypercalls::done;
use crate::images::Image;
use crate::js;
use crate::lwp::{Left, TRIES, out_of, program};
use crate::messages;
use crate::seat::Seat;

/// An address space that begins as a copy, until `lwp_create`.
#[derive(Clone, Copy)]
pub struct Fork {
    /// The parent's address space.
    pub from: u32,
    /// What runs in it.
    pub image: u32,
}

/// The child's instance, with what the parent's memory held.
pub struct Ready {
    pub seat: Rc<Seat>,
    pub exports: JsValue,
    pub memory: JsValue,
}

/// `lwp_create` of a forked lwp on CPU `nr`, which counts it already. Answers when its memory is made.
pub fn create(cpu: &Rc<Cpu>, nr: u32, new: New, fork: Fork) -> JsValue {
    let parts = cpu.images.get(fork.image).zip(cpu.images.memory(fork.from));
    let Some((image, memory)) = parts else { return refused(cpu, nr, &new, Errno::ENOENT).into() };
    let contents = js::get(&memory, "buffer");
    if nr != cpu.nr {
        return elsewhere(cpu, nr, new, fork.image, &contents);
    }
    match make(cpu, Of { number: fork.image, image: &image, contents: &contents }) {
        Ok(ready) => {
            cpu.create(&new, Some(ready));
            0.into()
        }
        Err(_) => {
            let of = cpu.clone();
            cpu.await_host(async move {
                match make_again(&of, Of { number: fork.image, image: &image, contents: &contents }).await {
                    Ok(ready) => {
                        of.create(&new, Some(ready));
                        0
                    }
                    Err(e) => refused(&of, nr, &new, e),
                }
            })
        }
    }
}

/// The lwp will not be.
fn refused(cpu: &Cpu, nr: u32, new: &New, errno: Errno) -> i32 {
    cpu.control.lwp_remove(new.lwp);
    cpu.control.add(cpu.control.cpu(nr, at::LOAD), -1);
    done(Err(errno))
}

fn elsewhere(cpu: &Rc<Cpu>, nr: u32, new: New, image: u32, contents: &JsValue) -> JsValue {
    let copy = js::function(contents, "slice").and_then(|slice| slice.call1(contents, &0.into()));
    let Ok(copy) = copy else { return refused(cpu, nr, &new, Errno::ENOMEM).into() };
    let answered = cpu.images.answer_for(new.lwp);
    if !messages::post_fork(cpu, nr, &new, image, &copy) {
        cpu.images.answered(new.lwp, 0);
        return refused(cpu, nr, &new, Errno::EAGAIN).into();
    }
    let of = cpu.clone();
    cpu.await_host(async move {
        let errno = wasm_bindgen_futures::JsFuture::from(answered).await;
        match errno.ok().and_then(|errno| errno.as_f64()) {
            Some(0.0) => 0,
            _ => refused(&of, nr, &new, Errno::ENOMEM),
        }
    })
}

/// Another CPU, `from`, has forked an lwp of this CPU.
pub fn came(cpu: &Rc<Cpu>, from: u32, new: New, number: u32, copy: JsValue) {
    let cpu = cpu.clone();
    spawn_local(async move {
        let image = cpu.images.when_posted(number).await;
        let of = Of { number, image: &image, contents: &copy };
        let made = match make(&cpu, of) {
            Ok(ready) => Ok(ready),
            Err(_) => make_again(&cpu, of).await,
        };
        let made = made.map(|ready| cpu.create(&new, Some(ready)));
        messages::post_forked(&cpu, from, new.lwp, made.err().map_or(0, |e| e as i32));
        cpu.poke();
    });
}

/// When there was no room: there may be when the dead memories are collected.
async fn make_again(cpu: &Cpu, of: Of<'_>) -> Result<Ready, Errno> {
    let mut made = Err(Errno::ENOMEM);
    for _ in 1..TRIES {
        cpu.have_collected().await;
        made = make(cpu, of);
        if !matches!(made, Err(Errno::ENOMEM)) {
            break;
        }
    }
    made
}

/// What an instance is made of.
#[derive(Clone, Copy)]
struct Of<'a> {
    number: u32,
    image: &'a Image,
    contents: &'a JsValue,
}

fn make(cpu: &Cpu, of: Of) -> Result<Ready, Errno> {
    if let Some(ready) = resident(cpu, of) {
        return Ok(ready);
    }
    // The engine that has no room for a seat has none for a memory.
    let seat = Seat::take(cpu).map_err(|_| Errno::ENOMEM)?;
    let made = program(&seat.stub, of.image).and_then(|(exports, memory)| {
        fill(&memory, of.contents)?;
        Ok((exports, memory))
    });
    match made {
        Ok((exports, memory)) => Ok(Ready { seat, exports, memory }),
        Err(e) => {
            seat.give_back(cpu);
            match out_of(cpu.ended(), e) {
                Left::NotSetUp(errno) => Err(errno),
                // The parent's instance was made of the same.
                _ => Err(Errno::ENOMEM),
            }
        }
    }
}

/// With an instance that there is.
fn resident(cpu: &Cpu, of: Of) -> Option<Ready> {
    let (seat, resident) = Seat::take_resident(cpu, of.number, js::number(of.contents, LENGTH))?;
    let (exports, memory) = (resident.exports.clone(), resident.memory.clone());
    match fill(&memory, of.contents) {
        Ok(()) => Some(Ready { seat, exports, memory }),
        // Without room for more.
        Err(_) => {
            seat.give_back(cpu);
            None
        }
    }
}

const LENGTH: &str = "byteLength";

/// Of a memory, in bytes.
pub fn size(memory: &JsValue) -> f64 {
    js::number(&js::get(memory, "buffer"), LENGTH)
}

/// Makes a memory, which is no larger, what these bytes are.
pub fn fill(memory: &JsValue, contents: &JsValue) -> Result<(), JsValue> {
    let more = js::number(contents, LENGTH) - size(memory);
    if more > 0.0 {
        js::function(memory, "grow")?.call1(memory, &(more / 65536.0).into())?;
    }
    Uint8Array::new(&js::get(memory, "buffer")).set(&Uint8Array::new(contents), 0);
    Ok(())
}
