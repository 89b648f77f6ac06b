//! An lwp: the loop around user code, and how user code is left.
//!
//! The future made by [`life`] is the lwp: it owns a store with the lwp's
//! kernel instance and, while a program runs, its stub, the program and the uaccess module. It is
//! polled by the vkernel's task only. After an exec the next program gets a fresh store, because
//! instances live as long as their store.

use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;

use abi::Errno;
use abi::hypercall;
use abi::trapframe::{Next, Reason, UACCESS};
use wasmtime::{
    Error, Extern, FrameInfo, Func, Global, GlobalType, Instance, InstancePre, Linker, Memory, MemoryType, Module,
    ModuleExport, Mutability, Ref, ResourceLimiter, Store, StoreContextMut, Table, ThrownException, Trap, TypedFunc,
    UpdateDeadline, Val, ValType, WasmBacktrace,
};

use crate::clock::monotonic_ns;
use crate::engine::Modules;
use crate::machine::{Ending, Machine, Times};
use crate::memory::{Making, Space, making};
use crate::program::{Answer, Place, ProgramImage};
use crate::ticker::TICK_NS;
use sched::{Sched, SlotId};

/// A store's data: whose instances these are.
pub(crate) struct Cpu {
    pub machine: Arc<Machine>,
    pub slot: SlotId,
    /// Pays for the program's tables.
    space: Option<Arc<Space>>,
    /// The program's memory.
    pub memory: Option<Memory>,
    /// What it runs, and what it was last left by.
    program: Option<Arc<ProgramImage>>,
    left: Option<Error>,
    /// Makes the program look for signals at its next check.
    bell: Option<Global>,
    /// Stopped at an epoch check, and not yet looked at again.
    stopped: bool,
    /// Epoch checks that found kernel code, in a row, and since when.
    in_kernel: u32,
    in_kernel_since: u64,
}

/// Errors of our own that take wasm off its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The vkernel has ended.
    Ended,
    /// User code is left because of a kick.
    Kicked,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stop::Ended => "the vkernel has ended",
            Stop::Kicked => "kicked",
        })
    }
}
impl std::error::Error for Stop {}

/// Looks at kernel code before user code comes again, while others wait.
const IMPATIENT: u32 = 64;
/// A kernel that is at one thing for so long will not come to an end.
const HUNG_NS: u64 = 60_000_000_000;
/// What an element of a table costs.
const TABLE_ELEMENT: u64 = 8;

impl ResourceLimiter for Cpu {
    /// Memories are counted where they are made, in `memory.rs`.
    fn memory_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64 * TABLE_ELEMENT;
        Ok(self.space.as_ref().is_none_or(|space| space.charge(more)))
    }
}

impl Cpu {
    pub fn new(machine: Arc<Machine>, slot: SlotId) -> Cpu {
        Cpu {
            machine,
            slot,
            space: None,
            memory: None,
            program: None,
            left: None,
            bell: None,
            stopped: false,
            in_kernel: 0,
            in_kernel_since: 0,
        }
    }

    /// The functions of the program that it was in when it was last left, as its file numbers them. None
    /// where its memory isn't the kernel's to reach yet.
    pub fn frames(&self) -> Option<Vec<u32>> {
        let program = self.memory.and(self.program.as_ref())?;
        let trace = self.left.as_ref().and_then(|e| e.downcast_ref::<WasmBacktrace>());
        let origins = loader::Origins::read(&program.origins);
        let frames = trace.map_or(&[][..], WasmBacktrace::frames).iter();
        let own = frames.filter(|frame| self.machine.host.code.of(frame).is_none());
        Some(own.filter_map(|frame| origins.of(frame.func_index())).collect())
    }
}

/// The kernel, linked, and where its exports are.
pub(crate) struct KernelPre {
    pre: InstancePre<Cpu>,
    memory: ModuleExport,
    table: ModuleExport,
    stack_pointer: ModuleExport,
    trap: ModuleExport,
    signal: ModuleExport,
    lwp_next: ModuleExport,
}

