//! Formats that say what they are.

use super::Kind;

/// Where, what stands there, the words, MIME's.
type Rule = (usize, &'static [u8], &'static str, &'static str);

const RULES: &[Rule] = &[
    (0, b"\x1f\x8b", "gzip compressed data", "application/gzip"),
    (0, b"\x1f\x9d", "compress'd data", "application/x-compress"),
    (0, b"BZh", "bzip2 compressed data", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "XZ compressed data", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "LZ4 compressed data", "application/x-lz4"),
    (0, b"PK\x03\x04", "Zip archive data", "application/zip"),
    (0, b"PK\x05\x06", "Zip archive data (empty)", "application/zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-zip archive data", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "RAR archive data", "application/x-rar"),
    (257, b"ustar\0", "POSIX tar archive", "application/x-tar"),
    (257, b"ustar  \0", "POSIX tar archive (GNU)", "application/x-tar"),
    (0, b"070701", "ASCII cpio archive (SVR4 with no CRC)", "application/x-cpio"),
    (0, b"070702", "ASCII cpio archive (SVR4 with CRC)", "application/x-cpio"),
    (0, b"070707", "ASCII cpio archive (pre-SVR4 or odc)", "application/x-cpio"),
    (0, b"!<arch>\ndebian-binary", "Debian binary package", "application/vnd.debian.binary-package"),
    (0, b"!<arch>\n", "current ar archive", "application/x-archive"),
    (0, b"!<thin>\n", "thin archive", "application/x-archive"),
    (0, b"\xff\xd8\xff", "JPEG image data", "image/jpeg"),
    (0, b"II*\0", "TIFF image data, little-endian", "image/tiff"),
    (0, b"MM\0*", "TIFF image data, big-endian", "image/tiff"),
    (0, b"\0\0\x01\0", "MS Windows icon resource", "image/vnd.microsoft.icon"),
    (0, b"SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"),
    (0, b"OggS", "Ogg data", "application/ogg"),
    (0, b"fLaC", "FLAC audio bitstream data", "audio/flac"),
    (0, b"ID3", "Audio file with ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "MPEG ADTS, layer III", "audio/mpeg"),
    (0, b"MThd", "Standard MIDI data", "audio/midi"),
    (4, b"ftyp", "ISO Media", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska data", "video/x-matroska"),
    (0, b"wOFF", "Web Open Font Format", "font/woff"),
    (0, b"wOF2", "Web Open Font Format (Version 2)", "font/woff2"),
    (0, b"\0\x01\0\0\0", "TrueType Font data", "font/sfnt"),
    (0, b"OTTO", "OpenType font data", "application/vnd.ms-opentype"),
    (0, b"\xca\xfe\xba\xbe\0\0\0", "compiled Java class data", "application/x-java-applet"),
    (0, b"\xcf\xfa\xed\xfe", "Mach-O 64-bit", "application/x-mach-binary"),
    (0, b"BC\xc0\xde", "LLVM IR bitcode", "application/octet-stream"),
    (0, b"vkernel\0", "vkernel data", "application/octet-stream"),
];

/// The same for those that say more of themselves.
pub fn kind(b: &[u8]) -> Option<Kind> {
    let at = |n: usize, len: usize| b.get(n..n + len);
    let le16 = |n| at(n, 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let be32 = |n| at(n, 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let le32 = |n| at(n, 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Some(match b {
        [0, b'a', b's', b'm', ..] => wasm(b, le32(4)),
        [0x7f, b'E', b'L', b'F', class, order, ..] => elf(*class, *order, b),
        [0x89, b'P', b'N', b'G', ..] => {
            let colour = ["grayscale", "", "/color RGB", " colormap", " gray+alpha", "", "/color RGBA"];
            let colour = b.get(25).and_then(|c| colour.get(*c as usize)).unwrap_or(&"");
            let woven = if b.get(28) == Some(&1) { "interlaced" } else { "non-interlaced" };
            let (width, height, depth) = (be32(16), be32(20), b.get(24).unwrap_or(&0));
            Kind::of(format!("PNG image data, {width} x {height}, {depth}-bit{colour}, {woven}"), "image/png")
        }
        [b'G', b'I', b'F', b'8', ..] => {
            let version = String::from_utf8_lossy(at(3, 3).unwrap_or_default()).into_owned();
            Kind::of(format!("GIF image data, version {version}, {} x {}", le16(6), le16(8)), "image/gif")
        }
        [b'B', b'M', ..] if b.len() > 26 && le32(6) == 0 => {
            Kind::of(format!("PC bitmap, {} x {} x {}", le32(18), le32(22), le16(28)), "image/bmp")
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] => match kind.get(..4) {
            Some(b"WEBP") => Kind::of("RIFF (little-endian) data, Web/P image", "image/webp"),
            Some(b"WAVE") => Kind::of("RIFF (little-endian) data, WAVE audio", "audio/x-wav"),
            Some(b"AVI ") => Kind::of("RIFF (little-endian) data, AVI", "video/x-msvideo"),
            _ => Kind::of("RIFF (little-endian) data", "application/octet-stream"),
        },
        [b'%', b'P', b'D', b'F', b'-', rest @ ..] => {
            let version = rest.split(|b| *b < b'.').next().unwrap_or_default();
            let version = String::from_utf8_lossy(&version[..version.len().min(4)]).into_owned();
            Kind::of(format!("PDF document, version {version}"), "application/pdf")
        }
        [b'%', b'!', b'P', b'S', ..] => Kind::of("PostScript document text", "application/postscript"),
        [b'M', b'Z', ..] if b.len() > 64 => {
            Kind::of("PE32 or MS-DOS executable", "application/vnd.microsoft.portable-executable")
        }
        _ => {
            let rule = RULES.iter().find(|r| b.get(r.0..).is_some_and(|b| b.starts_with(r.1)))?;
            Kind::of(rule.2, rule.3)
        }
    })
}

/// A module, a component, or the core dump of one (core(5)).
fn wasm(b: &[u8], version: u32) -> Kind {
    let words = match version {
        1 if b.get(8) == Some(&0) && b.windows(5).take(20).any(|w| w == b"\x04core") => {
            "WebAssembly (wasm) core dump".into()
        }
        1 => "WebAssembly (wasm) binary module version 0x1 (MVP)".into(),
        v if v >> 16 == 1 => format!("WebAssembly (wasm) component version {:#x}", v & 0xffff),
        v => format!("WebAssembly (wasm) binary module version {v:#x}"),
    };
    Kind::of(words, "application/wasm")
}

fn elf(class: u8, order: u8, b: &[u8]) -> Kind {
    let half = |n: usize| {
        let pair = b.get(n..n + 2).map_or([0, 0], |b| [b[0], b[1]]);
        if order == 2 { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let (words, mime) = match half(16) {
        1 => ("relocatable", "application/x-object"),
        2 => ("executable", "application/x-executable"),
        3 => ("shared object", "application/x-sharedlib"),
        4 => ("core file", "application/x-coredump"),
        _ => ("file", "application/octet-stream"),
    };
    let machine = match half(18) {
        3 => "Intel 80386",
        40 => "ARM",
        62 => "x86-64",
        183 => "ARM aarch64",
        243 => "UCB RISC-V",
        _ => "unknown architecture",
    };
    let bits = if class == 2 { "64-bit" } else { "32-bit" };
    let order = if order == 2 { "MSB" } else { "LSB" };
    Kind::of(format!("ELF {bits} {order} {words}, {machine}"), mime)
}
