//! Address spaces of the machine of threads. A memory is made by its thread when the program is instantiated; before that
//! there is a count, as engines have room for so many, and a limit, which goes to the thread with the lwp.

use abi::Errno;
use abi::types::vmctl;
use wasm_bindgen::prelude::*;

use super::board::{THREADS_MAX, at};
use super::link::op;
use super::thread::Thread;
use crate::control::word;
use crate::images::{MOST_PAGES, limit_pages};

impl Thread {
    pub fn vmspace_create(&self, id: u32, image: u32, limit: u64) -> Result<(), Errno> {
        let limit = limit_pages(limit);
        self.fits(image, limit)?;
        self.admit(id, limit)
    }

    /// The copy is made with the lwp.
    pub fn vmspace_fork(&self, id: u32, from: u32) -> Result<(), Errno> {
        if from != self.vmspace() {
            return Err(Errno::ENOENT);
        }
        self.admit(id, self.link.board.load(self.nr, at::LIMIT) as u32)?;
        self.forks.set(id);
        Ok(())
    }

    fn admit(&self, id: u32, limit: u32) -> Result<(), Errno> {
        if self.link.control.add(word::VMSPACES, 1) >= THREADS_MAX as i32 {
            self.link.control.add(word::VMSPACES, -1);
            return Err(Errno::EAGAIN);
        }
        self.limits.borrow_mut().insert(id, limit);
        Ok(())
    }

    /// ENOMEM when the program begins with more than that.
    fn fits(&self, image: u32, limit_pages: u32) -> Result<(), Errno> {
        let known = self.pages.borrow().get(image).copied();
        let pages = match known {
            Some(pages) => pages,
            None => {
                // Another thread has it from the service.
                let pages = self.ask(op::IMAGE_PAGES, &[image.into()], &JsValue::UNDEFINED).0 as u32;
                self.pages.borrow_mut().insert(image, pages);
                pages
            }
        };
        if pages > limit_pages { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    pub fn vmspace_destroy(&self, id: u32) -> Result<(), Errno> {
        self.limits.borrow_mut().remove(id);
        self.link.control.add(word::VMSPACES, -1);
        Ok(())
    }

    pub fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> Result<u64, Errno> {
        let own = id == self.vmspace();
        match cmd {
            // A memory never shrinks, so its size is its peak.
            vmctl::SIZE | vmctl::PEAK if own => Ok(self.memory_size()),
            vmctl::SIZE | vmctl::PEAK => Ok(u64::from(self.link.board.pages(id)) << 16),
            vmctl::SET_LIMIT => {
                if own {
                    self.link.board.store(self.nr, at::LIMIT, limit_pages(arg) as i32);
                    self.bound();
                }
                Ok(0)
            }
            vmctl::HANDLERS => Ok(self.has_handler() as u64),
            vmctl::EXEC => {
                let limit = if own { self.link.board.load(self.nr, at::LIMIT) as u32 } else { MOST_PAGES };
                self.fits(arg as u32, limit).map(|()| 0)
            }
            _ => Err(Errno::ENOTSUP),
        }
    }

    /// `lwp_create`. Of a forked one: its thread makes the memory, and says how that went, before the fork has succeeded.
    pub fn create(&self, lwp: u32, vmspace: u32) -> Result<(), Errno> {
        let forked = self.forks.take() == vmspace;
        let copy = if forked { Some(self.copy().map_err(|_| Errno::ENOMEM)?) } else { None };
        let limit = self.limits.borrow().get(vmspace).copied().unwrap_or(MOST_PAGES);
        let board = &self.link.board;
        let nr = loop {
            match board.take() {
                Some(nr) => break nr,
                None => match self.ask(op::THREAD, &[], &JsValue::UNDEFINED).0 {
                    // Another may have been quicker.
                    0 => {}
                    _ => return Err(Errno::EAGAIN),
                },
            }
        };
        board.give(nr, lwp, vmspace, limit, forked);
        self.link.tell(op::TAKEN, &[nr.into()], &JsValue::UNDEFINED);
        self.limits.borrow_mut().remove(vmspace);
        let Some(copy) = copy else { return Ok(()) };
        match self.answer_to(|link| link.hand_over(op::FORK, &[nr.into(), self.image_number().into()], &copy)).0 {
            0 => Ok(()),
            _ => Err(Errno::ENOMEM),
        }
    }
}