impl KernelPre {
    pub fn new(linker: &Linker<Cpu>, kernel: &Module) -> anyhow::Result<KernelPre> {
        let pre = linker.instantiate_pre(kernel).map_err(crate::engine::plain)?;
        let export = |name: &str| kernel.get_export_index(name).ok_or_else(|| anyhow::anyhow!("kernel: no {name}"));
        Ok(KernelPre {
            pre,
            memory: export("memory")?,
            table: export("__indirect_function_table")?,
            stack_pointer: export("__stack_pointer")?,
            trap: export("trap")?,
            signal: export("signal")?,
            lwp_next: export("lwp_next")?,
        })
    }
}

/// A kernel instance in a store of its own.
pub(crate) struct Kernel {
    pub store: Store<Cpu>,
    pub instance: Instance,
    memory: Memory,
    pub table: Table,
    stack_pointer: Global,
    trap: Func,
    signal: Func,
    /// Runs the handler of a fault, in the program that runs.
    deliver: Option<Func>,
    lwp_next: TypedFunc<(u32, u32, u32), i64>,
}

impl Kernel {
    fn store(machine: &Arc<Machine>, slot: SlotId) -> Store<Cpu> {
        let mut store = Store::new(&machine.host.engine, Cpu::new(machine.clone(), slot));
        store.limiter(|cpu| cpu);
        store
    }

    /// An instance for an lwp, whose kernel stack ends at `stack`.
    pub async fn for_lwp(machine: &Arc<Machine>, slot: SlotId, stack: u32) -> wasmtime::Result<Kernel> {
        let mut store = Self::store(machine, slot);
        store.epoch_deadline_callback(at_epoch_check);
        store.set_epoch_deadline(1);
        let pre = &machine.host.kernel;
        let memory = Making::Kernel(machine.memory.clone());
        let instance = making(memory, pre.pre.instantiate_async(&mut store)).await?;
        let mut kernel = Self::over(store, instance, pre)?;
        kernel.stack_pointer.set(&mut kernel.store, Val::I32(stack as i32))?;
        Ok(kernel)
    }

    /// The interrupt instance, which is called without a fiber.
    pub fn for_interrupts(machine: &Arc<Machine>) -> wasmtime::Result<Kernel> {
        let mut store = Self::store(machine, SlotId::MAX);
        store.set_epoch_deadline(u64::MAX / 2);
        let pre = &machine.host.interrupt_kernel;
        let memory = Making::Kernel(machine.memory.clone());
        let instance = crate::memory::making_now(memory, || pre.pre.instantiate(&mut store))?;
        Self::over(store, instance, pre)
    }

    fn over(mut store: Store<Cpu>, instance: Instance, pre: &KernelPre) -> wasmtime::Result<Kernel> {
        let mut export = |at: &ModuleExport| instance.get_module_export(&mut store, at);
        let (memory, table) = (export(&pre.memory), export(&pre.table));
        let (stack_pointer, lwp_next) = (export(&pre.stack_pointer), export(&pre.lwp_next));
        let (trap, signal) = (export(&pre.trap), export(&pre.signal));
        let wrong = || Error::msg("kernel: an export is not what it should be");
        Ok(Kernel {
            instance,
            memory: memory.and_then(Extern::into_memory).ok_or_else(wrong)?,
            table: table.and_then(Extern::into_table).ok_or_else(wrong)?,
            stack_pointer: stack_pointer.and_then(Extern::into_global).ok_or_else(wrong)?,
            trap: trap.and_then(Extern::into_func).ok_or_else(wrong)?,
            signal: signal.and_then(Extern::into_func).ok_or_else(wrong)?,
            deliver: None,
            lwp_next: lwp_next.and_then(Extern::into_func).ok_or_else(wrong)?.typed(&store)?,
            store,
        })
    }

