//! The hypercalls: what stands behind each import of the kernel from `"host"`.
//!
//! One object of imports serves all lwps of a CPU; a call is the running lwp's. Those that block are
//! `Suspending`: they answer a number at once, or a promise. The interrupt instance must not sleep;
//! its blocking imports end the vkernel.

use std::cell::OnceCell;

use abi::Errno;
use abi::types::devctl;
use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::control::{Request, cpu as at, word};
use crate::cpu::{Cpu, New, Resume, current_cpu, now_ns};
use crate::forked;
use crate::js;
use crate::kernel::instantiate;
use crate::kmem::KernelMemory;
use crate::messages::{self, ToPage};

/// Messages of the kernel are cut after this.
pub const MESSAGE_MAX: u32 = 64 << 10;
/// `crypto.getRandomValues` gives no more at a time.
const RANDOM_MAX: u32 = 65536;

thread_local! {
    static IMPORTS: OnceCell<Object> = const { OnceCell::new() };
    static PREEMPT: OnceCell<JsValue> = const { OnceCell::new() };
}

/// An answer in the form of the table: a value, or minus an error number.
pub fn answer(r: Result<u32, Errno>) -> i32 {
    r.map_or_else(|e| -(e as i32), |v| v as i32)
}
pub fn done(r: Result<(), Errno>) -> i32 {
    answer(r.map(|()| 0))
}

/// The CPU of this worker. Hypercalls are made on CPUs only.
fn cpu() -> std::rc::Rc<Cpu> {
    current_cpu().expect("a hypercall without a CPU")
}

/// What an lwp's kernel instance imports.
pub fn imports(cpu: &Cpu) -> Result<Object, JsValue> {
    IMPORTS.with(|imports| once(imports, || make(cpu, true)))
}

/// What the interrupt instance imports.
pub fn interrupt_imports(cpu: &Cpu) -> Result<Object, JsValue> {
    make(cpu, false)
}

/// `vk.preempt` of the stub.
pub fn preempt() -> Result<JsValue, JsValue> {
    PREEMPT.with(|preempt| {
        once(preempt, || {
            let f = Closure::<dyn FnMut() -> JsValue>::new(|| cpu().preempt()).into_js_value();
            js::Suspending::new(&f).map(Into::into)
        })
    })
}

/// What was made the first time.
fn once<T: Clone>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, JsValue>) -> Result<T, JsValue> {
    if let Some(made) = cell.get() {
        return Ok(made.clone());
    }
    let made = make()?;
    _ = cell.set(made.clone());
    Ok(made)
}

