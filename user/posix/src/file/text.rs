//! Texts: in what characters, with which ends of lines, and what they look like.

use super::Kind;

/// `cut`: there is more behind.
pub fn kind(bytes: &[u8], cut: bool) -> Option<Kind> {
    for (mark, words, charset) in [
        (&b"\xff\xfe"[..], "Unicode text, UTF-16, little-endian text", "utf-16le"),
        (b"\xfe\xff", "Unicode text, UTF-16, big-endian text", "utf-16be"),
    ] {
        if bytes.starts_with(mark) && bytes.len() > 2 {
            return Some(Kind { words: words.into(), mime: "text/plain", charset });
        }
    }
    // Control characters that stand in texts: BEL, BS, HT, LF, FF, CR, ESC.
    let odd = |b: &u8| (*b < 32 && !b"\x07\x08\t\n\x0c\r\x1b".contains(b)) || *b == 127;
    if bytes.iter().any(odd) {
        return None;
    }
    let (encoding, charset) = match std::str::from_utf8(bytes) {
        _ if bytes.is_ascii() => ("ASCII text", "us-ascii"),
        Ok(_) if bytes.starts_with(b"\xef\xbb\xbf") => ("Unicode text, UTF-8 (with BOM) text", "utf-8"),
        Ok(_) => ("Unicode text, UTF-8 text", "utf-8"),
        Err(e) if cut && e.error_len().is_none() => ("Unicode text, UTF-8 text", "utf-8"),
        // In ISO 8859 nothing stands in 0x80 to 0x9f.
        Err(_) if !bytes.iter().any(|b| (0x80..0xa0).contains(b)) => ("ISO-8859 text", "iso-8859-1"),
        Err(_) => ("Non-ISO extended-ASCII text", "unknown-8bit"),
    };
    let (before, behind, mime) = form(bytes);
    let words = if before == "JSON text data" { before } else { format!("{before}{encoding}{behind}{}", ends(bytes)) };
    Some(Kind { words, mime, charset })
}

/// What it is: words before the encoding, behind it, and MIME's.
fn form(bytes: &[u8]) -> (String, &'static str, &'static str) {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
    let start = head.trim_start_matches('\u{feff}').trim_start();
    let lower = start.get(..start.len().min(200)).unwrap_or(start).to_lowercase();
    let is = |words: &str, mime| (format!("{words}, "), "", mime);
    if let Some(script) = head.strip_prefix("#!") {
        let (words, mime) = script_kind(script.lines().next().unwrap_or_default().trim());
        return (format!("{words} script, "), " executable", mime);
    }
    let line = |begins: &[&str]| head.lines().any(|l| begins.iter().any(|b| l.starts_with(b)));
    if lower.starts_with("<?xml") {
        return is("XML 1.0 document", "text/xml");
    }
    if lower.starts_with("<svg") {
        return is("SVG Scalable Vector Graphics image", "image/svg+xml");
    }
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return is("HTML document", "text/html");
    }
    if lower.starts_with("-----begin ") {
        return is("PEM", "text/plain");
    }
    if is_json(start) {
        return ("JSON text data".into(), "", "application/json");
    }
    if lower.starts_with("diff ") || (line(&["--- "]) && line(&["+++ "]) && line(&["@@ "])) {
        return is("unified diff output", "text/x-diff");
    }
    if line(&["#include <", "#include \""]) {
        return match line(&["class ", "using namespace", "template<", "template <"]) {
            true => is("C++ source", "text/x-c++"),
            false => is("C source", "text/x-c"),
        };
    }
    if lower.starts_with(".\\\"") || line(&[".TH ", ".Dd ", ".SH "]) {
        return is("troff or preprocessor input", "text/troff");
    }
    if line(&[".PHONY", "all:"]) {
        return is("makefile script", "text/x-makefile");
    }
    (String::new(), "", "text/plain")
}

fn script_kind(line: &str) -> (String, &'static str) {
    let mut words = line.split_whitespace();
    let mut program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    if program == "env" {
        program = words.find(|w| !w.starts_with('-') && !w.contains('=')).unwrap_or_default();
    }
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match name {
        "sh" | "dash" => ("POSIX shell".into(), "text/x-shellscript"),
        "bash" => ("Bourne-Again shell".into(), "text/x-shellscript"),
        "ksh" | "mksh" => ("Korn shell".into(), "text/x-shellscript"),
        "awk" | "mawk" | "gawk" => ("awk".into(), "text/x-awk"),
        "python" => ("Python".into(), "text/x-script.python"),
        "perl" => ("Perl".into(), "text/x-perl"),
        "ruby" => ("Ruby".into(), "text/x-ruby"),
        "php" => ("PHP".into(), "text/x-php"),
        "lua" => ("Lua".into(), "text/x-lua"),
        "node" => ("Node.js".into(), "application/javascript"),
        "make" => ("makefile".into(), "text/x-makefile"),
        _ => (format!("a {line}"), "text/plain"),
    }
}

/// Whether it begins as JSON does: a bracket, and behind it a value, a name with a colon, or the other bracket.
fn is_json(text: &str) -> bool {
    let value = |t: &str| t.starts_with(['{', '[', '"', '-', ']']) || t.starts_with(|c: char| c.is_ascii_digit());
    match text.as_bytes().first() {
        Some(b'{') => {
            let inner = text[1..].trim_start();
            inner.starts_with('}')
                || inner
                    .strip_prefix('"')
                    .and_then(|t| t.split_once('"'))
                    .is_some_and(|t| t.1.trim_start().starts_with(':'))
        }
        Some(b'[') => {
            let inner = text[1..].trim_start();
            let word = ["true", "false", "null"].iter().any(|w| inner.starts_with(w));
            (value(inner) || word) && text.trim_end().ends_with(']')
        }
        _ => false,
    }
}

/// What is unusual about its lines.
fn ends(bytes: &[u8]) -> String {
    let count = |b: u8| bytes.iter().filter(|c| **c == b).count();
    let crlf = bytes.windows(2).filter(|w| w == b"\r\n").count();
    let (cr, lf) = (count(b'\r') - crlf, count(b'\n') - crlf);
    let longest = bytes.split(|b| *b == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    let mut out = String::new();
    if longest > 300 {
        out += &format!(", with very long lines ({longest})");
    }
    let kinds: Vec<&str> = [("CRLF", crlf), ("CR", cr), ("LF", lf)].iter().filter(|k| k.1 > 0).map(|k| k.0).collect();
    match &kinds[..] {
        [] => out += ", with no line terminators",
        ["LF"] => {}
        kinds => out += &format!(", with {} line terminators", kinds.join(", ")),
    }
    if bytes.contains(&0x1b) {
        out += ", with escape sequences";
    }
    out
}
