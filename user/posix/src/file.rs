//! `file`: what is in a file, by its first bytes. The words are those of other systems' `file`.

mod magic;
mod text;

use kit::input::Reader;
use kit::options::{Failure, Options};
use kit::show::put;
use vkernel_sys::{Errno, Stat, fs, io, mode, o};

const USAGE: &str = "file [-bhiL0] [--mime-type] [-f namefile] [file...]";
/// As much is looked at.
const HEAD: usize = 64 << 10;

/// What something is, for people and in MIME's words.
pub struct Kind {
    pub words: String,
    pub mime: &'static str,
    pub charset: &'static str,
}

impl Kind {
    fn of(words: impl Into<String>, mime: &'static str) -> Kind {
        Kind { words: words.into(), mime, charset: "binary" }
    }
}

pub fn file(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const MIME_TYPE: u8 = 1;
    let long =
        [("brief", b'b'), ("mime", b'i'), ("mime-type", MIME_TYPE), ("dereference", b'L'), ("no-dereference", b'h')];
    let o = Options::parse_long(args, "bhiL0f:\x01", &long, USAGE, false)?;
    let mut names = Vec::new();
    for list in o.values(b'f') {
        let mut reader = Reader::open(list).map_err(|e| Failure::with(list, e))?;
        let mut line = Vec::new();
        while reader.line(b'\n', &mut line).map_err(|e| Failure::with(list, e))? {
            names.push(line.strip_suffix(b"\n").unwrap_or(&line).to_vec());
        }
    }
    names.extend(o.operands.iter().cloned());
    if names.is_empty() {
        return Err(Failure::usage(format!("which file?\nusage: {USAGE}")));
    }
    let follow = o.has(b'L') && !o.has(b'h');
    let widest = names.iter().map(|n| String::from_utf8_lossy(n).chars().count()).max().unwrap_or(0);
    for name in &names {
        let kind = of(name, follow);
        let says = match (o.has(b'i'), o.has(MIME_TYPE)) {
            (true, _) => format!("{}; charset={}", kind.mime, kind.charset),
            (_, true) => kind.mime.into(),
            _ => kind.words,
        };
        if !o.has(b'b') {
            let pad = widest - String::from_utf8_lossy(name).chars().count() + 1;
            put(name);
            put(if o.has(b'0') { b"\0" } else { b":" });
            put(" ".repeat(pad).as_bytes());
        }
        put(format!("{says}\n").as_bytes());
    }
    // A file that can't be looked at is an answer, not a failure (POSIX `file`, EXIT STATUS).
    Ok(0)
}

fn of(name: &[u8], follow: bool) -> Kind {
    let unknown =
        |e: Errno| Kind::of(format!("cannot open `{}' ({e})", String::from_utf8_lossy(name)), "inode/x-unreadable");
    if name == b"-" {
        return head(0).map_or_else(unknown, |bytes| content(&bytes));
    }
    let st = match if follow { fs::stat(name) } else { fs::lstat(name) } {
        Ok(st) => st,
        Err(e) => return unknown(e),
    };
    if let Some(kind) = special(name, &st) {
        return kind;
    }
    let fd = match io::open(name, o::RDONLY | o::CLOEXEC | o::NOCTTY, 0) {
        Ok(fd) => fd,
        Err(e) => return Kind::of(format!("regular file, no read permission ({e})"), "inode/x-unreadable"),
    };
    let bytes = head(fd);
    let _ = io::close(fd);
    bytes.map_or_else(unknown, |bytes| content(&bytes))
}

/// What is no regular file.
fn special(name: &[u8], st: &Stat) -> Option<Kind> {
    let device = |what: &str| format!("{what} special ({}/{})", st.rdev >> 8 & 0xfff, st.rdev & 0xff);
    Some(match st.mode & mode::IFMT {
        mode::IFDIR if st.mode & mode::ISVTX != 0 => Kind::of("sticky, directory", "inode/directory"),
        mode::IFDIR => Kind::of("directory", "inode/directory"),
        mode::IFCHR => Kind::of(device("character"), "inode/chardevice"),
        mode::IFBLK => Kind::of(device("block"), "inode/blockdevice"),
        mode::IFIFO => Kind::of("fifo (named pipe)", "inode/fifo"),
        mode::IFSOCK => Kind::of("socket", "inode/socket"),
        mode::IFLNK => {
            let target = String::from_utf8_lossy(&fs::readlink(name).unwrap_or_default()).into_owned();
            let broken = if fs::stat(name).is_err() { "broken " } else { "" };
            Kind::of(format!("{broken}symbolic link to {target}"), "inode/symlink")
        }
        _ => return None,
    })
}

fn head(fd: i32) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    while bytes.len() < HEAD && kit::input::read_more(fd, &mut bytes)? > 0 {}
    bytes.truncate(HEAD);
    Ok(bytes)
}

fn content(bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::of("empty", "inode/x-empty");
    }
    let binary = || magic::kind(bytes).or_else(|| text::kind(bytes, bytes.len() == HEAD));
    binary().unwrap_or_else(|| Kind::of("data", "application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8]) -> String {
        content(bytes).words
    }

    #[test]
    fn binaries_are_known_by_their_first_bytes() {
        assert_eq!(words(b""), "empty");
        assert_eq!(words(b"\0asm\x01\0\0\0"), "WebAssembly (wasm) binary module version 0x1 (MVP)");
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20\x08\x06\0\0\0";
        assert_eq!(words(png), "PNG image data, 16 x 32, 8-bit/color RGBA, non-interlaced");
        assert_eq!(words(b"GIF89a\x01\0\x02\0"), "GIF image data, version 89a, 1 x 2");
        assert_eq!(words(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0"), "ELF 64-bit LSB shared object, x86-64");
        assert_eq!(words(b"\x01\x02\x03"), "data");
        let mut tar = [0; 512];
        tar[257..265].copy_from_slice(b"ustar\x0000");
        assert_eq!((words(&tar), content(&tar).mime), ("POSIX tar archive".into(), "application/x-tar"));
    }

    #[test]
    fn texts_are_known_by_their_words_and_ends() {
        assert_eq!(words(b"hello\n"), "ASCII text");
        assert_eq!(words(b"hello"), "ASCII text, with no line terminators");
        assert_eq!(words(b"a\r\nb\r\n"), "ASCII text, with CRLF line terminators");
        assert_eq!(words("\u{e9}\n".as_bytes()), "Unicode text, UTF-8 text");
        assert_eq!(words(b"\xe9t\xe9\n"), "ISO-8859 text");
        assert_eq!(words(b"\xff\xfeh\0i\0"), "Unicode text, UTF-16, little-endian text");
        assert_eq!(words(b"#!/bin/sh\ntrue\n"), "POSIX shell script, ASCII text executable");
        assert_eq!(words(b"#!/usr/bin/env python3\n"), "Python script, ASCII text executable");
        assert_eq!(words(b"#! /opt/foo -x\n"), "a /opt/foo -x script, ASCII text executable");
        assert_eq!(words(b"#include <stdio.h>\nint main(void) {}\n"), "C source, ASCII text");
        assert_eq!(words(b"{\"a\": 1}\n"), "JSON text data");
        assert_eq!(words(b"{ a; }\n"), "ASCII text");
    }
}
