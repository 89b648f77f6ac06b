//! A CPU's end: sends requests to the storage worker and hands answers to those who wait.
//!
//! Answers come as messages, so somebody who waits for one must let the event loop run. A storage
//! worker that fails takes the vkernel with it, so nobody waits for ever.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::Errno;
use abi::types::diskctl;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use super::{op, text};
use crate::js;

/// `Clone` gives another name of the same one.
#[derive(Clone)]
pub struct Disk(Rc<Inner>);

struct Inner {
    port: MessagePort,
    notice: String,
    units: Vec<Unit>,
    last_id: Cell<u32>,
    waiting: RefCell<Vec<(u32, js::Resolve)>>,
}

/// What the storage worker said of a unit.
struct Unit {
    size: f64,
    flags: u32,
    /// The beginning of the disk, which a mount reads first, and how much of it was used: each byte once, in order, and
    /// before anything else is asked of the unit, so that nobody can have written to it meanwhile.
    head: RefCell<Option<(Uint8Array, u32)>>,
}

impl Unit {
    /// So many bytes at `offset`, in an array of their own, if they came with the greeting.
    fn in_head(&self, offset: u64, length: u32) -> Option<Uint8Array> {
        let mut head = self.head.borrow_mut();
        let (bytes, used) = head.take()?;
        let start = u32::try_from(offset).ok().filter(|&start| start >= used)?;
        let end = start.checked_add(length).filter(|&end| end <= bytes.length())?;
        let part = bytes.slice(start, end);
        *head = Some((bytes, end));
        Some(part)
    }
}

impl Disk {
    /// Waits for the storage worker to have opened what it can.
    pub async fn connect(port: MessagePort) -> Disk {
        let opened = js::with_resolvers();
        let resolve = opened.resolve();
        let came = Closure::once_into_js(move |event: MessageEvent| resolve.value(&event.data()));
        port.set_onmessage(Some(came.unchecked_ref()));
        let hello: Array = opened.promise().await.unwrap_or_default().unchecked_into();
        let unit = |unit: JsValue| {
            let unit: Array = unit.unchecked_into();
            let number = |at| unit.get(at).as_f64().unwrap_or(0.0);
            let head = unit.get(2).dyn_into().ok().map(|head| (head, 0));
            Unit { size: number(0), flags: number(1) as u32, head: RefCell::new(head) }
        };
        let units = hello.get(2).unchecked_into::<Array>().iter().map(unit).collect();
        let notice = text(&hello.get(1));
        let (last_id, waiting) = (Cell::new(0), RefCell::default());
        let disk = Disk(Rc::new(Inner { port, notice, units, last_id, waiting }));
        let of = disk.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| of.answered(&event.data()));
        disk.0.port.set_onmessage(Some(came.into_js_value().unchecked_ref()));
        disk
    }

    /// How many there are: all or none.
    pub fn units(&self) -> u32 {
        self.0.units.len() as u32
    }

    /// What the user should know of how they were opened, if anything.
    pub fn notice(&self) -> Option<&str> {
        (!self.0.notice.is_empty()).then_some(&*self.0.notice)
    }

    /// `pread(2)`; behind what was ever written there are zeros. ENXIO, EIO.
    pub async fn read(&self, unit: u32, offset: u64, length: u32) -> Result<Uint8Array, Errno> {
        if let Some(bytes) = self.0.units.get(unit as usize).and_then(|of| of.in_head(offset, length)) {
            return Ok(bytes);
        }
        let answer = self.ask(op::READ, unit, offset, &length.into(), None).await?;
        Ok(answer.unchecked_into())
    }

    /// `pwrite(2)`. The array's buffer is the storage worker's from now on. ENXIO, EROFS, ENOSPC, EIO.
    pub async fn write(&self, unit: u32, offset: u64, bytes: Uint8Array) -> Result<(), Errno> {
        self.ask(op::WRITE, unit, offset, &bytes, Some(&bytes)).await.map(drop)
    }

    /// What was written before is kept from now on. ENXIO, ENOSPC, EIO.
    pub async fn flush(&self, unit: u32) -> Result<(), Errno> {
        // A mount's, before it writes: what the last boot wrote is to be kept before anything else is. Nothing was written here,
        // so it will do if it comes before what will be, and the next flush has its error.
        if self.0.units.get(unit as usize).is_some_and(|of| of.head.borrow().is_some()) {
            return self.post(0, op::FLUSH, unit, 0, &JsValue::UNDEFINED, None);
        }
        self.ask(op::FLUSH, unit, 0, &JsValue::UNDEFINED, None).await.map(drop)
    }

    /// `disk_ctl`. A truncation is on its way when this returns; should it fail the next flush says so.
    pub fn ctl(&self, unit: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        let &Unit { size, flags, .. } = self.0.units.get(unit as usize).ok_or(Errno::ENXIO)?;
        match cmd {
            diskctl::SIZE => Ok(size as u64),
            diskctl::FLAGS => Ok(flags.into()),
            diskctl::TRUNCATE if flags & diskctl::READ_ONLY != 0 => Err(Errno::EROFS),
            diskctl::TRUNCATE => {
                self.post(0, op::TRUNCATE, unit, arg, &JsValue::UNDEFINED, None)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    async fn ask(
        &self,
        op: u32,
        unit: u32,
        offset: u64,
        what: &JsValue,
        transfer: Option<&Uint8Array>,
    ) -> Result<JsValue, Errno> {
        let id = self.0.last_id.get().wrapping_add(1).max(1);
        self.0.last_id.set(id);
        self.post(id, op, unit, offset, what, transfer)?;
        let waiter = js::with_resolvers();
        self.0.waiting.borrow_mut().push((id, waiter.resolve()));
        let answer = waiter.promise().await.map_err(|_| Errno::EIO)?;
        match answer.as_f64() {
            Some(error) if error < 0.0 => Err(Errno::from_raw(-error as u32).unwrap_or(Errno::EIO)),
            _ => Ok(answer),
        }
    }

    fn post(
        &self,
        id: u32,
        op: u32,
        unit: u32,
        offset: u64,
        what: &JsValue,
        transfer: Option<&Uint8Array>,
    ) -> Result<(), Errno> {
        if let Some(of) = self.0.units.get(unit as usize) {
            of.head.take();
        }
        let message = Array::of5(&id.into(), &op.into(), &unit.into(), &(offset as f64).into(), what);
        let posted = match transfer {
            Some(bytes) => self.0.port.post_message_with_transferable(&message, &Array::of1(&bytes.buffer())),
            None => self.0.port.post_message(&message),
        };
        posted.map_err(|_| Errno::EIO)
    }

    fn answered(&self, message: &JsValue) {
        let message: &Array = message.unchecked_ref();
        let id = message.get(0).as_f64().unwrap_or(0.0) as u32;
        let mut waiting = self.0.waiting.borrow_mut();
        let Some(at) = waiting.iter().position(|(waiting, _)| *waiting == id) else { return };
        let (_, resolve) = waiting.swap_remove(at);
        drop(waiting);
        resolve.value(&message.get(1));
    }
}
