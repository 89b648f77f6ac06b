//! What a request for a path is answered with, apart from the wire: a directory of files, seen as a
//! static web host shows it.

use super::squeeze::{fast_gzip, hex, sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Larger files are read each time they are asked for.
const KEEP_MAX: u64 = 8 << 20;

/// A directory to be served.
pub struct Site {
    /// Without symbolic links, so that what is found below it can be compared.
    root: PathBuf,
    isolation: bool,
    kept: Mutex<HashMap<PathBuf, Kept>>,
}

/// A file in memory, good for as long as its time and size stay.
#[derive(Clone)]
struct Kept {
    modified: SystemTime,
    len: u64,
    etag: String,
    plain: Arc<Vec<u8>>,
    gzip: Option<Arc<Vec<u8>>>,
}

/// What of a request matters here.
#[derive(Default)]
pub struct Query<'a> {
    pub target: &'a str,
    pub accepts_gzip: bool,
    pub if_none_match: Option<&'a str>,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Arc<Vec<u8>>,
}

impl Reply {
    pub fn text(status: u16, text: &str) -> Reply {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".into())];
        Reply { status, headers, body: Arc::new(format!("{text}\n").into_bytes()) }
    }
}

impl Site {
    pub fn new(root: &Path, isolation: bool) -> std::io::Result<Site> {
        Ok(Site { root: root.canonicalize()?, isolation, kept: Mutex::default() })
    }

    pub fn reply(&self, query: &Query) -> Reply {
        let mut reply = self.found(query).unwrap_or_else(|| Reply::text(404, "not found"));
        reply.headers.push(("X-Content-Type-Options", "nosniff".into()));
        if self.isolation {
            // With both, the page is crossOriginIsolated and may share memory with its workers.
            reply.headers.push(("Cross-Origin-Opener-Policy", "same-origin".into()));
            reply.headers.push(("Cross-Origin-Embedder-Policy", "require-corp".into()));
            reply.headers.push(("Cross-Origin-Resource-Policy", "same-origin".into()));
        }
        reply
    }

    fn found(&self, query: &Query) -> Option<Reply> {
        let path = query.target.split(['?', '#']).next()?;
        let mut file = self.root.join(relative(path)?);
        if file.is_dir() {
            if !path.ends_with('/') {
                let mut reply = Reply::text(301, "it is a directory");
                // Relative and with one slash: `//host/` would lead elsewhere.
                reply.headers.push(("Location", format!("/{}/", path.trim_matches('/'))));
                return Some(reply);
            }
            file.push("index.html");
        }
        // A link may not lead out either.
        let file = file.canonicalize().ok().filter(|f| f.starts_with(&self.root))?;
        let kept = self.load(&file)?;
        Some(self.answer(query, &file, kept))
    }

    fn answer(&self, query: &Query, file: &Path, kept: Kept) -> Reply {
        let zipped = kept.gzip.filter(|_| query.accepts_gzip);
        let etag = format!("\"{}{}\"", kept.etag, if zipped.is_some() { "-gz" } else { "" });
        let mut headers = vec![("Cache-Control", self.cache_control(file).into()), ("Vary", "Accept-Encoding".into())];
        headers.push(("ETag", etag.clone()));
        if query.if_none_match.is_some_and(|tags| matches(tags, &etag)) {
            return Reply { status: 304, headers, body: Arc::default() };
        }
        headers.push(("Content-Type", mime(file).into()));
        if zipped.is_some() {
            headers.push(("Content-Encoding", "gzip".into()));
        }
        Reply { status: 200, headers, body: zipped.unwrap_or(kept.plain) }
    }

    /// What is named by its contents never changes.
    fn cache_control(&self, file: &Path) -> &'static str {
        let rel = file.strip_prefix(&self.root).unwrap_or(file);
        if rel.starts_with("assets") || rel.starts_with("vk/packs") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }
    }

    fn load(&self, file: &Path) -> Option<Kept> {
        let meta = file.metadata().ok().filter(|m| m.is_file())?;
        let (modified, len) = (meta.modified().ok()?, meta.len());
        if let Some(kept) = self.kept.lock().unwrap().get(file)
            && (kept.modified, kept.len) == (modified, len)
        {
            return Some(kept.clone());
        }
        let plain = std::fs::read(file).ok()?;
        let gzip = match compressible(mime(file)) {
            true => fast_gzip(&plain, 6).ok().filter(|z| z.len() < plain.len()).map(Arc::new),
            false => None,
        };
        let etag = hex(&sha256(&plain)[..8]);
        let kept = Kept { modified, len, etag, plain: Arc::new(plain), gzip };
        if len <= KEEP_MAX {
            self.kept.lock().unwrap().insert(file.to_path_buf(), kept.clone());
        }
        Some(kept)
    }
}

/// The path below the root that a request path means; none for one that could mean anything else.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decoded(path)?;
    let mut out = PathBuf::new();
    for part in decoded.strip_prefix('/')?.split('/').filter(|p| !p.is_empty()) {
        // Names that begin with a dot are nobody's business; `..` is one of them.
        if part.starts_with('.') || part.contains(['\\', '\0', ':']) {
            return None;
        }
        out.push(part);
    }
    Some(out)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(out).ok()
}

/// If-None-Match, RFC 9110, 13.1.2: a list, weakly compared.
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == etag)
}

fn mime(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "ts" | "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn compressible(mime: &str) -> bool {
    let kind = mime.split(';').next().unwrap_or(mime);
    kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/manifest+json" | "application/wasm" | "image/svg+xml")
}
