//! A web server for one directory, for looking at the page and for tests: HTTP/1.1 with keep-alive, a
//! thread for each connection. It ends with the process.

use super::files::{Query, Reply, Site};
use crate::process::Outcome;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub struct Options {
    pub host: IpAddr,
    pub port: u16,
    /// Send the headers that make a page `crossOriginIsolated`.
    pub isolation: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { host: Ipv4Addr::LOCALHOST.into(), port: 8080, isolation: true }
    }
}

/// A browser opens six for a page.
const CONNECTIONS_MAX: usize = 200;
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
const IDLE: Duration = Duration::from_secs(60);

/// Serves until the process is ended.
pub fn run(dir: &Path, options: &Options) -> Outcome {
    let listener = listen(options)?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let host = match options.host {
        ip if ip.is_loopback() => "localhost".to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let site = Site::new(dir, options.isolation).map_err(|e| format!("{}: {e}", dir.display()))?;
    println!("http://{host}:{port}/   (^C ends it)");
    accept(&listener, &Arc::new(site));
    Ok(())
}

fn listen(options: &Options) -> Outcome<TcpListener> {
    TcpListener::bind((options.host, options.port)).map_err(|e| match e.kind() {
        ErrorKind::AddrInUse => {
            format!("port {} is in use on {}; choose another with --port N", options.port, options.host)
        }
        ErrorKind::AddrNotAvailable => format!("{} is no address of this machine", options.host),
        _ => format!("{} port {}: {e}", options.host, options.port),
    })
}

fn accept(listener: &TcpListener, site: &Arc<Site>) {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: others will end.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let site = site.clone();
        if OPEN.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        std::thread::spawn(move || {
            // A client that goes away is no error of ours.
            let _ = connection(stream, &site);
            OPEN.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Answers requests until the client or its patience ends.
fn connection(mut stream: TcpStream, site: &Site) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let mut have = Vec::new();
    loop {
        match parse(&have) {
            Parsed::Request(request, used) => {
                let reply = request.reply(site);
                respond(&mut stream, &reply, request.head, request.close)?;
                if request.close {
                    return Ok(());
                }
                have.drain(..used);
            }
            Parsed::Wrong(status, why) => {
                respond(&mut stream, &Reply::text(status, why), false, true)?;
                return linger(&mut stream);
            }
            Parsed::More => {
                let mut buf = [0; 4096];
                match stream.read(&mut buf)? {
                    0 => return Ok(()),
                    n => have.extend_from_slice(&buf[..n]),
                }
            }
        }
    }
}

/// Closing while something unread is there would reset the connection, and the client might lose the
/// answer: RFC 9112, 9.6.
fn linger(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink()).map(|_| ())
}

struct Request {
    method: String,
    target: String,
    accepts_gzip: bool,
    if_none_match: Option<String>,
    head: bool,
    close: bool,
}

enum Parsed {
    /// And the bytes that it took.
    Request(Request, usize),
    More,
    Wrong(u16, &'static str),
}

fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let used = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Parsed::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Wrong(431, "the header is too large");
        }
        Err(_) => return Parsed::Wrong(400, "not a request"),
    };
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    // Nobody may send anything here, so where a body would end is not asked.
    if header("transfer-encoding").is_some() || header("content-length").is_some_and(|n| n.trim() != "0") {
        return Parsed::Wrong(413, "no contents are taken");
    }
    let says_close = header("connection").is_some_and(|c| c.to_ascii_lowercase().contains("close"));
    let method = parsed.method.unwrap_or_default();
    let request = Request {
        method: method.into(),
        target: parsed.path.unwrap_or_default().into(),
        accepts_gzip: header("accept-encoding").is_some_and(accepts_gzip),
        if_none_match: header("if-none-match").map(Into::into),
        head: method == "HEAD",
        close: says_close || parsed.version != Some(1),
    };
    Parsed::Request(request, used)
}

/// RFC 9110, 12.5.3: `gzip;q=0` is a refusal.
fn accepts_gzip(list: &str) -> bool {
    list.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let zero = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !zero
    })
}

impl Request {
    fn reply(&self, site: &Site) -> Reply {
        if !matches!(self.method.as_str(), "GET" | "HEAD") {
            let mut reply = Reply::text(405, "GET and HEAD only");
            reply.headers.push(("Allow", "GET, HEAD".into()));
            return reply;
        }
        site.reply(&Query {
            target: &self.target,
            accepts_gzip: self.accepts_gzip,
            if_none_match: self.if_none_match.as_deref(),
        })
    }
}

fn respond(stream: &mut TcpStream, reply: &Reply, head: bool, close: bool) -> std::io::Result<()> {
    let reason = match reply.status {
        200 => "OK",
        301 => "Moved Permanently",
        304 => "Not Modified",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Bad Request",
    };
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", reply.status);
    for (name, value) in &reply.headers {
        out += &format!("{name}: {value}\r\n");
    }
    // RFC 9110, 8.6: in a 304 it would have to be the length of the 200.
    if reply.status != 304 {
        out += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    out += if close { "Connection: close\r\n\r\n" } else { "\r\n" };
    let mut bytes = out.into_bytes();
    if !head {
        // One write for most files: the header alone in a packet would wait for an acknowledgement.
        let first = reply.body.len().min(64 << 10);
        bytes.extend_from_slice(&reply.body[..first]);
        stream.write_all(&bytes)?;
        return stream.write_all(&reply.body[first..]);
    }
    stream.write_all(&bytes)
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
