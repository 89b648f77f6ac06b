//! The storage worker: opens the disks and serves them to the CPUs, from its first message until
//! it is terminated.

use std::cell::RefCell;
use std::rc::Rc;

use abi::Errno;
use abi::types::diskctl;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{future_to_promise, spawn_local};
use web_sys::{MessageEvent, MessagePort};

use super::exclusive::{self, Disks};
use super::op;
use super::unit::{Answer, Request, Unit};
use crate::js::get;

thread_local! {
    static BEGUN: RefCell<Option<Promise>> = const { RefCell::new(None) };
    static DISKS: RefCell<Option<Rc<Disks>>> = const { RefCell::new(None) };
}

/// Opens the disks before anybody asks for them, in a worker that the page has started ahead. `directory` is a promise of
/// where they are, or of nothing.
#[wasm_bindgen]
pub fn disk_ahead(directory: Promise) {
    let open = future_to_promise(async {
        let disks = Rc::new(exclusive::open(directory.await.unwrap_or_default()).await);
        DISKS.with(|of| *of.borrow_mut() = Some(disks));
        Ok(JsValue::UNDEFINED)
    });
    BEGUN.with(|begun| *begun.borrow_mut() = Some(open));
}

/// What [`disk_ahead`] opens, or opened now.
async fn disks() -> Rc<Disks> {
    if let Some(begun) = BEGUN.with(|begun| begun.borrow_mut().take()) {
        let _ = begun.await;
    }
    match DISKS.with(|of| of.borrow_mut().take()) {
        Some(disks) => disks,
        None => Rc::new(exclusive::open(JsValue::UNDEFINED).await),
    }
}

/// The worker's entry. `message` is what the page has posted: `ports`, an array with a port for each CPU.
#[wasm_bindgen]
pub fn disk_main(message: JsValue) {
    spawn_local(async move {
        let disks = disks().await;
        exclusive::answer_others(&disks);
        let ports: Array = get(&message, "ports").unchecked_into();
        for (nr, port) in ports.iter().enumerate() {
            serve(&disks, port.unchecked_into(), nr == 0);
        }
    });
}

/// `boots` for the CPU that mounts the disks.
fn serve(disks: &Rc<Disks>, port: MessagePort, boots: bool) {
    let greeted: Array = disks.units.iter().map(|unit| greeting(unit, boots)).collect();
    post(&port, &Array::of3(&0.into(), &(&*disks.notice).into(), &greeted), None);
    let (disks, to) = (disks.clone(), port.clone());
    let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        request(&disks, &to, &event.data().unchecked_into());
    });
    port.set_onmessage(Some(came.into_js_value().unchecked_ref()));
}

/// What a CPU is told of a unit.
fn greeting(unit: &Unit, boots: bool) -> Array {
    let flags = if unit.read_only() { diskctl::READ_ONLY } else { 0 };
    let head = if boots { unit.take_head() } else { None };
    let head = head.map_or(JsValue::UNDEFINED, Into::into);
    Array::of3(&unit.size.into(), &flags.into(), &head)
}

/// A request: `[id, op, unit, offset, what]`.
fn request(disks: &Rc<Disks>, port: &MessagePort, message: &Array) {
    let number = |at| message.get(at).as_f64().unwrap_or(0.0);
    let (id, nr, offset) = (message.get(0), number(2) as usize, number(3));
    let request = match number(1) as u32 {
        op::READ => Request::Read(offset, number(4) as u32),
        op::WRITE => Request::Write(offset, message.get(4).unchecked_into()),
        op::FLUSH => Request::Flush,
        op::TRUNCATE => Request::Truncate(offset),
        _ => return answer(port, &id, Err(Errno::EINVAL)),
    };
    let Some(unit) = disks.units.get(nr) else { return answer(port, &id, Err(Errno::ENXIO)) };
    if let Some(done) = unit.now(&request) {
        if number(0) == 0.0 {
            return unit.fail_later(done);
        }
        return answer(port, &id, done);
    }
    let before = unit.queue.borrow().clone();
    let (disks, port) = (disks.clone(), port.clone());
    let done = future_to_promise(async move {
        // An error of that one's is its own.
        let _ = before.await;
        answer(&port, &id, disks.units[nr].serve(request).await);
        Ok(JsValue::UNDEFINED)
    });
    *unit.queue.borrow_mut() = done;
}

fn answer(port: &MessagePort, id: &JsValue, answer: Answer) {
    match answer {
        Ok(Some(bytes)) => post(port, &Array::of2(id, &bytes), Some(&bytes)),
        Ok(None) => post(port, &Array::of2(id, &0.into()), None),
        Err(e) => post(port, &Array::of2(id, &(-(e as i32)).into()), None),
    }
}

/// Posts, with bytes that go along.
fn post(port: &MessagePort, message: &Array, bytes: Option<&Uint8Array>) {
    let posted = match bytes {
        Some(bytes) => port.post_message_with_transferable(message, &Array::of1(&bytes.buffer())),
        None => port.post_message(message),
    };
    // Numbers, strings and buffers of our own can all be posted.
    debug_assert!(posted.is_ok());
}
