//! The hypercalls of the machine of threads: what the kernel's instances of a thread and of the service import.
//!
//! They are ordinary functions. A thread's may block it; the service's instance, which only takes interrupts, has no
//! thread, and a call that would block ends the vkernel.

use std::rc::Rc;

use abi::Errno;
use abi::types::devctl;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

use super::link::{Link, op};
use super::thread::Thread;
use crate::hypercalls::{MESSAGE_MAX, answer, clock_over, done, random_into, write_frames};
use crate::js;

const NOTHING: &JsValue = &JsValue::UNDEFINED;

/// Gets the caller off its stack. The vkernel has ended, or ends.
pub fn leave(why: &str) -> ! {
    wasm_bindgen::throw_str(why)
}

/// The imports. `thread` is absent for the service.
pub fn imports(link: &Rc<Link>, thread: Option<Rc<Thread>>) -> Result<Object, JsValue> {
    let host = Object::new();
    let set = |name: &str, f: JsValue| _ = Reflect::set(&host, &name.into(), &f);
    macro_rules! call {
        ($name:literal, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?, |$link:ident, $thread:ident| $body:expr) => {{
            let ($link, $thread) = (link.clone(), Of { link: link.clone(), thread: thread.clone(), name: $name });
            let _ = (&$link, &$thread);
            set($name, Closure::<dyn FnMut($($ty),*) $(-> $ret)?>::new(move |$($arg: $ty),*| $body).into_js_value());
        }};
    }
    let of = Of { link: link.clone(), thread: thread.clone(), name: "clock" };
    set("clock", clock_over(&link.clock, link.shift_ms, move |lwp| of.cpu_ns(lwp))?);
    call!("cons_write", (ptr: u32, len: u32), |link, _t| link.console(ptr, len.min(MESSAGE_MAX)));
    call!("random", (ptr: u32, len: u32), |link, _t| {
        if random_into(&link.kmem, ptr, len).is_err() {
            panicked(&link, "random: no random numbers, or a bad address");
        }
    });

    call!("park", (word: u32, expected: u32, deadline: u64) -> u32, |link, t| t.get().park(word, expected, deadline));
    call!("unpark", (word: u32, n: u32) -> u32, |link, _t| {
        js_sys::Atomics::notify_with_count(link.kernel_words(), word >> 2, n).unwrap_or(0)
    });

    call!("lwp_create", (lwp: u32, vmspace: u32) -> i32, |link, t| done(t.get().create(lwp, vmspace)));
    call!("lwp_kick", (lwp: u32, how: u32), |link, _t| {
        if how != abi::trapframe::kick::GO && how < abi::trapframe::kick::NICE {
            link.kick(lwp);
        }
    });

    call!("lwp_frames", (ptr: u32, len: u32) -> i32, |link, t| {
        write_frames(&link.kmem, ptr, len, t.thread.as_ref().and_then(|thread| thread.frames()))
    });

    call!("vmspace_create", (id: u32, image: u32, limit: u64) -> i32, |link, t| {
        done(t.get().vmspace_create(id, image, limit))
    });
    call!("vmspace_fork", (id: u32, from: u32) -> i32, |link, t| done(t.get().vmspace_fork(id, from)));
    call!("vmspace_destroy", (id: u32) -> i32, |link, t| done(t.get().vmspace_destroy(id)));
    call!("vmspace_ctl", (id: u32, cmd: u32, arg: u64) -> i64, |link, t| long(t.vmspace_ctl(id, cmd, arg)));

    call!("image_begin", (size: u64) -> i32, |link, t| answer(t.get().images.begin(size)));
    call!("image_write", (handle: u32, ptr: u32, len: u32) -> i32, |link, t| {
        done(link.kmem.range(ptr, len).and_then(|bytes| t.get().images.write(handle, &bytes)))
    });
    call!("image_commit", (handle: u32) -> i32, |link, t| t.get().commit(handle));
    call!("image_blob", (blob: u32) -> i32, |link, t| t.get().blob(blob));
    call!("image_error", (ptr: u32, len: u32) -> i32, |link, t| {
        t.get().ask(op::IMAGE_ERROR, &[ptr.into(), len.into()], NOTHING).0
    });
    call!("image_close", (image: u32) -> i32, |link, _t| {
        link.tell(op::CLOSE, &[image.into()], NOTHING);
        0
    });

    call!("blob_read", (blob: u32, off: u64, ptr: u32, len: u32) -> i32, |link, t| {
        t.get().ask(op::BLOB_READ, &[blob.into(), off as f64, ptr.into(), len.into()], NOTHING).0
    });
    call!("hostfs_rpc", (_ptr: u32, _len: u32, _cap: u32) -> i32, |link, _t| answer(Err(Errno::ENXIO)));

    call!("dev_rw", (unit: u32, write: u32, ptr: u32, len: u32) -> i32, |link, _t| answer(match unit {
        devctl::ATTACHED_FIRST.. => link.dev_rw(unit, write != 0, ptr, len),
        _ => link.standard_stream(unit, write != 0, ptr, len.min(MESSAGE_MAX)),
    }));
    call!("dev_ctl", (unit: u32, cmd: u32, ptr: u32, len: u32) -> i32, |link, t| answer(t.dev_ctl(unit, cmd, ptr, len)));

    call!("disk_rw", (unit: u32, write: u32, off: u64, ptr: u32, len: u32) -> i32, |link, t| {
        t.get().ask(op::DISK_RW, &[unit.into(), write.into(), off as f64, ptr.into(), len.into()], NOTHING).0
    });
    call!("disk_flush", (unit: u32) -> i32, |link, t| t.get().ask(op::DISK_FLUSH, &[unit.into()], NOTHING).0);
    call!("disk_ctl", (unit: u32, cmd: u32, arg: u64) -> i64, |link, t| {
        let (low, high) = t.get().ask(op::DISK_CTL, &[unit.into(), cmd.into(), arg as f64], NOTHING);
        i64::from(high) << 32 | i64::from(low as u32)
    });

    call!("halt", (status: u32), |link, _t| {
        link.tell(op::HALTED, &[status.into()], NOTHING);
        leave("halted")
    });
    call!("panic", (ptr: u32, len: u32), |link, _t| {
        let text = link.kmem.read(ptr, len.min(MESSAGE_MAX)).unwrap_or_default();
        panicked(&link, &String::from_utf8_lossy(&text))
    });
    let env = js::object(&[("memory", &link.kmem.memory)]);
    Ok(js::object(&[("env", &env), ("host", &host)]))
}

