//! Disks: two files of the origin's private file system (OPFS), each an array of bytes in which the
//! kernel keeps a file system.
//!
//! One worker, the *storage worker*, opens them (`server::disk_main`) and serves the CPUs, each over a
//! port of its own ([`Disk`]). Requests and answers are arrays `[id, ...]`, see [`op`]; a unit's
//! requests are served in the order in which they come.
//!
//! | the browser has | the disks are |
//! | --- | --- |
//! | sync access handles | files written in place; a flush is the handle's `flush()`, which is an fsync |
//! | only `createWritable` | changes kept in memory until a flush writes them all or none: see `file.rs` |
//! | no OPFS (private windows, frames whose storage is blocked) | not there |
//!
//! Only one tab of an origin writes, see `exclusive.rs`; another gets a copy to read.

mod client;
mod exclusive;
mod file;
mod opfs;
mod server;
mod unit;

pub use client::Disk;

use wasm_bindgen::prelude::*;

/// The files, in the directory [`DIRECTORY`].
pub const NAMES: [&str; 2] = ["home", "var"];
const DIRECTORY: &str = "vkernel";

/// So much of a disk is read before anybody asks for it: what a mount begins with.
const HEAD: u32 = 128 << 10;

/// Requests: `[id, op, unit, offset, what]`, `what` being the length or the bytes, and the id 0 where nobody waits for an answer.
/// An answer is `[id, result]`: the bytes read, or 0, or -errno. The first message from the storage worker is `[0, notice, units]`; a unit is `[size, flags, head]`,
/// `head` being the first [`HEAD`] bytes, for the first CPU and where they are at hand.
mod op {
    pub const READ: u32 = 0;
    pub const WRITE: u32 = 1;
    pub const FLUSH: u32 = 2;
    pub const TRUNCATE: u32 = 3;
}

/// Asks the browser not to throw our files away when room is short. For the main thread: some
/// browsers ask the user. Whether it agreed.
pub async fn persist() -> bool {
    let agreed = async { opfs::storage()?.persist().await.ok()?.as_bool() };
    agreed.await.unwrap_or(false)
}

fn text(value: &JsValue) -> String {
    value.as_string().unwrap_or_default()
}