fn make(cpu: &Cpu, sleeps: bool) -> Result<Object, JsValue> {
    let host = Object::new();
    let set = |name: &str, f: JsValue| _ = Reflect::set(&host, &name.into(), &f);
    macro_rules! call {
        ($name:literal, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?, $body:expr) => {
            set($name, Closure::<dyn FnMut($($ty),*) $(-> $ret)?>::new(move |$($arg: $ty),*| $body).into_js_value())
        };
    }
    macro_rules! blocking {
        ($name:literal, ($($arg:ident: $ty:ty),*), $body:expr) => {{
            let name = $name;
            let f = Closure::<dyn FnMut($($ty),*) -> JsValue>::new(move |$($arg: $ty),*| {
                if sleeps { $body } else { panicked(&format!("{name} in an interrupt")) }
            });
            let f = f.into_js_value();
            set(name, if sleeps { js::Suspending::new(&f)?.into() } else { f });
        }};
    }
    set("clock", clock_over(&cpu.modules.clock, 0.0, cpu_time)?);
    call!("cons_write", (ptr: u32, len: u32), console(ptr, len));
    call!("random", (ptr: u32, len: u32), random(ptr, len));

    // On the way of every switch.
    let own = wasm_bindgen::exports();
    if sleeps {
        // Engines take no function of wasm for one that suspends.
        let park = js::function(&own, "park")?.bind0(&JsValue::UNDEFINED);
        set("park", js::Suspending::new(&park)?.into());
    } else {
        call!("park", (_word: u32, _expected: u32, _deadline: u64), _ = panicked("park in an interrupt"));
    }
    set("unpark", js::get(&own, "unpark"));

    blocking!("lwp_create", (lwp: u32, vmspace: u32), lwp_create(lwp, vmspace));
    call!("lwp_kick", (lwp: u32, how: u32), self::cpu().kick(lwp, how));

    call!("lwp_frames", (ptr: u32, len: u32) -> i32, {
        let cpu = self::cpu();
        write_frames(&cpu.kmem, ptr, len, cpu.frames())
    });

    call!("vmspace_create", (id: u32, image: u32, limit: u64) -> i32, {
        let cpu = self::cpu();
        done(cpu.images.vmspace_create(&cpu, id, image, limit))
    });
    call!("vmspace_fork", (id: u32, from: u32) -> i32, {
        let cpu = self::cpu();
        done(cpu.images.vmspace_fork(&cpu, id, from))
    });
    call!("vmspace_destroy", (id: u32) -> i32, {
        let cpu = self::cpu();
        done(cpu.images.vmspace_destroy(&cpu, id))
    });
    call!("vmspace_ctl", (id: u32, cmd: u32, arg: u64) -> i64, {
        let cpu = self::cpu();
        cpu.images.vmspace_ctl(&cpu, id, cmd, arg).map_or_else(|e| -(e as i64), |v| v as i64)
    });

    call!("image_begin", (size: u64) -> i32, answer(self::cpu().images.begin(size)));
    call!("image_write", (handle: u32, ptr: u32, len: u32) -> i32, {
        let cpu = self::cpu();
        done(cpu.kmem.range(ptr, len).and_then(|bytes| cpu.images.write(handle, &bytes)))
    });
    blocking!("image_commit", (handle: u32), self::cpu().images.commit(handle));
    blocking!("image_blob", (blob: u32), self::cpu().images.blob(blob));
    call!("image_error", (ptr: u32, len: u32) -> i32, answer(image_error(ptr, len)));
    call!("image_close", (image: u32) -> i32, image_close(image));

    blocking!("blob_read", (blob: u32, off: u64, ptr: u32, len: u32), blob_read(blob, off, ptr, len));
    blocking!("hostfs_rpc", (_ptr: u32, _len: u32, _cap: u32), JsValue::from(-(Errno::ENXIO as i32)));

    call!("dev_rw", (unit: u32, write: u32, ptr: u32, len: u32) -> i32, answer(dev_rw(unit, write != 0, ptr, len)));
    call!("dev_ctl", (unit: u32, cmd: u32, ptr: u32, len: u32) -> i32, answer(dev_ctl(unit, cmd, ptr, len)));

    blocking!("disk_rw", (unit: u32, write: u32, off: u64, ptr: u32, len: u32), {
        let cpu = self::cpu();
        cpu.storage.disk_rw(&cpu, unit, write != 0, off, ptr, len)
    });
    blocking!("disk_flush", (unit: u32), {
        let cpu = self::cpu();
        cpu.storage.disk_flush(&cpu, unit)
    });
    call!("disk_ctl", (unit: u32, cmd: u32, arg: u64) -> i64, {
        self::cpu().storage.disk_ctl(unit, cmd, arg).map_or_else(|e| -(e as i64), |v| v as i64)
    });

    call!("halt", (status: u32), {
        self::cpu().end(ToPage::Ended { status: Some(status), panic: None });
        // The kernel's stack is left where it is: nothing runs on it again.
        wasm_bindgen::throw_str("halted")
    });
    call!("panic", (ptr: u32, len: u32), {
        let text = self::cpu().kmem.read(ptr, len.min(MESSAGE_MAX)).unwrap_or_default();
        _ = panicked(&String::from_utf8_lossy(&text));
    });
    let env = js::object(&[("memory", &cpu.kmem.memory)]);
    Ok(js::object(&[("env", &env), ("host", &host)]))
}

/// Ends the vkernel and gets the caller off its stack.
fn panicked(why: &str) -> JsValue {
    cpu().end(ToPage::Ended { status: None, panic: Some(why.into()) });
    wasm_bindgen::throw_str("panicked")
}

/// Clock reads are frequent: a module that asks the engine's clock directly and makes an i64 of it
/// spares them the way through this crate. `module` is the loader's; MONOTONIC is ahead of this worker's by `shift_ms`.
pub fn clock_over(module: &JsValue, shift_ms: f64, of_lwp: impl Fn(u32) -> u64 + 'static) -> Result<JsValue, JsValue> {
    let global = |value: f64| {
        let descriptor = js::object(&[("value", &"f64".into()), ("mutable", &JsValue::FALSE)]);
        js_sys::WebAssembly::Global::new(&descriptor, &value.into()).map(JsValue::from)
    };
    let performance = js::get(&js_sys::global(), "performance");
    let now = js::function(&performance, "now")?.bind0(&performance);
    let of_cpu = Closure::<dyn FnMut(u32) -> f64>::new(move |lwp: u32| of_lwp(lwp) as f64).into_js_value();
    let host = js::object(&[("now", &now), ("origin", &global(js::TIME_ORIGIN.with(|&o| o))?), ("cpu", &of_cpu)]);
    let exports = instantiate(module, &js::object(&[("host", &host)]))?;
    Reflect::set(&js::get(&exports, "shift"), &"value".into(), &shift_ms.into())?;
    Ok(js::get(&exports, "clock"))
}