    /// User code was left by an error, which is kept for who asks where that was.
    fn left(&mut self, e: Error) -> Left {
        let cpu = self.store.data_mut();
        match why_left(&cpu.machine, &e) {
            Some(reason) => {
                cpu.left = Some(e);
                Left::Fault(reason)
            }
            None if cpu.machine.has_ended() => Left::Broken(Stop::Ended.into()),
            None => Left::Broken(e),
        }
    }

    /// Refuses a kernel of another contract.
    pub fn check_version(&mut self) -> wasmtime::Result<()> {
        let version = self.instance.get_typed_func::<(), u32>(&mut self.store, "hypercall_version")?;
        let version = version.call(&mut self.store, ())?;
        if version != hypercall::VERSION {
            let own = hypercall::VERSION;
            return Err(Error::msg(format!("kernel: made for hypercalls {version}, this host has {own}; rebuild it")));
        }
        Ok(())
    }
}

/// The life of an lwp, until the kernel says that it is gone or the vkernel ends.
pub(crate) async fn life(machine: Arc<Machine>, slot: SlotId, stack: u32) {
    if let Err(e) = run(&machine, slot, stack).await {
        let why = match e.downcast_ref::<Stop>() {
            Some(_) => return,
            None => describe(&e),
        };
        machine.end(Ending::Panicked(why));
    }
}

/// What a panic of the kernel looks like from outside.
pub(crate) fn describe(e: &Error) -> String {
    let mut text = format!("kernel: {}", e.root_cause());
    if let Some(trace) = e.downcast_ref::<WasmBacktrace>() {
        for frame in trace.frames() {
            let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_string);
            text.push_str(&format!("\n    in {name}"));
        }
    }
    text
}

async fn run(machine: &Arc<Machine>, slot: SlotId, stack: u32) -> wasmtime::Result<()> {
    let (lwp, vmspace) = machine.sched.with(|s| (s.slot(slot).lwp, s.slot(slot).vmspace));
    let mut kernel = Kernel::for_lwp(machine, slot, stack).await?;
    let mut used = false;
    let (mut reason, mut detail) = (Reason::Start, 0);
    loop {
        let next = kernel.lwp_next.call_async(&mut kernel.store, (lwp, reason as u32, detail)).await?;
        let left = match Next::decode(next) {
            Next::Gone => return Ok(()),
            Next::Resume => return Err(Error::msg("lwp_next: nothing to resume")),
            Next::Signal => deliver(&mut kernel).await,
            Next::Run { image } => {
                if used {
                    drop(kernel);
                    kernel = Kernel::for_lwp(machine, slot, stack).await?;
                }
                used = true;
                user(&mut kernel, lwp, vmspace, image).await
            }
        };
        (reason, detail) = match left {
            Ok(()) => (Reason::Returned, 0),
            Err(Left::Fault(reason)) => (reason, 0),
            Err(Left::NotSetUp(errno)) => (Reason::ExecFailed, errno as u32),
            Err(Left::Broken(e)) => return Err(e),
        };
        // Whatever user code left behind: the next entry begins at the stack's top.
        kernel.stack_pointer.set(&mut kernel.store, Val::I32(stack as i32))?;
    }
}

/// How user code was left, but for a return of its entry point.
enum Left {
    Fault(Reason),
    NotSetUp(Errno),
    /// The kernel's fault, or the machine's.
    Broken(Error),
}

/// Calls the handler of a fault, on the empty stack that the fault has left.
async fn deliver(kernel: &mut Kernel) -> Result<(), Left> {
    let deliver = kernel.deliver.ok_or_else(|| Left::Broken(Error::msg("lwp_next: a signal for no program")))?;
    deliver.call_async(&mut kernel.store, &[], &mut []).await.map_err(|e| kernel.left(e))
}

