//! `kernel.wasm` in a worker: its module and the modules around it, an instance for each lwp, and
//! the CPU's own instance for interrupts.

use std::cell::Cell;

use abi::trapframe::UACCESS;
use js_sys::{BigInt, Function, Object, Promise, WebAssembly};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::cpu::Cpu;
use crate::hypercalls;
use crate::js;
use crate::kmem::{KernelMemory, MAX_PAGES};

/// Modules, compiled once a vkernel and posted to each CPU.
#[derive(Clone)]
pub struct Modules {
    pub kernel: JsValue,
    pub stub: JsValue,
    pub uaccess: JsValue,
    pub clock: JsValue,
}

impl Modules {
    /// The small ones, made here; `kernel` is still to be compiled.
    pub fn around(kmem: &KernelMemory) -> Result<Modules, JsValue> {
        let compile = |wasm: Vec<u8>| {
            let bytes = js_sys::Uint8Array::from(wasm.as_slice());
            WebAssembly::Module::new(&bytes).map(JsValue::from)
        };
        let pages = u64::from(kmem.size() >> 16);
        Ok(Modules {
            kernel: JsValue::UNDEFINED,
            stub: compile(loader::web_stub_module())?,
            uaccess: compile(loader::uaccess_module(Some((pages, u64::from(MAX_PAGES)))))?,
            clock: compile(loader::clock_module())?,
        })
    }

    /// Where no program runs: the service of the machine of threads.
    pub fn without_programs(kernel: JsValue, clock: JsValue) -> Modules {
        Modules { kernel, stub: JsValue::UNDEFINED, uaccess: JsValue::UNDEFINED, clock }
    }
}

/// `new WebAssembly.Instance`, for its exports.
pub fn instantiate(module: &JsValue, imports: &Object) -> Result<JsValue, JsValue> {
    let instance = WebAssembly::Instance::new(module.unchecked_ref(), imports)?;
    Ok(js::get(&instance, "exports"))
}

/// An instance for lwps, one after another.
pub struct KernelInstance {
    pub exports: JsValue,
    stack_pointer: JsValue,
    /// Top of the lwp's kernel stack.
    stack: Cell<u32>,
    table: JsValue,
    first_slot: u32,
    next: Function,
}

impl KernelInstance {
    pub fn new(cpu: &Cpu) -> Result<KernelInstance, JsValue> {
        let exports = instantiate(&cpu.modules.kernel, &hypercalls::imports(cpu)?)?;
        let table = js::get(&exports, "__indirect_function_table");
        let first_slot = grow_table(&table)?;
        Ok(KernelInstance {
            stack_pointer: js::get(&exports, "__stack_pointer"),
            stack: Cell::new(0),
            table,
            first_slot,
            next: js::promising(&js::function(&exports, "lwp_next")?)?,
            exports,
        })
    }

    /// Of the lwp that it serves from now on.
    pub fn set_stack(&self, top: u32) {
        self.stack.set(top);
        self.reset_stack();
    }

    /// Whatever user code left behind: the next entry begins at the stack's top.
    pub fn reset_stack(&self) {
        set_stack(&self.stack_pointer, self.stack.get());
    }

    /// `lwp_next`, on a stack that may sleep.
    pub async fn next(&self, lwp: u32, reason: u32, detail: u32) -> Result<i64, JsValue> {
        let promise = self.next.call3(&JsValue::UNDEFINED, &lwp.into(), &reason.into(), &detail.into())?;
        let next = JsFuture::from(promise.unchecked_into::<Promise>()).await?;
        i64::try_from(next.unchecked_into::<BigInt>()).map_err(|_| JsError::new("lwp_next: not an i64").into())
    }

    /// Points the kernel's uaccess slots at this memory.
    pub fn bind(&self, cpu: &Cpu, memory: &JsValue) -> Result<(), JsValue> {
        let k = js::object(&[("memory", &cpu.kmem.memory)]);
        let u = js::object(&[("memory", memory)]);
        let exports = instantiate(&cpu.modules.uaccess, &js::object(&[("k", &k), ("u", &u)]))?;
        let table: &WebAssembly::Table = self.table.unchecked_ref();
        for (at, name) in (self.first_slot..).zip(UACCESS) {
            table.set(at, &js::function(&exports, name)?)?;
        }
        Ok(())
    }

    /// Lets go of the memory: engines have room for few.
    pub fn unbind(&self) -> Result<(), JsValue> {
        let table: &js::Table = self.table.unchecked_ref();
        (self.first_slot..).take(UACCESS.len()).try_for_each(|at| table.clear(at, &JsValue::NULL))
    }
}

fn set_stack(global: &JsValue, top: u32) {
    // An exported mutable global takes any i32.
    let _ = js_sys::Reflect::set(global, &"value".into(), &(top as i32).into());
}

