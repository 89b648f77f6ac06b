//! One disk, whatever is under it.

use std::cell::{Cell, RefCell};

use abi::Errno;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use super::HEAD;
use super::file::BufferedFile;
use super::opfs::{Blob, SyncHandle, errno};
use crate::js;

/// The largest disk that another tab gets a copy of.
const COPY_MAX: f64 = 256e6;
const PIECE: f64 = 4e6;

pub enum Kind {
    /// A file that is written in place.
    Handle(SyncHandle),
    /// A file that is written at flushes.
    Buffered(BufferedFile),
    /// A copy of what another tab has.
    Copy(Blob),
}

pub struct Unit {
    pub kind: Kind,
    /// Bytes it may grow to, as far as the browser says.
    pub size: f64,
    /// Requests that must wait for those before them: kept when the last one is done.
    pub queue: RefCell<Promise>,
    /// Something was written after the last flush.
    dirty: Cell<bool>,
    /// A request without a number has no answer; the next flush has its error.
    late_error: Cell<Option<Errno>>,
    /// Another tab waits for a copy.
    copy_wanted: Cell<bool>,
    copy: RefCell<Option<Blob>>,
    /// Its first bytes, read before anybody could write.
    head: RefCell<Option<Uint8Array>>,
}

/// What is asked of a unit.
pub enum Request {
    Read(f64, u32),
    Write(f64, Uint8Array),
    Flush,
    Truncate(f64),
}

/// Bytes for a read.
pub type Answer = Result<Option<Uint8Array>, Errno>;

fn at(offset: f64) -> JsValue {
    js::object(&[("at", &offset.into())]).into()
}

impl Unit {
    pub fn new(kind: Kind, size: f64) -> Unit {
        Unit {
            kind,
            size,
            queue: RefCell::new(Promise::resolve(&JsValue::UNDEFINED)),
            dirty: Cell::new(false),
            late_error: Cell::new(None),
            copy_wanted: Cell::new(false),
            copy: RefCell::default(),
            head: RefCell::default(),
        }
    }

    /// Reads the [`HEAD`], where that needs no waiting.
    pub fn read_head(&self) {
        let head = self.now(&Request::Read(0.0, HEAD));
        *self.head.borrow_mut() = head.and_then(Result::ok).flatten();
    }

    /// What [`Unit::read_head`] has read, once.
    pub fn take_head(&self) -> Option<Uint8Array> {
        self.head.take()
    }

    pub fn read_only(&self) -> bool {
        matches!(self.kind, Kind::Copy(_))
    }

    /// Serves a request if that needs no waiting.
    pub fn now(&self, request: &Request) -> Option<Answer> {
        let Kind::Handle(handle) = &self.kind else { return None };
        Some(self.in_place(handle, request))
    }

    /// Nobody waits for this answer.
    pub fn fail_later(&self, answer: Answer) {
        if let Err(e) = answer {
            self.late_error.set(Some(e));
        }
    }

    fn in_place(&self, handle: &SyncHandle, request: &Request) -> Answer {
        let failed = |e: JsValue| errno(&e);
        match request {
            Request::Read(offset, length) => {
                // Behind the end it stays zero.
                let bytes = Uint8Array::new_with_length(*length);
                let read = handle.read(&bytes, &at(*offset)).map_err(failed)?;
                if read > f64::from(*length) {
                    return Err(Errno::EIO);
                }
                return Ok(Some(bytes));
            }
            Request::Write(offset, bytes) => {
                self.dirty.set(true);
                let written = handle.write(bytes, &at(*offset)).map_err(failed)?;
                // Chromium 156 answers a full store with an error's number as an unsigned one: 4294967288.
                if written != f64::from(bytes.length()) {
                    return Err(Errno::ENOSPC);
                }
            }
            Request::Flush => {
                handle.flush().map_err(failed)?;
                self.dirty.set(false);
                if self.copy_wanted.take() {
                    *self.copy.borrow_mut() = copy(handle);
                }
                return self.late_error.take().map_or(Ok(None), Err);
            }
            Request::Truncate(offset) => {
                self.dirty.set(true);
                let size = handle.size().map_err(failed)?;
                if *offset < size
                    && let Err(e) = handle.truncate(*offset)
                {
                    self.late_error.set(Some(errno(&e)));
                }
            }
        }
        Ok(None)
    }

    /// Serves a request. Only one of a unit's at a time.
    pub async fn serve(&self, request: Request) -> Answer {
        match (&self.kind, request) {
            (Kind::Handle(handle), request) => self.in_place(handle, &request),
            (Kind::Copy(blob), Request::Read(offset, length)) => {
                let bytes = Uint8Array::new_with_length(length);
                read_blob(blob, offset, &bytes).await?;
                Ok(Some(bytes))
            }
            (Kind::Copy(_), Request::Flush) => Ok(None),
            (Kind::Copy(_), _) => Err(Errno::EROFS),
            (Kind::Buffered(file), Request::Read(offset, length)) => file.read(offset, length).await.map(Some),
            (Kind::Buffered(file), Request::Write(offset, bytes)) => file.write(offset, bytes).await.map(|()| None),
            (Kind::Buffered(file), Request::Truncate(offset)) => {
                file.truncate(offset);
                Ok(None)
            }
            (Kind::Buffered(file), Request::Flush) => file.flush().await.map(|()| None),
        }
    }

    /// A copy for another tab: what was flushed last if that can be had within `ms`, else what a
    /// crash at this moment would leave.
    pub async fn copy_within(&self, mut ms: f64) -> Option<Blob> {
        const STEP_MS: f64 = 20.0;
        let Kind::Handle(handle) = &self.kind else { return None };
        while self.dirty.get() && ms > 0.0 {
            self.copy_wanted.set(true);
            crate::js::sleep(STEP_MS).await;
            if let Some(copy) = self.copy.take() {
                return Some(copy);
            }
            ms -= STEP_MS;
        }
        copy(handle)
    }

    /// Flushes, and lets other tabs have it.
    pub fn close(&self) {
        if let Kind::Handle(handle) = &self.kind {
            // Nothing was written: the other file could not be opened.
            let _ = handle.flush();
            let _ = handle.close();
        }
    }
}

/// All of a file, at one moment: nothing else runs in this worker meanwhile, and nobody else writes.
fn copy(handle: &SyncHandle) -> Option<Blob> {
    let size = handle.size().ok().filter(|&size| size <= COPY_MAX)?;
    let parts = Array::new();
    let mut offset = 0.0;
    while offset < size {
        let part = Uint8Array::new_with_length(PIECE.min(size - offset) as u32);
        handle.read(&part, &at(offset)).ok()?;
        parts.push(&part);
        offset += PIECE;
    }
    Blob::new(&parts).ok()
}

/// Reads as much as there is.
pub async fn read_blob(blob: &Blob, offset: f64, to: &Uint8Array) -> Result<(), Errno> {
    if offset < blob.size() {
        let part = blob.slice(offset, offset + f64::from(to.length()));
        let bytes = part.array_buffer().await.map_err(|e| errno(&e))?;
        to.set(&Uint8Array::new(&bytes), 0);
    }
    Ok(())
}
