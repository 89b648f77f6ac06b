//! A disk where the browser has no sync access handles.
//!
//! `createWritable` copies the file, changes the copy and puts it in the file's place when it is
//! closed: all of a flush happens or nothing of it, but each one costs as much as the file is long.
//! So changes stay in memory until the kernel flushes, or until there are [`PENDING_MAX`] bytes of
//! them; what was not flushed is lost with the tab.

use std::cell::{Cell, RefCell};

use abi::Errno;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::opfs::{Blob, FileHandle, Writable, errno};
use super::unit::read_blob;
use crate::js;

const PENDING_MAX: f64 = 16e6;

pub struct BufferedFile {
    handle: FileHandle,
    /// The file as of the last flush.
    file: RefCell<Blob>,
    /// What came after it, in this order.
    pending: RefCell<Vec<Change>>,
    pending_bytes: Cell<f64>,
}

#[derive(Clone)]
enum Change {
    Write(f64, Uint8Array),
    /// Zeros from here on.
    Cut(f64),
}

impl BufferedFile {
    pub async fn open(handle: FileHandle) -> Result<BufferedFile, JsValue> {
        // Whether it can be written at all.
        handle.writable(&keep()).await?.abort().await?;
        let file = RefCell::new(handle.file().await?);
        Ok(BufferedFile { handle, file, pending: RefCell::default(), pending_bytes: Cell::new(0.0) })
    }

    pub fn size(&self) -> f64 {
        self.file.borrow().size()
    }

    pub async fn read(&self, offset: f64, length: u32) -> Result<Uint8Array, Errno> {
        let bytes = Uint8Array::new_with_length(length);
        let file = self.file.borrow().clone();
        read_blob(&file, offset, &bytes).await?;
        for change in self.pending.borrow().iter() {
            lay_over(change, offset, &bytes);
        }
        Ok(bytes)
    }

    pub async fn write(&self, offset: f64, bytes: Uint8Array) -> Result<(), Errno> {
        self.pending_bytes.set(self.pending_bytes.get() + f64::from(bytes.length()));
        self.pending.borrow_mut().push(Change::Write(offset, bytes));
        if self.pending_bytes.get() > PENDING_MAX { self.flush().await } else { Ok(()) }
    }

    pub fn truncate(&self, offset: f64) {
        self.pending.borrow_mut().push(Change::Cut(offset));
    }

    /// After an error everything is as if it had not been tried.
    pub async fn flush(&self) -> Result<(), Errno> {
        let changes = self.pending.borrow().clone();
        if changes.is_empty() {
            return Ok(());
        }
        self.commit(&changes).await.map_err(|e| errno(&e))?;
        self.pending.borrow_mut().clear();
        self.pending_bytes.set(0.0);
        Ok(())
    }

    async fn commit(&self, changes: &[Change]) -> Result<(), JsValue> {
        let to = self.handle.writable(&keep()).await?;
        if let Err(e) = put(&to, changes, self.size()).await {
            // The copy goes; the file was not touched.
            let _ = to.abort().await;
            return Err(e);
        }
        to.close().await?;
        let file = self.handle.file().await?;
        *self.file.borrow_mut() = file;
        Ok(())
    }
}

async fn put(to: &Writable, changes: &[Change], mut size: f64) -> Result<(), JsValue> {
    for change in changes {
        match change {
            Change::Write(offset, bytes) => {
                let write = [("type", &"write".into()), ("position", &(*offset).into()), ("data", bytes.as_ref())];
                to.write(&js::object(&write)).await?;
                size = size.max(offset + f64::from(bytes.length()));
            }
            Change::Cut(offset) if *offset < size => {
                to.truncate(*offset).await?;
                size = *offset;
            }
            Change::Cut(_) => {}
        }
    }
    Ok(())
}

fn keep() -> JsValue {
    js::object(&[("keepExistingData", &true.into())]).into()
}

/// Applies a change to the part of the disk that begins at `offset`.
fn lay_over(change: &Change, offset: f64, bytes: &Uint8Array) {
    let end = offset + f64::from(bytes.length());
    match change {
        Change::Write(at, from) => {
            let (first, last) = (at.max(offset), (at + f64::from(from.length())).min(end));
            if first < last {
                bytes.set(&from.subarray((first - at) as u32, (last - at) as u32), (first - offset) as u32);
            }
        }
        Change::Cut(at) if *at < end => {
            bytes.fill(0, (at.max(offset) - offset) as u32, bytes.length());
        }
        Change::Cut(_) => {}
    }
}
