//! The server, asked over TCP as a browser would.

use super::*;
use std::net::SocketAddr;
use std::path::PathBuf;

struct Server {
    dir: PathBuf,
    at: SocketAddr,
}

impl Server {
    fn start(name: &str, isolation: bool) -> Server {
        let dir = std::env::temp_dir().join(format!("xtask-serve-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        for (path, contents) in [
            ("site/index.html", "<p>hello</p>".repeat(100)),
            ("site/vk/packs/0123", "pack".into()),
            ("site/vk/x.wasm", "\0asm".repeat(1000)),
            ("site/assets/a.js", "let a;".repeat(50)),
            ("site/a b.txt", "space".into()),
            ("site/.hidden", "hidden".into()),
            ("secret", "secret".into()),
        ] {
            let file = dir.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, contents).unwrap();
        }
        std::os::unix::fs::symlink("../secret", dir.join("site/out")).unwrap();
        let options = Options { port: 0, isolation, ..Options::default() };
        let listener = listen(&options).unwrap();
        let at = listener.local_addr().unwrap();
        let site = Arc::new(Site::new(&dir.join("site"), isolation).unwrap());
        std::thread::spawn(move || accept(&listener, &site));
        Server { dir, at }
    }

    /// Sends bytes, answers everything that comes until the server closes.
    fn raw(&self, request: &str) -> Vec<u8> {
        let mut s = TcpStream::connect(self.at).unwrap();
        s.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        s.write_all(request.as_bytes()).unwrap();
        let mut out = Vec::new();
        s.read_to_end(&mut out).unwrap();
        out
    }