/// Sets a program up in its address space and runs it.
async fn user(kernel: &mut Kernel, lwp: u32, vmspace: u32, image: u32) -> Result<(), Left> {
    let machine = kernel.store.data().machine.clone();
    let begin = monotonic_ns();
    let program = machine.images.with(|i| i.get(image)).ok_or(Left::NotSetUp(Errno::ENOENT))?;
    let space = machine.enter_vmspace(vmspace).map_err(Left::NotSetUp)?;
    kernel.store.data_mut().space = Some(space.clone());

    let made = instantiate(kernel, lwp, &program, &space).await;
    Times::add(&machine.times.instantiate, begin);
    let (instance, memory) = made.map_err(|e| set_up_failed(&machine, e))?;
    bind(kernel, memory).await.map_err(Left::Broken)?;
    let cpu = kernel.store.data_mut();
    (cpu.memory, cpu.program) = (Some(memory), Some(program.clone()));
    let copied = space.take_copy();
    // What the program does before its entry point the parent has done.
    let start = if copied.is_none() { &program.start } else { &None };
    if let Some(copied) = copied {
        copied.restore(&mut kernel.store, memory).map_err(|_| Left::NotSetUp(Errno::ENOMEM))?;
    }

    for entry in start.iter().chain([&program.entry]) {
        let entry = instance.get_module_export(&mut kernel.store, entry).and_then(Extern::into_func);
        let entry = entry.ok_or(Left::NotSetUp(Errno::ENOEXEC))?;
        let entry = entry.typed::<(), ()>(&kernel.store).map_err(|_| Left::NotSetUp(Errno::ENOEXEC))?;
        entry.call_async(&mut kernel.store, ()).await.map_err(|e| kernel.left(e))?;
    }
    Ok(())
}

/// Stub and program.
async fn instantiate(
    kernel: &mut Kernel,
    lwp: u32,
    program: &ProgramImage,
    space: &Arc<Space>,
) -> wasmtime::Result<(Instance, Memory)> {
    let machine = kernel.store.data().machine.clone();
    let store = &mut kernel.store;
    let constant = GlobalType::new(ValType::I32, Mutability::Const);
    let lwp = Global::new(&mut *store, constant, Val::I32(lwp as i32))?;
    let imports = [kernel.trap.into(), kernel.signal.into(), lwp.into()];
    // The stub's table isn't the program's to pay for.
    let payer = store.data_mut().space.take();
    let stub = Instance::new_async(&mut *store, &machine.host.modules.stub, &imports).await;
    store.data_mut().space = payer;
    let stub = stub?;

    let mut imports = Vec::with_capacity(program.answers.len());
    let mut imported = None;
    for answer in &program.answers {
        imports.push(match answer {
            Answer::Call(export) => {
                stub.get_module_export(&mut *store, export).ok_or_else(|| Error::msg("stub: an export is missing"))?
            }
            Answer::Memory(ty) => Extern::Memory(*imported.insert(new_memory(store, space, ty.clone())?)),
        });
    }
    let instance = Instance::new_async(&mut *store, &program.module, &imports);
    let instance = making(Making::Program(space.clone()), instance).await?;
    if let Some(handler) = &program.handler {
        let handler = instance.get_module_export(&mut *store, handler).and_then(Extern::into_func);
        let table = stub.get_table(&mut *store, "handler").ok_or_else(|| Error::msg("stub: no table"))?;
        table.set(&mut *store, 0, Ref::Func(handler))?;
        kernel.deliver = stub.get_func(&mut *store, "deliver");
        store.data_mut().bell = stub.get_global(&mut *store, "bell");
    }
    let memory = match &program.memory {
        Place::Exported(at) => instance.get_module_export(&mut *store, at).and_then(Extern::into_memory),
        Place::Imported => imported,
        // Every pointer is bad: uaccess gets a memory without a byte.
        Place::None => Some(new_memory(store, space, MemoryType::new(0, Some(0)))?),
    };
    Ok((instance, memory.ok_or_else(|| Error::msg("a program without its memory"))?))
}

fn new_memory(store: &mut Store<Cpu>, space: &Arc<Space>, ty: MemoryType) -> wasmtime::Result<Memory> {
    crate::memory::making_now(Making::Program(space.clone()), || Memory::new(store, ty))
}

