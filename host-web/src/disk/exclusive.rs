//! Opening the disks, by one tab at a time.
//!
//! Two tabs of an origin see the same files. The one that has the Web Lock [`NAME`] writes; so that
//! a reload finds it free again we wait a moment for it, unless its holder answers on the
//! [`BroadcastChannel`] of that name: then the holder is alive, and its answer is a copy of its
//! disks, made between two of its writes and, if one comes soon, right after a flush. The files
//! themselves are never read while another tab may write them: the browser promises nothing then.
//!
//! A lock is never stolen. A tab that is killed loses lock and handles with its process.

use std::rc::Rc;

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use super::file::BufferedFile;
use super::opfs::{self, Blob, BroadcastChannel, Directory, FileHandle, LockManager, SyncHandle};
use super::unit::{Kind, Unit};
use super::{DIRECTORY, NAMES, text};
use crate::js::{self, get};

const NAME: &str = "vkernel disks";
/// How long a tab that is going away may take to let go of the disks, and a living one to answer.
const PATIENCE_MS: f64 = 3000.0;
/// How long the holder waits for its kernel's next flush before it makes a copy.
const FLUSH_MS: f64 = 1000.0;
const RETRY_MS: f64 = 100.0;
/// Kept free for the browser's own use of our quota.
const MARGIN: f64 = 16e6;
/// Where the browser doesn't say how much there is.
const SIZE_UNKNOWN: f64 = 1e9;
/// A number that f64 and i64 hold, whatever the browser says.
const SIZE_MAX: f64 = (1u64 << 40) as f64;

/// What there is to serve.
pub struct Disks {
    /// All of [`NAMES`], or none.
    pub units: Vec<Unit>,
    /// What the user should know of it.
    pub notice: String,
}

impl Disks {
    fn new(units: Vec<Unit>, notice: &str) -> Disks {
        Disks { units, notice: notice.into() }
    }
    fn none(notice: &str) -> Disks {
        Disks::new(Vec::new(), notice)
    }
}

const NOWHERE: &str = "this browser keeps no files here: they live until the page is closed";
const ELSEWHERE: &str = "another tab has the files open; here they are read-only, as they are now";
const SILENT: &str =
    "another tab has the files open: without it, load this page again. Files made here live until the page is closed";

/// Opens them as well as it can be done here. The page may have found the directory already.
pub async fn open(found: JsValue) -> Disks {
    let Ok(directory) = directory(found).await else { return Disks::none(NOWHERE) };
    // Each of these is a question to another process: they are asked while the lock is.
    let room = asked(async { Ok(room().await.into()) });
    let files = NAMES.map(|name| find(&directory, name));
    match claim().await {
        Claim::Theirs(blobs) if blobs.len() == NAMES.len() => {
            let unit = |blob: Blob| {
                let size = blob.size();
                Unit::new(Kind::Copy(blob), size)
            };
            Disks::new(blobs.into_iter().map(unit).collect(), ELSEWHERE)
        }
        Claim::Theirs(_) | Claim::Silent => Disks::none(SILENT),
        Claim::Ours { locked } => match for_writing(&directory, files, room, locked).await {
            Ok(units) => {
                units.iter().for_each(Unit::read_head);
                Disks::new(units, "")
            }
            Err(e) => Disks::none(&["the files could not be opened (", &*js::message(&e), "): ", NOWHERE].concat()),
        },
    }
}

async fn directory(found: JsValue) -> Result<Directory, JsValue> {
    if found.is_object() {
        return Ok(found.unchecked_into());
    }
    let storage = opfs::storage().ok_or(JsValue::UNDEFINED)?;
    storage.directory().await?.directory(DIRECTORY, &create()).await
}

fn create() -> JsValue {
    js::object(&[("create", &true.into())]).into()
}

/// A promise that maybe nobody waits for. Whoever does sees why it failed.
fn asked(question: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let promise = future_to_promise(question);
    let waits = promise.clone();
    spawn_local(async move { _ = waits.await });
    promise
}

/// A promise of a file, which is made if it isn't there.
fn find(directory: &Directory, name: &'static str) -> Promise {
    let directory = directory.clone();
    asked(async move { directory.file(name, &create()).await.map(Into::into) })
}

/// A promise of a file's sync access handle.
fn open_found(file: Promise) -> Promise {
    asked(async move { file.await?.unchecked_into::<FileHandle>().open()?.await })
}

/// Without a lock only sync access handles will do: they are exclusive by themselves.
async fn for_writing(
    directory: &Directory,
    files: [Promise; 2],
    room: Promise,
    locked: bool,
) -> Result<Vec<Unit>, JsValue> {
    let (mut units, mut failed): (Vec<Unit>, _) = (Vec::new(), None);
    for (name, opening) in NAMES.iter().zip(files.map(open_found)) {
        match open_file(directory, name, opening, locked).await {
            Ok((kind, size)) => units.push(Unit::new(kind, size)),
            Err(e) => failed = Some(e),
        }
    }
    if let Some(e) = failed {
        units.iter().for_each(Unit::close);
        return Err(e);
    }
    let room = room.await?.as_f64().unwrap_or(SIZE_UNKNOWN);
    for unit in &mut units {
        unit.size = (unit.size + room).min(SIZE_MAX);
    }
    Ok(units)
}