fn cpu_time(lwp: u32) -> u64 {
    let cpu = cpu();
    if cpu.sched.borrow_mut().find(lwp).is_some() {
        return cpu.sched.borrow_mut().cpu_ns(lwp, now_ns());
    }
    cpu.control.lwp_time_ns(lwp)
}

/// What `lwp_frames` answers.
pub fn write_frames(kmem: &KernelMemory, ptr: u32, len: u32, frames: Option<Vec<u32>>) -> i32 {
    answer(frames.ok_or(Errno::ENOENT).and_then(|frames| {
        let bytes: Vec<u8> = frames.iter().take(len as usize / 4).flat_map(|frame| frame.to_le_bytes()).collect();
        kmem.write(ptr, &bytes).map(|()| bytes.len() as u32)
    }))
}

fn console(ptr: u32, len: u32) {
    let cpu = cpu();
    // A bad pointer of the kernel's own: nothing can be told, and nothing depends on it.
    if let Ok(text) = cpu.kmem.read(ptr, len.min(MESSAGE_MAX)) {
        messages::post(&cpu.page, &ToPage::Console(String::from_utf8_lossy(&text).into_owned()));
    }
}

fn random(ptr: u32, len: u32) {
    if random_into(&cpu().kmem, ptr, len).is_err() {
        _ = panicked("random: no random numbers, or a bad address");
    }
}

/// EFAULT, or EIO when the engine has none.
pub fn random_into(kmem: &KernelMemory, ptr: u32, len: u32) -> Result<(), Errno> {
    let mut at = 0;
    while at < len {
        let n = (len - at).min(RANDOM_MAX);
        // Not into shared memory: the engine refuses that.
        let bytes = Uint8Array::new_with_length(n);
        js::random_values(&bytes).map_err(|_| Errno::EIO)?;
        kmem.range(ptr.wrapping_add(at), n)?.set(&bytes, 0);
        at += n;
    }
    Ok(())
}

// ---- sleeping

/// An export, so that the kernel's calls come here from wasm to wasm: a closure is called by JavaScript that keeps
/// count of its calls.
#[wasm_bindgen(skip_typescript)]
pub fn park(word: u32, expected: u32, deadline: u64) -> JsValue {
    let cpu = cpu();
    // Nothing else of this CPU runs between the check and the parking; what runs on others sees the
    // count, or the check below sees their store.
    let count = cpu.shared.then(|| cpu.control.parked(cpu.nr, word));
    if let Some(count) = count {
        cpu.control.add(count, 1);
    }
    if cpu.kmem.word(word) != expected {
        if let Some(count) = count {
            cpu.control.add(count, -1);
        }
        return 1.into();
    }
    let slot = cpu.slot();
    cpu.with_hosted(slot, |h| h.counted = count);
    cpu.sched.borrow_mut().park(slot, word, deadline);
    cpu.suspend(Resume::Park)
}

/// An export as well.
#[wasm_bindgen(skip_typescript)]
pub fn unpark(word: u32, n: u32) -> u32 {
    let cpu = cpu();
    let woken = cpu.sched.borrow_mut().unpark(word, n);
    if !cpu.shared || woken == n {
        return woken;
    }
    // Each that may have one is asked: the count is of all words of the hash, so one CPU's says nothing of
    // another's, and a sleeper too many looks and sleeps again.
    for nr in (0..cpu.bells.len() as u32).filter(|&nr| nr != cpu.nr) {
        if cpu.control.load(cpu.control.parked(nr, word)) != 0 {
            cpu.control.request(nr, Request::Unpark { word, n: n - woken });
        }
    }
    woken
}

fn lwp_create(lwp: u32, vmspace: u32) -> JsValue {
    let cpu = cpu();
    let fork = cpu.images.take_fork(vmspace);
    let nr = place(&cpu, fork.is_some());
    if !cpu.control.lwp_add(lwp, nr) {
        return done(Err(Errno::EAGAIN)).into();
    }
    cpu.control.add(cpu.control.cpu(nr, at::LOAD), 1);
    let limit = cpu.images.take_limit(vmspace);
    let new = New { lwp, vmspace, limit };
    match fork {
        Some(fork) => return forked::create(&cpu, nr, new, fork),
        None if nr == cpu.nr => cpu.create(&new, None),
        None => cpu.request(nr, Request::Create { lwp, vmspace, limit }),
    }
    0.into()
}

/// The CPU for a new lwp.
fn place(cpu: &Cpu, forked: bool) -> u32 {
    // Who forks waits for the child, more often than not, and a copy is quicker made where the parent's memory is. A second child
    // while the first one is still ready goes elsewhere.
    if forked && !cpu.sched.borrow().has_ready() {
        return cpu.nr;
    }
    let load = |nr| cpu.control.load(cpu.control.cpu(nr, at::LOAD)) - i32::from(forked && nr == cpu.nr);
    let online = |&nr: &u32| cpu.control.load(cpu.control.cpu(nr, at::ONLINE)) != 0;
    (0..cpu.bells.len() as u32).filter(online).min_by_key(|&nr| (load(nr), nr != cpu.nr)).unwrap_or(cpu.nr)
}