/// Points the kernel's uaccess slots at this memory.
async fn bind(kernel: &mut Kernel, memory: Memory) -> wasmtime::Result<()> {
    let store = &mut kernel.store;
    let host = store.data().machine.host.clone();
    let imports = [kernel.memory.into(), memory.into()];
    let uaccess = Instance::new_async(&mut *store, &host.modules.uaccess, &imports).await?;
    // The kernel's table isn't the program's to pay for.
    let payer = store.data_mut().space.take();
    let first = kernel.table.grow(&mut *store, UACCESS.len() as u64, Ref::Func(None))?;
    store.data_mut().space = payer;
    if first != host.uaccess_slot {
        return Err(Error::msg("kernel: its table is of another size in each instance"));
    }
    for (at, export) in (first..).zip(&host.uaccess) {
        let f = uaccess.get_module_export(&mut *store, export).and_then(Extern::into_func);
        kernel.table.set(&mut *store, at, Ref::Func(f))?;
    }
    Ok(())
}

/// A program that couldn't be instantiated. Traps are those of its initialisers.
fn set_up_failed(machine: &Machine, e: Error) -> Left {
    match why_left(machine, &e) {
        Some(Reason::Other) => Left::NotSetUp(Errno::ENOMEM),
        Some(reason) => Left::Fault(reason),
        None if machine.has_ended() => Left::Broken(Stop::Ended.into()),
        None => Left::Broken(e),
    }
}

/// Tells faults of the program from those of the kernel, which are `None`.
fn why_left(machine: &Machine, e: &Error) -> Option<Reason> {
    if machine.has_ended() {
        return None;
    }
    if let Some(Stop::Kicked) = e.downcast_ref() {
        return Some(Reason::Kicked);
    }
    if e.is::<ThrownException>() {
        return Some(Reason::Uncaught);
    }
    let Some(trap) = e.downcast_ref::<Trap>() else { return Some(Reason::Other) };
    let innermost = e.downcast_ref::<WasmBacktrace>().and_then(|trace| machine.host.code.innermost(trace));
    match (innermost, trap) {
        (Some(Code::Stub), Trap::UnreachableCodeReached) => Some(Reason::Unwound),
        (Some(Code::Kernel), _) => None,
        (_, trap) => Some(reason(*trap)),
    }
}

fn reason(trap: Trap) -> Reason {
    match trap {
        Trap::UnreachableCodeReached => Reason::Unreachable,
        Trap::MemoryOutOfBounds => Reason::MemoryBounds,
        Trap::TableOutOfBounds => Reason::TableBounds,
        Trap::IntegerDivisionByZero => Reason::DivideByZero,
        Trap::IntegerOverflow => Reason::IntegerOverflow,
        Trap::BadConversionToInteger => Reason::BadConversion,
        Trap::StackOverflow => Reason::StackOverflow,
        Trap::IndirectCallToNull | Trap::NullReference => Reason::NullReference,
        Trap::BadSignature => Reason::BadSignature,
        Trap::HeapMisaligned => Reason::Unaligned,
        _ => Reason::Other,
    }
}

/// Whose code an address is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Code {
    /// The kernel or its hand in user memory.
    Kernel,
    Stub,
}

/// Where the machine's own code is.
pub(crate) struct CodeRanges([(Range<usize>, Code); 3]);

impl CodeRanges {
    pub fn new(modules: &Modules) -> CodeRanges {
        let range = |m: &Module| m.image_range().start as usize..m.image_range().end as usize;
        CodeRanges([
            (range(&modules.kernel), Code::Kernel),
            (range(&modules.uaccess), Code::Kernel),
            (range(&modules.stub), Code::Stub),
        ])
    }

    /// Of the innermost frame; `None` is a program.
    fn innermost(&self, trace: &WasmBacktrace) -> Option<Code> {
        self.of(trace.frames().first()?)
    }

    fn of(&self, frame: &FrameInfo) -> Option<Code> {
        let at = frame.module().image_range().start as usize;
        self.0.iter().find(|(range, _)| range.contains(&at)).map(|(_, code)| *code)
    }
}