fn panicked(link: &Link, why: &str) -> ! {
    link.panicked(why);
    leave("panicked")
}

fn long(r: Result<u64, Errno>) -> i64 {
    r.map_or_else(|e| -(e as i64), |v| v as i64)
}

/// Whose call it is.
struct Of {
    link: Rc<Link>,
    thread: Option<Rc<Thread>>,
    name: &'static str,
}

impl Of {
    fn get(&self) -> &Rc<Thread> {
        match &self.thread {
            Some(thread) => thread,
            None => panicked(&self.link, &format!("{} in an interrupt", self.name)),
        }
    }

    fn cpu_ns(&self, lwp: u32) -> u64 {
        match &self.thread {
            Some(thread) if thread.lwp() == lwp => thread.cpu_ns(),
            _ => self.link.cpu_ns(lwp),
        }
    }

    fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        self.get().vmspace_ctl(id, cmd, arg)
    }

    fn dev_ctl(&self, unit: u32, cmd: u32, ptr: u32, len: u32) -> Result<u32, Errno> {
        if unit < devctl::ATTACHED_FIRST {
            return crate::hypercalls::standard_control(&self.link.kmem, unit, cmd, ptr, len);
        }
        if cmd == devctl::EXITED {
            let status = self.link.kmem.read(ptr, len.min(4))?;
            let status = status.try_into().map_or(0, u32::from_le_bytes);
            self.get().ask(op::EXITED, &[unit.into(), status.into()], NOTHING);
            return Ok(0);
        }
        self.link.units.control(unit, cmd, &self.link.kmem, ptr, len)
    }
}