/// Makes room for uaccess; answers the first slot, which is the same in each instance.
fn grow_table(table: &JsValue) -> Result<u32, JsValue> {
    table.unchecked_ref::<WebAssembly::Table>().grow(UACCESS.len() as u32)
}

/// The instance that a CPU calls while it runs no lwp. Nothing of it sleeps.
pub struct Interrupts {
    exports: JsValue,
    pub first_slot: u32,
    intr: Function,
    kstack: Function,
    lwp_gone: Function,
}

impl Interrupts {
    /// On the first CPU it has the kernel's initial stack, which `boot` has used before.
    pub fn new(cpu: &Cpu) -> Result<Interrupts, JsValue> {
        Interrupts::over(instantiate(&cpu.modules.kernel, &hypercalls::interrupt_imports(cpu)?)?)
    }

    /// With the exports of an instance.
    pub fn over(exports: JsValue) -> Result<Interrupts, JsValue> {
        let first_slot = grow_table(&js::get(&exports, "__indirect_function_table"))?;
        let interrupts = Interrupts {
            intr: js::function(&exports, "intr")?,
            kstack: js::function(&exports, "kstack")?,
            lwp_gone: js::function(&exports, "lwp_gone")?,
            first_slot,
            exports,
        };
        Ok(interrupts)
    }

    /// On a further CPU: a stack of its own, handed out by the first.
    pub fn set_stack(&self, top: u32) {
        set_stack(&js::get(&self.exports, "__stack_pointer"), top);
    }

    /// What must be said before `boot`, and whether this is a kernel for us.
    pub fn prepare(&self) -> Result<(), JsValue> {
        let version = self.number("hypercall_version", &[])?;
        if version != abi::hypercall::VERSION as i32 {
            let own = abi::hypercall::VERSION;
            return Err(JsError::new(&format!("kernel: made for hypercalls {version}, this host has {own}")).into());
        }
        self.number("uaccess", &[self.first_slot]).map(|_| ())
    }

    /// Calls something that answers a number, or nothing.
    pub fn number(&self, name: &str, args: &[u32]) -> Result<i32, JsValue> {
        let f = js::function(&self.exports, name)?;
        let args: js_sys::Array = args.iter().map(|&a| JsValue::from(a)).collect();
        Ok(f.apply(&JsValue::UNDEFINED, &args)?.as_f64().unwrap_or(0.0) as i32)
    }

    pub fn intr(&self, irq: u32, arg: u32) -> Result<(), JsValue> {
        self.intr.call2(&JsValue::UNDEFINED, &irq.into(), &arg.into()).map(|_| ())
    }
    pub fn kstack(&self, lwp: u32) -> Result<u32, JsValue> {
        Ok(self.kstack.call1(&JsValue::UNDEFINED, &lwp.into())?.as_f64().unwrap_or(0.0) as i32 as u32)
    }
    pub fn lwp_gone(&self, lwp: u32) -> Result<(), JsValue> {
        self.lwp_gone.call1(&JsValue::UNDEFINED, &lwp.into()).map(|_| ())
    }

    /// The kernel's counters, as it tells them.
    pub fn report(&self, kmem: &KernelMemory) -> Result<String, JsValue> {
        let text = js::function(&self.exports, "report")?.call0(&JsValue::UNDEFINED)?;
        let text = i64::try_from(text.unchecked_into::<BigInt>()).unwrap_or(0);
        let bytes = kmem.read(text as u32, (text >> 32) as u32).unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Boots the kernel, on an instance whose calls may sleep: `boot` reads the image.
pub async fn boot(cpu: &Cpu) -> Result<(), JsValue> {
    let exports = instantiate(&cpu.modules.kernel, &hypercalls::imports(cpu)?)?;
    grow_table(&js::get(&exports, "__indirect_function_table"))?;
    for name in ["boot", "start"] {
        let promise = js::promising(&js::function(&exports, name)?)?.call0(&JsValue::UNDEFINED)?;
        let answer = JsFuture::from(promise.unchecked_into::<Promise>()).await?.as_f64().unwrap_or(0.0) as i32;
        booted(name, answer)?;
    }
    Ok(())
}

/// What `boot` and `start` answer.
pub fn booted(name: &str, answer: i32) -> Result<(), JsValue> {
    if answer == 0 {
        return Ok(());
    }
    let errno = abi::Errno::from_raw(answer.unsigned_abs()).map_or("error", |e| e.name());
    Err(JsError::new(&format!("kernel: {name} failed: {errno} ({answer})")).into())
}

/// The kernel's last words, from what it or the host has thrown.
pub fn epitaph(e: &JsValue) -> String {
    let stack = js::get(e, "stack").as_string().unwrap_or_default();
    format!("kernel: {}\n{stack}", js::message(e))
}
