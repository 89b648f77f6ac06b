//! Getting a file from the server although the network comes and goes.
//!
//! A transfer that breaks is taken up where it broke (RFC 9110 14.2, a range request); one that
//! stands still is broken off. Between attempts we wait, twice as long each time, and say so; after
//! [`ATTEMPTS`] in a row that brought nothing the file's name goes into an error.

use std::cell::Cell;
use std::rc::Rc;

use abi::Errno;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::web::{self, Response};
use super::{Failure, Listener};
use crate::js;

/// Attempts in a row without progress.
const ATTEMPTS: u32 = 6;
/// The pause after the first failure, doubled each time: about 16 s in all.
const FIRST_PAUSE_MS: f64 = 500.0;
/// A server that sends nothing for so long is given up.
const STALL_MS: f64 = 20_000.0;
/// What counts as progress.
const STEP: u32 = 64 << 10;
/// Between two reports to the listener.
const REPORT_MS: f64 = 50.0;

/// A file of known length, and what we have of it.
pub struct Transfer<'a> {
    pub url: &'a str,
    /// What a person calls it.
    pub title: &'a str,
    /// `RequestInit.cache`: "reload" asks the server itself.
    pub cache: &'a str,
    pub listener: &'a dyn Listener,
    data: Uint8Array,
    have: u32,
    reported_ms: f64,
}

/// Why an attempt failed.
enum Trouble {
    /// Perhaps it works later.
    Network,
    Status(u16),
    /// It will not.
    Final(Failure),
}

impl From<JsValue> for Trouble {
    fn from(_: JsValue) -> Trouble {
        // The specification lets fetch say nothing but `TypeError` of a network's state.
        Trouble::Network
    }
}

/// Breaks a transfer off that stands still.
struct Watch {
    abort: js::AbortController,
    last_ms: Rc<Cell<f64>>,
    timer: f64,
    _closure: Closure<dyn FnMut()>,
}

impl Watch {
    fn start(limit_ms: f64) -> Watch {
        let (abort, last_ms) = (js::AbortController::new(), Rc::new(Cell::new(js::now_ms())));
        let (of_closure, last) = (abort.clone(), last_ms.clone());
        let closure = Closure::new(move || {
            if js::now_ms() - last.get() > limit_ms {
                of_closure.abort();
            }
        });
        let timer = web::set_interval(closure.as_ref().unchecked_ref(), limit_ms / 4.0);
        Watch { abort, last_ms, timer, _closure: closure }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        web::clear_interval(self.timer);
    }
}

/// A request under a watch.
async fn request(url: &str, cache: &str, from: u32, watch: &Watch) -> Result<Response, Trouble> {
    let init = js::object(&[("cache", &cache.into()), ("signal", &watch.abort.signal())]);
    if from > 0 {
        let range = ["bytes=", &from.to_string(), "-"].concat();
        let _ = js_sys::Reflect::set(&init, &"headers".into(), &js::object(&[("Range", &range.into())]));
    }
    let response = web::fetch(url, &init).await?;
    match response.status() {
        200 | 206 => Ok(response),
        // The server, or one between us and it, has trouble of its own: RFC 9110 15.5.9, 15.6, RFC 6585 4.
        status @ (408 | 425 | 429 | 500..) => Err(Trouble::Status(status)),
        status => {
            let text = ["the server answers ", &status.to_string(), " for ", url].concat();
            let gone = "; perhaps the site has changed, then loading the page again helps";
            Err(Trouble::Final(Failure::new(Errno::EIO, [&*text, if status == 404 { gone } else { "" }].concat())))
        }
    }
}

/// A small text file, once: `limit_ms` is what one can wait for it when there is another way.
/// `Err` with a text when the server has given a final answer.
pub async fn text_once(url: &str, limit_ms: f64) -> Result<Option<String>, Failure> {
    match text_attempt(url, limit_ms).await {
        Err(Trouble::Final(failure)) => Err(failure),
        text => Ok(text.ok()),
    }
}

