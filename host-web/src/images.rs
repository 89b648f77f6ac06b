//! Images (compiled programs) and address spaces, as the kernel names them.
//!
//! An image of a file of the boot image has a number made of the blob's: every CPU knows it without
//! being told, and it is compiled once a visit. Others get the next number of the control block,
//! and are posted to the other CPUs. A memory is made where its lwp runs, when the program is
//! instantiated; what `vmspace_create` does is to count, because engines have room for so many, and to keep the limit
//! until `lwp_create` takes it to the lwp's CPU. A program asks for it before its memory grows (`loader::prepare`).

use std::cell::RefCell;
use std::rc::Rc;

use abi::Errno;
use abi::types::vmctl;
use js_sys::{Array, Uint8Array, WebAssembly};
use loader::Program;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::blobs::Failure;
use crate::control::word;
use crate::cpu::{Cpu, current_cpu};
use crate::forked::Fork;
use crate::hypercalls::answer;
use crate::js;
use crate::lwp::TRIES;
use crate::messages;
use crate::numbered::Numbered;

/// Numbers of images from blobs.
pub const BLOB: u32 = 1 << 30;
/// The largest program.
const MAX_BYTES: u64 = 512 << 20;
/// Chromium has room for 124 memories in a page; some are the machine's own, and some of the dead
/// are not collected yet.
const VMSPACES_MAX: i32 = 100;
const PAGE: u64 = 65536;
/// The most memory that a program gets, whatever its limit: 1 GiB, so that one cannot take all that a tab has.
pub const MOST_PAGES: u32 = 16384;
const SECTION: &str = "vkernel.program";

pub struct Image {
    pub module: JsValue,
    pub program: Program,
}

#[derive(Default)]
pub struct Images {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    images: Numbered<Rc<Image>>,
    /// Being handed over by the kernel: what has come, and how much.
    handles: Numbered<(Uint8Array, u32)>,
    last_handle: u32,
    error: String,
    /// Memories of the lwps of this CPU.
    memories: Numbered<JsValue>,
    /// The limits in pages of address spaces that no lwp runs in yet.
    limits: Numbered<u32>,
    /// What forked address spaces that no lwp runs in yet are copies of.
    forks: Numbered<Fork>,
    /// Those who wait for another CPU to say that it has an lwp that they have forked.
    forking: Numbered<js::Resolve>,
    /// Images of blobs that are being compiled here.
    making: Vec<u32>,
    /// Those who wait for an image that is being compiled, or that another CPU posts.
    waiting: Vec<(u32, js::Resolve)>,
}

impl Image {
    /// From a compiled program that was prepared.
    pub fn of(module: JsValue) -> Result<Image, Failure> {
        let sections = WebAssembly::Module::custom_sections(module.unchecked_ref(), SECTION);
        let sections: Array = sections.unchecked_into();
        let text = Uint8Array::new(&sections.get(0)).to_vec();
        let program = loader::described(&text).map_err(|text| Failure::new(Errno::ENOEXEC, text))?;
        Ok(Image { program, module })
    }

    /// With which its memories begin.
    pub fn pages(&self) -> u32 {
        u32::try_from(self.program.all_pages).unwrap_or(u32::MAX)
    }
}

/// The pages that a limit in bytes allows.
pub fn limit_pages(bytes: u64) -> u32 {
    u32::try_from(bytes / PAGE).unwrap_or(MOST_PAGES).min(MOST_PAGES)
}