// ---- files of the image

fn image_close(image: u32) -> i32 {
    let cpu = cpu();
    if cpu.images.close(&cpu, image) && cpu.shared {
        for nr in (0..cpu.bells.len() as u32).filter(|&nr| nr != cpu.nr) {
            cpu.control.request(nr, Request::Close { image });
        }
    }
    0
}

fn image_error(ptr: u32, len: u32) -> Result<u32, Errno> {
    let cpu = cpu();
    let text = cpu.images.error();
    let n = text.floor_char_boundary(len as usize);
    cpu.kmem.write(ptr, &text.as_bytes()[..n])?;
    Ok(n as u32)
}

fn blob_read(blob: u32, off: u64, ptr: u32, len: u32) -> JsValue {
    let cpu = cpu();
    if let Some(bytes) = cpu.storage.blob_now(blob) {
        return copy_blob(&cpu, &bytes, off, ptr, len).into();
    }
    let of = cpu.clone();
    cpu.await_host(async move {
        match of.storage.blob(blob).await {
            Ok(bytes) => copy_blob(&of, &bytes, off, ptr, len),
            Err(e) => -(e as i32),
        }
    })
}

pub fn copy_blob(cpu: &Cpu, bytes: &Uint8Array, off: u64, ptr: u32, len: u32) -> i32 {
    let size = bytes.length();
    let start = u32::try_from(off).unwrap_or(size).min(size);
    let n = len.min(size - start);
    answer(cpu.kmem.range(ptr, n).map(|to| {
        to.set(&bytes.subarray(start, start + n), 0);
        n
    }))
}

// ---- devices

fn dev_rw(unit: u32, write: bool, ptr: u32, len: u32) -> Result<u32, Errno> {
    let cpu = cpu();
    let range = cpu.kmem.range(ptr, len)?;
    if unit < devctl::ATTACHED_FIRST {
        return standard_stream(&cpu, unit, write, &range);
    }
    if write {
        let n = cpu.units.write(unit, &range)?;
        messages::written(&cpu, unit);
        return Ok(n);
    }
    let (n, room) = cpu.units.read(unit, &range)?;
    if room {
        messages::has_room(&cpu, unit);
    }
    Ok(n)
}

/// Descriptors 0, 1 and 2 of `init`, and the trace: at its end, and the page's console.
fn standard_stream(cpu: &Cpu, unit: u32, write: bool, range: &Uint8Array) -> Result<u32, Errno> {
    match (unit, write) {
        (devctl::STDIN, false) => Ok(0),
        (devctl::STDOUT | devctl::STDERR | devctl::TRACE, true) => {
            let text = String::from_utf8_lossy(&range.to_vec()).into_owned();
            messages::post(&cpu.page, &ToPage::Console(text));
            Ok(range.length())
        }
        _ => Err(Errno::ENXIO),
    }
}

fn dev_ctl(unit: u32, cmd: u32, ptr: u32, len: u32) -> Result<u32, Errno> {
    let cpu = cpu();
    if unit < devctl::ATTACHED_FIRST {
        return standard_control(&cpu.kmem, unit, cmd, ptr, len);
    }
    if cmd == devctl::EXITED {
        let status = cpu.kmem.read(ptr, len.min(4))?;
        let status = status.try_into().map_or(0, u32::from_le_bytes);
        messages::session_over(&cpu, unit, status);
        return Ok(0);
    }
    cpu.units.control(unit, cmd, &cpu.kmem, ptr, len)
}

/// `dev_ctl` of the descriptors that `init` begins with, and of the trace.
pub fn standard_control(kmem: &KernelMemory, unit: u32, cmd: u32, ptr: u32, len: u32) -> Result<u32, Errno> {
    match cmd {
        devctl::KIND if unit == devctl::STDIN => Ok(devctl::KIND_NULL),
        devctl::KIND if unit <= devctl::TRACE => Ok(devctl::KIND_PIPE),
        devctl::POLL => {
            let wanted = kmem.read(ptr, len.min(2))?;
            Ok(u32::from(wanted.try_into().map_or(0, u16::from_le_bytes)))
        }
        _ => Err(Errno::ENOTTY),
    }
}

/// Whether there is room for one more address space; counts it.
pub fn admit_vmspace(cpu: &Cpu, max: i32) -> bool {
    let admitted = cpu.control.add(word::VMSPACES, 1) < max;
    if !admitted {
        cpu.control.add(word::VMSPACES, -1);
    }
    admitted
}