async fn text_attempt(url: &str, limit_ms: f64) -> Result<String, Trouble> {
    let watch = Watch::start(limit_ms);
    let text = request(url, "no-cache", 0, &watch).await?.text().await?;
    text.as_string().ok_or(Trouble::Network)
}

/// A small text file, with patience.
pub async fn text(url: &str, title: &str, listener: &dyn Listener) -> Result<String, Failure> {
    let mut attempt = 0;
    loop {
        let trouble = match text_attempt(url, STALL_MS).await {
            Ok(text) => return Ok(text),
            Err(trouble) => trouble,
        };
        attempt += 1;
        again(attempt, trouble, url, title, listener).await?;
    }
}

impl<'a> Transfer<'a> {
    pub fn new(url: &'a str, title: &'a str, length: u32, cache: &'a str, listener: &'a dyn Listener) -> Transfer<'a> {
        let data = Uint8Array::new_with_length(length);
        Transfer { url, title, cache, listener, data, have: 0, reported_ms: 0.0 }
    }

    pub async fn run(mut self) -> Result<Uint8Array, Failure> {
        let (mut attempt, mut best) = (0, 0);
        loop {
            let trouble = match self.attempt().await {
                Ok(()) => return Ok(self.data),
                Err(trouble) => trouble,
            };
            // More than ever before: the network is bad, but there.
            if self.have >= best + STEP {
                (attempt, best) = (0, self.have);
            }
            attempt += 1;
            again(attempt, trouble, self.url, self.title, self.listener).await?;
        }
    }

    async fn attempt(&mut self) -> Result<(), Trouble> {
        let watch = Watch::start(STALL_MS);
        let response = request(self.url, self.cache, self.have, &watch).await?;
        if response.status() != 206 {
            self.have = 0;
        }
        let Some(body) = response.body() else { return self.finish() };
        let reader = body.reader()?;
        while let Some(chunk) = reader.read().await?.value() {
            if chunk.length() > self.data.length() - self.have {
                // The controller ends the rest of it.
                watch.abort.abort();
                return Err(Trouble::Final(self.wrong_length()));
            }
            self.data.set(&chunk, self.have);
            self.have += chunk.length();
            watch.last_ms.set(js::now_ms());
            self.report();
        }
        self.finish()
    }

    /// The stream has ended. One that ends early was cut: HTTP/1.0, and some proxies, do it so.
    fn finish(&self) -> Result<(), Trouble> {
        if self.have < self.data.length() { Err(Trouble::Network) } else { Ok(()) }
    }

    fn wrong_length(&self) -> Failure {
        let text = [self.url, " is longer than the ", &self.data.length().to_string(), " bytes it should have"];
        Failure::new(Errno::EIO, text.concat())
    }

    fn report(&mut self) {
        let now = js::now_ms();
        if self.have == self.data.length() || now - self.reported_ms >= REPORT_MS {
            self.reported_ms = now;
            self.listener.progress("fetch", self.title, self.have.into(), self.data.length().into());
        }
    }
}

/// Waits before the next attempt, with jitter so that a server that comes back isn't met by all at once.
/// Fails when there is to be none.
async fn again(
    attempts: u32,
    trouble: Trouble,
    url: &str,
    title: &str,
    listener: &dyn Listener,
) -> Result<(), Failure> {
    let what = match trouble {
        Trouble::Final(failure) => return Err(failure),
        Trouble::Status(status) => ["the server answers ", &status.to_string()].concat(),
        Trouble::Network => "no network".into(),
    };
    if attempts >= ATTEMPTS {
        return Err(Failure::new(Errno::EIO, ["cannot fetch ", title, " (", url, "): ", &what].concat()));
    }
    let ms = FIRST_PAUSE_MS * f64::from(1 << (attempts - 1)) * (0.75 + js_sys::Math::random() / 2.0);
    let seconds = ((ms / 1000.0).round() as u32).max(1).to_string();
    listener.notice(&[&what, ", trying ", title, " again in ", &seconds, " s"].concat());
    js::sleep(ms).await;
    Ok(())
}