impl Images {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.borrow_mut())
    }

    pub fn get(&self, image: u32) -> Option<Rc<Image>> {
        self.with(|s| s.images.get(image).cloned())
    }

    pub fn all(&self) -> Vec<(u32, Rc<Image>)> {
        self.with(|s| s.images.iter().map(|(number, image)| (number, image.clone())).collect())
    }

    /// An image that was posted by another CPU, or is made here.
    pub fn add(&self, number: u32, image: Image) {
        self.with(|s| s.images.insert(number, Rc::new(image)));
        self.tell(number);
    }

    /// Whoever waits for this image looks for it.
    fn tell(&self, number: u32) {
        let waiting: Vec<_> = self.with(|s| s.waiting.extract_if(.., |w| w.0 == number).collect());
        for (_, resolve) in waiting {
            resolve.number(0);
        }
    }

    fn told(&self, number: u32) -> js_sys::Promise {
        let resolvers = js::with_resolvers();
        self.with(|s| s.waiting.push((number, resolvers.resolve())));
        resolvers.promise()
    }

    /// Forgets all that are not of the boot image's files.
    pub fn keep_blobs(&self) {
        self.with(|s| s.images.retain(|number| number & BLOB != 0));
    }

    /// The image that an lwp is to run; one that another CPU has made may still be on its way.
    pub async fn wait_for(&self, cpu: &Cpu, number: u32) -> Option<Rc<Image>> {
        if let Some(image) = self.get(number) {
            return Some(image);
        }
        if !cpu.shared {
            return None;
        }
        cpu.sleep_in_host(self.told(number)).await;
        self.get(number)
    }

    // ---- hypercalls

    pub fn begin(&self, size: u64) -> Result<u32, Errno> {
        if size > MAX_BYTES {
            return Err(Errno::EFBIG);
        }
        let bytes = js::bytes(size as u32).map_err(|_| Errno::ENOMEM)?;
        self.with(|s| {
            s.last_handle += 1;
            s.handles.insert(s.last_handle, (bytes, 0));
            Ok(s.last_handle)
        })
    }

    pub fn write(&self, handle: u32, bytes: &Uint8Array) -> Result<(), Errno> {
        self.with(|s| {
            let (to, have) = s.handles.get_mut(handle).ok_or(Errno::EINVAL)?;
            if bytes.length() > to.length() - *have {
                return Err(Errno::EINVAL);
            }
            to.set(bytes, *have);
            *have += bytes.length();
            Ok(())
        })
    }

    /// What was handed over; the handle is gone.
    pub fn take(&self, handle: u32) -> Option<Uint8Array> {
        self.with(|s| s.handles.remove(handle)).map(|(bytes, _)| bytes)
    }

    pub fn commit(&self, handle: u32) -> JsValue {
        let Some(bytes) = self.take(handle) else {
            return (-(Errno::EINVAL as i32)).into();
        };
        let Some(cpu) = current_cpu() else { return JsValue::UNDEFINED };
        let of = cpu.clone();
        cpu.await_host(async move {
            let mut made = of.storage.compile(&bytes).await;
            for _ in 1..TRIES {
                if made.as_ref().is_err_and(|e| e.errno == Errno::ENOMEM) {
                    of.have_collected().await;
                    made = of.storage.compile(&bytes).await;
                }
            }
            let made = made.and_then(Image::of);
            of.images.made(&of, of.control.add(word::NEXT_IMAGE, 1) as u32 + 1, made)
        })
    }

    pub fn blob(&self, blob: u32) -> JsValue {
        let number = BLOB | blob;
        if self.get(number).is_some() {
            return number.into();
        }
        let Some(cpu) = current_cpu() else { return JsValue::UNDEFINED };
        let of = cpu.clone();
        cpu.await_host(async move { of.images.make_blob(&of, blob).await })
    }

    /// Compiles a program that will be run soon.
    pub fn expect(&self, cpu: &Rc<Cpu>, blob: u32) {
        let of = cpu.clone();
        wasm_bindgen_futures::spawn_local(async move { _ = of.images.make_blob(&of, blob).await });
    }

    async fn make_blob(&self, cpu: &Cpu, blob: u32) -> i32 {
        let number = BLOB | blob;
        if self.with(|s| s.making.contains(&number)) {
            let _ = JsFuture::from(self.told(number)).await;
        }
        if self.get(number).is_some() {
            return answer(Ok(number));
        }
        self.with(|s| s.making.push(number));
        let made = cpu.storage.module(blob).await.and_then(Image::of);
        self.with(|s| s.making.retain(|&n| n != number));
        let answer = self.made(cpu, number, made);
        // One who waited for what could not be made tries again.
        self.tell(number);
        answer
    }

    fn made(&self, cpu: &Cpu, number: u32, made: Result<Image, Failure>) -> i32 {
        match made {
            Ok(image) => {
                messages::post_image(cpu, number, &image.module);
                self.add(number, image);
                answer(Ok(number))
            }
            Err(Failure { errno, text }) => {
                self.with(|s| s.error = text);
                answer(Err(errno))
            }
        }
    }

    pub fn error(&self) -> String {
        self.with(|s| s.error.clone())
    }

    /// Images of blobs stay: they will be run again. Others are forgotten here; answers whether other CPUs
    /// shall forget this one, too.
    pub fn close(&self, cpu: &Cpu, image: u32) -> bool {
        let goes = image & BLOB == 0;
        if goes {
            cpu.forget(image);
        }
        goes
    }

    pub fn forget(&self, image: u32) {
        self.with(|s| s.images.remove(image));
    }

    fn fits(&self, image: u32, limit: u32) -> Result<(), Errno> {
        match self.get(image) {
            Some(image) if image.pages() > limit => Err(Errno::ENOMEM),
            // One that another CPU has made is looked at there.
            _ => Ok(()),
        }
    }

    pub fn vmspace_create(&self, cpu: &Cpu, id: u32, image: u32, limit: u64) -> Result<(), Errno> {
        let limit = limit_pages(limit);
        self.fits(image, limit)?;
        if !crate::hypercalls::admit_vmspace(cpu, VMSPACES_MAX) {
            return Err(Errno::EAGAIN);
        }
        self.with(|s| s.limits.insert(id, limit));
        Ok(())
    }

    /// The copy is made with the lwp.
    pub fn vmspace_fork(&self, cpu: &Cpu, id: u32, from: u32) -> Result<(), Errno> {
        let image = cpu.with_hosted(cpu.slot(), |h| (h.vmspace == from).then_some(h.image)).ok_or(Errno::ENOENT)?;
        if !crate::hypercalls::admit_vmspace(cpu, VMSPACES_MAX) {
            return Err(Errno::EAGAIN);
        }
        self.with(|s| {
            s.limits.insert(id, cpu.limit(from));
            s.forks.insert(id, Fork { from, image });
        });
        Ok(())
    }

    /// What an address space in which an lwp is about to run is to be a copy of.
    pub fn take_fork(&self, vmspace: u32) -> Option<Fork> {
        self.with(|s| s.forks.remove(vmspace))
    }

    /// The memory of an address space of this CPU.
    pub fn memory(&self, vmspace: u32) -> Option<JsValue> {
        self.with(|s| s.memories.get(vmspace).cloned())
    }

    /// A promise of what another CPU says of a forked lwp: 0 or an error number.
    pub fn answer_for(&self, lwp: u32) -> js_sys::Promise {
        let resolvers = js::with_resolvers();
        self.with(|s| _ = s.forking.insert(lwp, resolvers.resolve()));
        resolvers.promise()
    }

    pub fn answered(&self, lwp: u32, errno: i32) {
        if let Some(resolve) = self.with(|s| s.forking.remove(lwp)) {
            resolve.number(errno);
        }
    }

    /// An image that some CPU has, and that may still be on its way to this one.
    pub async fn when_posted(&self, number: u32) -> Rc<Image> {
        loop {
            if let Some(image) = self.get(number) {
                return image;
            }
            let _ = JsFuture::from(self.told(number)).await;
        }
    }

    pub fn vmspace_destroy(&self, cpu: &Cpu, id: u32) -> Result<(), Errno> {
        self.left(id);
        self.with(|s| (s.limits.remove(id), s.forks.remove(id)));
        cpu.control.add(word::VMSPACES, -1);
        Ok(())
    }

    /// The limit of an address space in which an lwp is about to run.
    pub fn take_limit(&self, vmspace: u32) -> u32 {
        self.with(|s| s.limits.remove(vmspace)).unwrap_or(MOST_PAGES)
    }

    pub fn vmspace_ctl(&self, cpu: &Cpu, id: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        match cmd {
            // A memory never shrinks, so its size is its peak.
            vmctl::SIZE | vmctl::PEAK => Ok(match self.memory(id) {
                Some(memory) => crate::forked::size(&memory) as u64,
                None => u64::from(cpu.control.vmspace_pages(id)) << 16,
            }),
            vmctl::SET_LIMIT => {
                cpu.set_limit(id, limit_pages(arg));
                Ok(0)
            }
            // Asked for the running lwp's own.
            vmctl::HANDLERS => {
                let seat = cpu.with_hosted(cpu.slot(), |h| h.seat.clone());
                Ok(seat.is_some_and(|seat| seat.stub.has_handler()) as u64)
            }
            vmctl::EXEC => self.fits(arg as u32, cpu.limit(id)).map(|()| 0),
            _ => Err(Errno::ENOTSUP),
        }
    }

    /// An lwp of this CPU runs in this address space now.
    pub fn entered(&self, vmspace: u32, memory: &JsValue) {
        self.with(|s| s.memories.insert(vmspace, memory.clone()));
    }
    pub fn left(&self, vmspace: u32) {
        self.with(|s| s.memories.remove(vmspace));
    }
}

/// `WebAssembly.compile`, off this worker's thread where the engine can.
pub async fn compile(prepared: &Uint8Array) -> Result<JsValue, String> {
    JsFuture::from(WebAssembly::compile(prepared)).await.map_err(|e| js::message(&e))
}
