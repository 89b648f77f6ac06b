//! User memory without multi-memory: the two hands of `loader`, in the kernel's table.

use std::cell::RefCell;
use std::rc::Rc;

use abi::Errno;
use abi::trapframe::UACCESS;
use js_sys::{Object, Uint8Array, WebAssembly};
use wasm_bindgen::prelude::*;

use super::link::Link;
use crate::js;
use crate::kernel::instantiate;

/// Of a thread.
pub struct Hands {
    link: Rc<Link>,
    user_hand: JsValue,
    kernel_hand: JsValue,
    /// What both kernel's hands import of the host.
    host: Object,
    /// The memory of the program that this thread runs.
    user: Rc<RefCell<JsValue>>,
}

/// A range of the program's memory, whose buffer is another one after each growth.
fn range(memory: &RefCell<JsValue>, ptr: u32, len: u32) -> Uint8Array {
    let buffer = js::get(&memory.borrow(), "buffer");
    Uint8Array::new_with_byte_offset_and_length(&buffer, ptr, len)
}

impl Hands {
    pub fn new(link: &Rc<Link>, user_hand: JsValue, kernel_hand: JsValue) -> Hands {
        let user: Rc<RefCell<JsValue>> = Rc::default();
        let fault = |r: Result<(), Errno>| r.map_or_else(|e| e as u32, |()| 0);
        // The kernel's hand has looked whether the range is inside.
        let (of, from) = (link.clone(), user.clone());
        let copyin = Closure::<dyn FnMut(u32, u32, u32) -> u32>::new(move |dst: u32, src: u32, n: u32| {
            fault(of.kmem.range(dst, n).map(|to| to.set(&range(&from, src, n), 0)))
        });
        let (of, to) = (link.clone(), user.clone());
        let copyout = Closure::<dyn FnMut(u32, u32, u32) -> u32>::new(move |dst: u32, src: u32, n: u32| {
            fault(of.kmem.range(src, n).map(|from| range(&to, dst, n).set(&from, 0)))
        });
        let host = js::object(&[(UACCESS[0], &copyin.into_js_value()), (UACCESS[1], &copyout.into_js_value())]);
        Hands { link: link.clone(), user_hand, kernel_hand, host, user }
    }

    /// Points the kernel's uaccess slots at this memory.
    pub fn bind(&self, table: &WebAssembly::Table, first_slot: u32, memory: &JsValue) -> Result<(), JsValue> {
        let u = js::object(&[("memory", memory)]);
        let user = instantiate(&self.user_hand, &js::object(&[("u", &u)]))?;
        let k = js::object(&[("memory", &self.link.kmem.memory)]);
        let kernel = instantiate(&self.kernel_hand, &js::object(&[("k", &k), ("u", &user), ("host", &self.host)]))?;
        for (slot, name) in (first_slot..).zip(UACCESS) {
            let f = js::function(&kernel, name).or_else(|_| js::function(&user, name))?;
            table.set(slot, &f)?;
        }
        self.user.replace(memory.clone());
        Ok(())
    }

    /// The size of the program's memory in bytes; 0 when there is none.
    pub fn size(&self) -> u64 {
        js::number(&js::get(&self.user.borrow(), "buffer"), "byteLength") as u64
    }

    /// What the program's memory holds, in a buffer.
    pub fn copy(&self) -> Result<JsValue, JsValue> {
        let buffer = js::get(&self.user.borrow(), "buffer");
        js::function(&buffer, "slice")?.call1(&buffer, &0.into())
    }

    /// The program is gone: nothing here keeps its memory.
    pub fn unbind(&self, table: &WebAssembly::Table, first_slot: u32) -> Result<(), JsValue> {
        self.user.replace(JsValue::UNDEFINED);
        let table: &js::Table = table.unchecked_ref();
        (first_slot..).take(UACCESS.len()).try_for_each(|slot| table.clear(slot, &JsValue::NULL))
    }
}