/// An epoch has ended while wasm code of an lwp runs.
fn at_epoch_check(mut cx: StoreContextMut<'_, Cpu>) -> wasmtime::Result<UpdateDeadline> {
    if cx.data().stopped {
        let next = go_on(cx.data_mut());
        ring(&mut cx)?;
        return next;
    }
    let host = cx.data().machine.host.clone();
    let trace = WasmBacktrace::force_capture(&cx);
    let innermost = host.code.innermost(&trace);
    // The way in, of the kernel as of a program, is code of wasmtime's, which has checks but no frame.
    let entering = trace.frames().is_empty();
    let cpu = cx.data_mut();
    if innermost.is_some() || entering {
        return not_now(cpu);
    }
    cpu.in_kernel = 0;
    cpu.stopped = true;
    let (machine, slot) = (cpu.machine.clone(), cpu.slot);
    machine.sched.with(|s| s.slot(slot).preempted = true);
    // With no ticks to go the next check comes back here at once, to see whether to leave.
    Ok(UpdateDeadline::YieldCustom(0, Box::pin(pause(machine, slot, Sched::yield_now))))
}

/// Tells a program that goes on of a signal that has come meanwhile.
fn ring(cx: &mut StoreContextMut<'_, Cpu>) -> wasmtime::Result<()> {
    let cpu = cx.data();
    let signaled = !cpu.stopped && cpu.machine.sched.with(|s| std::mem::take(&mut s.slot(cpu.slot).signaled));
    match cpu.bell {
        Some(bell) if signaled => bell.set(cx, Val::I32(1)),
        _ => Ok(()),
    }
}

/// User code has been stopped and is to go on, to stand still, or to be left.
fn go_on(cpu: &mut Cpu) -> wasmtime::Result<UpdateDeadline> {
    let (machine, id) = (cpu.machine.clone(), cpu.slot);
    let (kicked, held) = machine.sched.with(|s| {
        let slot = s.slot(id);
        let held = slot.held && !slot.kicked;
        slot.preempted = held;
        (std::mem::take(&mut slot.kicked), held)
    });
    if held {
        return Ok(UpdateDeadline::YieldCustom(0, Box::pin(pause(machine, id, Sched::hold))));
    }
    cpu.stopped = false;
    if kicked { Err(Stop::Kicked.into()) } else { Ok(UpdateDeadline::Continue(1)) }
}

/// Kernel code is never preempted. While others wait the next checks look again, so that user code
/// is stopped when the kernel is done, but not forever: a check costs something.
fn not_now(cpu: &mut Cpu) -> wasmtime::Result<UpdateDeadline> {
    let now = monotonic_ns();
    // A kernel that has slept since the last look, for a compiler say, does not hang.
    let resumed = cpu.machine.sched.with(|s| s.running_since());
    if cpu.in_kernel == 0 || cpu.in_kernel_since < resumed {
        (cpu.in_kernel, cpu.in_kernel_since) = (0, now);
    }
    cpu.in_kernel += 1;
    if now.saturating_sub(cpu.in_kernel_since) > HUNG_NS + TICK_NS {
        return Err(Error::msg("the kernel hangs"));
    }
    // A program that hardly does anything but long calls must not look like a kernel that hangs.
    let seconds = now.saturating_sub(cpu.in_kernel_since) / 1_000_000_000;
    let others = seconds > 0 || cpu.machine.sched.with(|s| s.has_ready()) || cpu.machine.external.pending();
    let again = others && !cpu.in_kernel.is_multiple_of(IMPATIENT << seconds.min(14));
    Ok(UpdateDeadline::Continue(if again { 0 } else { 1 }))
}

/// Lets others run; `how` says when the lwp runs again.
async fn pause(machine: Arc<Machine>, slot: SlotId, how: fn(&mut Sched, SlotId)) {
    let mut yielded = false;
    poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        machine.sched.with(|s| how(s, slot));
        Poll::Pending
    })
    .await;
}