    /// Head (in small letters) and body of one answer.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
        let out = self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"));
        let end = out.windows(4).position(|w| w == b"\r\n\r\n").expect("the header's end") + 4;
        (String::from_utf8_lossy(&out[..end]).to_lowercase(), out[end..].to_vec())
    }

    fn status(&self, path: &str) -> String {
        self.ask("GET", path, "").0[9..12].into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn files_have_their_types_and_lifetimes() {
    let s = Server::start("types", true);
    for (path, mime, cache) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/vk/x.wasm", "application/wasm", "no-cache"),
        ("/vk/packs/0123", "application/octet-stream", "immutable"),
        ("/assets/a.js?x=1", "text/javascript; charset=utf-8", "immutable"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "no-cache"),
    ] {
        let (head, body) = s.ask("GET", path, "");
        assert!(head.starts_with("http/1.1 200 ok\r\n"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {mime}\r\n")), "{path}: {head}");
        assert!(head.contains("cache-control: ") && head.contains(cache), "{path}: {head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())) && !body.is_empty(), "{path}: {head}");
    }
}

#[test]
fn isolation_is_in_the_headers_or_not() {
    let (with, without) = (Server::start("with", true), Server::start("without", false));
    for path in ["/", "/vk/x.wasm", "/none"] {
        let head = with.ask("GET", path, "").0;
        assert!(head.contains("cross-origin-opener-policy: same-origin\r\n"), "{head}");
        assert!(head.contains("cross-origin-embedder-policy: require-corp\r\n"), "{head}");
        assert!(!without.ask("GET", path, "").0.contains("cross-origin"));
    }
}

#[test]
fn text_and_wasm_are_compressed_for_those_who_can() {
    let s = Server::start("gzip", true);
    let plain = s.ask("GET", "/vk/x.wasm", "").1;
    let (head, zipped) = s.ask("GET", "/vk/x.wasm", "Accept-Encoding: br, gzip;q=0.5\r\n");
    assert!(head.contains("content-encoding: gzip\r\n") && head.contains("vary: accept-encoding\r\n"), "{head}");
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&zipped[..]).read_to_end(&mut out).unwrap();
    assert!(out == plain && zipped.len() < plain.len());
    for (path, accept) in [("/vk/x.wasm", "br, gzip;q=0"), ("/vk/packs/0123", "gzip")] {
        let head = s.ask("GET", path, &format!("Accept-Encoding: {accept}\r\n")).0;
        assert!(!head.contains("content-encoding"), "{head}");
    }
}

#[test]
fn a_known_tag_is_answered_without_the_file() {
    let s = Server::start("etag", true);
    let head = s.ask("GET", "/", "").0;
    let tag = head.split("etag: ").nth(1).unwrap().split("\r\n").next().unwrap().to_string();
    for said in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
        let (head, body) = s.ask("GET", "/", &format!("If-None-Match: {said}\r\n"));
        assert!(head.starts_with("http/1.1 304") && head.contains(&tag) && body.is_empty(), "{head}");
    }
    assert!(s.ask("GET", "/", "If-None-Match: \"x\"\r\n").0.starts_with("http/1.1 200"));
    // Another compression is another representation.
    let zipped = s.ask("GET", "/", &format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n")).0;
    assert!(zipped.starts_with("http/1.1 200"), "{zipped}");
    std::fs::write(s.dir.join("site/index.html"), "new").unwrap();
    let (head, body) = s.ask("GET", "/", &format!("If-None-Match: {tag}\r\n"));
    assert!(head.starts_with("http/1.1 200") && body == b"new", "{head}");
}

#[test]
fn nothing_outside_is_served() {
    let s = Server::start("outside", true);
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/vk/../../secret",
        "/..%2fsecret",
        "/out",
        "/.hidden",
        "/vk/./x.wasm/..",
        "/..\\secret",
        "/%00",
        "/%zz",
        "/%",
        "/none",
        "/vk/x.wasm/x",
        "/%ff",
    ] {
        let (head, body) = s.ask("GET", path, "");
        assert!(head.starts_with("http/1.1 404") && !body.starts_with(b"secret"), "{path}: {head}");
    }
    assert_eq!(s.status("/vk"), "301");
    assert!(s.ask("GET", "//vk//packs", "").0.contains("location: /vk//packs/\r\n"));
    assert_eq!(s.status("secret"), "404");
    assert_eq!(s.status("//secret"), "404");
}

#[test]
fn head_sends_no_body_and_other_methods_are_refused() {
    let s = Server::start("methods", true);
    let (get, body) = s.ask("GET", "/vk/x.wasm", "");
    let (head, nothing) = s.ask("HEAD", "/vk/x.wasm", "");
    assert!(get == head && !body.is_empty() && nothing.is_empty());
    let refused = s.ask("POST", "/", "").0;
    assert!(refused.starts_with("http/1.1 405") && refused.contains("allow: get, head\r\n"), "{refused}");
    assert!(s.ask("POST", "/", "Content-Length: 5\r\n").0.starts_with("http/1.1 413"));
    assert!(s.ask("GET", "/", "Transfer-Encoding: chunked\r\n").0.starts_with("http/1.1 413"));
}

#[test]
fn rubbish_is_answered_and_ends_the_connection() {
    let s = Server::start("rubbish", true);
    assert!(s.raw("nonsense\r\n\r\n").starts_with(b"HTTP/1.1 400"));
    assert!(s.raw("\u{1}\u{2}\u{3}").starts_with(b"HTTP/1.1 400"));
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEAD_MAX));
    assert!(s.raw(&long).starts_with(b"HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS_MAX + 1));
    assert!(s.raw(&many).starts_with(b"HTTP/1.1 431"));
}

#[test]
fn a_connection_serves_several_requests_and_does_not_hold_up_others() {
    let s = Server::start("several", true);
    // One that says nothing stays open all the while.
    let _idle = TcpStream::connect(s.at).unwrap();
    let one = "GET /vk/packs/0123 HTTP/1.1\r\nHost: x\r\n\r\n";
    let out = s.raw(&format!("{one}{one}GET /none HTTP/1.0\r\n\r\n"));
    let text = String::from_utf8_lossy(&out);
    assert_eq!((text.matches("200 OK").count(), text.matches("404 Not Found").count()), (2, 1), "{text}");
    assert_eq!(text.matches("Connection: close").count(), 1, "{text}");
}

#[test]
fn a_port_in_use_is_said() {
    let s = Server::start("port", true);
    let e = listen(&Options { port: s.at.port(), ..Options::default() }).unwrap_err();
    assert_eq!(e, format!("port {} is in use on 127.0.0.1; choose another with --port N", s.at.port()));
    let nowhere = Options { host: "192.0.2.1".parse().unwrap(), port: 0, isolation: true };
    assert_eq!(listen(&nowhere).unwrap_err(), "192.0.2.1 is no address of this machine");
}