/// A file and its size. `opening` is a promise of its handle.
async fn open_file(
    directory: &Directory,
    name: &'static str,
    mut opening: Promise,
    locked: bool,
) -> Result<(Kind, f64), JsValue> {
    let mut waited = 0.0;
    loop {
        match opening.await {
            Ok(handle) => {
                let handle: SyncHandle = handle.unchecked_into();
                let size = handle.size()?;
                return Ok((Kind::Handle(handle), size));
            }
            // A tab that has gone may hold it a moment longer than the lock.
            Err(e) if text(&get(&e, "name")) == "NoModificationAllowedError" => {
                if waited >= PATIENCE_MS {
                    return Err(e);
                }
            }
            Err(_) if locked => {
                let file = BufferedFile::open(directory.file(name, &create()).await?).await?;
                let size = file.size();
                return Ok((Kind::Buffered(file), size));
            }
            Err(e) => return Err(e),
        }
        js::sleep(RETRY_MS).await;
        waited += RETRY_MS;
        opening = open_found(find(directory, name));
    }
}

/// Bytes that may still be written in this origin, as far as the browser says: Chromium always says 10 GiB.
async fn room() -> f64 {
    let estimate = async { opfs::storage()?.estimate().await.ok() };
    let Some(estimate) = estimate.await else { return SIZE_UNKNOWN };
    let Some(quota) = get(&estimate, "quota").as_f64() else { return SIZE_UNKNOWN };
    (quota - js::number(&estimate, "usage") - MARGIN).max(0.0)
}

enum Claim {
    /// Until this worker ends, where there are locks.
    Ours { locked: bool },
    /// Another tab's; copies of its disks, if it could make them.
    Theirs(Vec<Blob>),
    /// Another tab's, which doesn't answer.
    Silent,
}

/// Asks for the lock and asks its holder, whichever answers first.
async fn claim() -> Claim {
    let Some(locks) = opfs::navigator("locks") else { return Claim::Ours { locked: false } };
    let (first, hold, give_up) = (js::with_resolvers(), js::with_resolvers(), js::AbortController::new());
    let held = hold.promise();
    let granted = first.resolve();
    let on_grant = Closure::once_into_js(move |_: JsValue| {
        granted.value(&JsValue::TRUE);
        held
    });
    let options = js::object(&[("signal", &give_up.signal())]);
    let Ok(request) = locks.unchecked_into::<LockManager>().request(NAME, &options, on_grant.unchecked_ref()) else {
        return Claim::Ours { locked: false };
    };
    // It is rejected when we give up.
    spawn_local(async move { _ = request.await });
    let answer = Question::ask(first.resolve());
    let timeout = async_timeout(first.resolve());
    spawn_local(timeout);
    let came = first.promise().await.unwrap_or_default();
    drop(answer);
    if came.is_truthy() && came.as_bool().is_some() {
        return Claim::Ours { locked: true };
    }
    give_up.abort();
    // Granted meanwhile: nobody waits for it.
    hold.resolve().number(0);
    match came.dyn_into::<Array>() {
        Ok(blobs) => Claim::Theirs(blobs.iter().filter(JsValue::is_object).map(JsCast::unchecked_into).collect()),
        Err(_) => Claim::Silent,
    }
}

async fn async_timeout(over: js::Resolve) {
    js::sleep(PATIENCE_MS).await;
    over.value(&JsValue::NULL);
}

/// A question to whoever has the disks. Ends when it is dropped.
struct Question {
    channel: BroadcastChannel,
    _came: Closure<dyn FnMut(JsValue)>,
}

impl Question {
    fn ask(answered: js::Resolve) -> Option<Question> {
        let channel = BroadcastChannel::new(NAME).ok()?;
        let number = js_sys::Math::random();
        let came = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let data = get(&event, "data");
            if get(&data, "answer").as_f64() == Some(number) {
                answered.value(&get(&data, "disks"));
            }
        });
        channel.set_onmessage(came.as_ref().unchecked_ref());
        channel.post(&js::object(&[("ask", &number.into())])).ok()?;
        Some(Question { channel, _came: came })
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.channel.close();
    }
}

/// Answers other tabs, as long as this worker lives.
pub fn answer_others(disks: &Rc<Disks>) {
    if disks.units.is_empty() || disks.units.iter().any(Unit::read_only) {
        return;
    }
    let Ok(channel) = BroadcastChannel::new(NAME) else { return };
    let (disks, to) = (disks.clone(), channel.clone());
    let came = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        let number = get(&get(&event, "data"), "ask");
        if number.as_f64().is_some() {
            spawn_local(answer(disks.clone(), to.clone(), number));
        }
    });
    channel.set_onmessage(came.into_js_value().unchecked_ref());
}

async fn answer(disks: Rc<Disks>, to: BroadcastChannel, number: JsValue) {
    let copies = Array::new();
    for unit in &disks.units {
        copies.push(&unit.copy_within(FLUSH_MS).await.map_or(JsValue::NULL, JsValue::from));
    }
    // Whoever asked gives up by itself.
    let _ = to.post(&js::object(&[("answer", &number), ("disks", &copies)]));
}
