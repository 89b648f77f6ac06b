//! Images as a kernel sees them, made from archives and directories.

use super::*;
use abi::image::{Entry, Index};
use abi::types::mode;
use abi::wire::Reader;
use std::path::PathBuf;
use tar::{EntryType, Header};

/// A directory of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("vk-bootimage-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    fn new() -> Tar {
        Tar(tar::Builder::new(Vec::new()))
    }
    /// Adds an entry whose name is written as it is, even where the builder would refuse it.
    fn raw(mut self, name: &str, kind: EntryType, target: &str, data: &[u8]) -> Tar {
        let mut h = Header::new_gnu();
        h.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        h.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        h.set_entry_type(kind);
        h.set_mode(0o640);
        h.set_uid(7);
        h.set_gid(8);
        h.set_mtime(1_000);
        h.set_size(data.len() as u64);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            h.set_device_major(1).unwrap();
            h.set_device_minor(300).unwrap();
        }
        if kind == EntryType::GNUSparse {
            h.as_gnu_mut().unwrap().realsize[..2].copy_from_slice(b"0\0");
        }
        h.set_cksum();
        self.0.append(&h, data).unwrap();
        self
    }
    fn file(self, name: &str, data: &[u8]) -> Tar {
        self.raw(name, EntryType::Regular, "", data)
    }
    fn dir(self, name: &str) -> Tar {
        self.raw(name, EntryType::Directory, "", b"")
    }
    fn pax(mut self, pairs: &[(&str, &str)]) -> Tar {
        self.0.append_pax_extensions(pairs.iter().map(|(k, v)| (*k, v.as_bytes()))).unwrap();
        self
    }
    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
    fn image(self) -> Result<BootImage, ImageError> {
        BootImage::from_tar_vec(self.bytes())
    }
    fn error(self) -> String {
        self.image().err().expect("an error").to_string()
    }
}

fn entries(image: &BootImage) -> Vec<Entry<'_>> {
    let mut index = Index(Reader::new(image.index()));
    let mut out = Vec::new();
    while let Some(e) = index.next_entry().expect("an entry that the kernel can read") {
        out.push(e);
    }
    out
}

fn entry<'a>(image: &'a BootImage, path: &str) -> Entry<'a> {
    entries(image).into_iter().find(|e| e.path == path.as_bytes()).unwrap_or_else(|| panic!("no {path}"))
}

fn paths(image: &BootImage) -> Vec<String> {
    entries(image).iter().map(|e| show(e.path)).collect()
}

#[test]
fn directories_stand_before_what_they_hold_and_links_last() {
    let image = Tar::new()
        .raw("./a/hard", EntryType::Link, "./z/file", b"")
        .file("z/file", b"hello")
        .file("./a.txt", b"x")
        .file("a/b/c/deep", b"y")
        .dir("z/")
        .image()
        .unwrap();
    assert_eq!(paths(&image), ["a", "a.txt", "a/b", "a/b/c", "a/b/c/deep", "z", "z/file", "a/hard"]);
    assert_eq!((entry(&image, "a").mode, entry(&image, "a").uid), (mode::IFDIR | 0o755, 0));
    assert_eq!((entry(&image, "z").mode, entry(&image, "z").uid), (mode::IFDIR | 0o640, 7));
    let hard = entry(&image, "a/hard");
    assert_eq!((hard.mode, hard.target), (0, &b"z/file"[..]));
}

#[test]
fn a_file_has_its_bytes_and_its_attributes() {
    let image = Tar::new().file("etc/motd", b"hello, world").file("empty", b"").image().unwrap();
    let e = entry(&image, "etc/motd");
    assert_eq!((e.mode, e.uid, e.gid, e.size), (mode::IFREG | 0o640, 7, 8, 12));
    assert_eq!(e.mtime_ns, 1_000_000_000_000);
    let mut buf = [0; 5];
    assert_eq!(image.read(e.blob, 7, &mut buf).unwrap(), 5);
    assert_eq!(&buf, b"world");
    assert_eq!(image.read(e.blob, 10, &mut buf).unwrap(), 2, "short at the end");
    assert_eq!(image.read(e.blob, u64::MAX, &mut buf).unwrap(), 0);
    assert_eq!(image.hash(e.blob).unwrap(), *blake3::hash(b"hello, world").as_bytes());
    assert_eq!((entry(&image, "empty").blob, entry(&image, "empty").size), (0, 0));
}

#[test]
fn the_index_is_blob_1_and_unknown_blobs_are_not_found() {
    let image = Tar::new().file("f", b"x").image().unwrap();
    let mut buf = vec![0; 4096];
    let n = image.read(BLOB_INDEX, 0, &mut buf).unwrap();
    assert_eq!(&buf[..n], image.index());
    for blob in [0, 3, 4, u32::MAX] {
        assert_eq!(image.read(blob, 0, &mut buf).unwrap_err().kind(), io::ErrorKind::NotFound, "{blob}");
        assert!(image.hash(blob).is_err() && image.bytes(blob).is_err());
    }
}

#[test]
fn an_added_blob_belongs_to_one_copy() {
    let base = Tar::new().file("f", b"x").image().unwrap();
    let mut one = base.clone();
    let blob = one.add_blob(b"program".to_vec());
    assert_eq!(&*one.bytes(blob).unwrap(), b"program");
    assert_eq!(one.hash(blob).unwrap(), *blake3::hash(b"program").as_bytes());
    assert!(base.bytes(blob).is_err());
    assert_eq!(&*one.bytes(BLOB_FIRST).unwrap(), b"x");
}

#[test]
fn long_names_and_times_of_pax_and_gnu() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let image = Tar::new().pax(&[("path", &long), ("mtime", "12.345678901")]).file("short", b"x").image().unwrap();
    assert_eq!(entry(&image, &long).mtime_ns, 12_345_678_901);
    let mut gnu = tar::Builder::new(Vec::new());
    let mut h = Header::new_gnu();
    h.set_size(1);
    h.set_mode(0o644);
    gnu.append_data(&mut h, &long, &b"x"[..]).unwrap();
    let image = BootImage::from_tar_vec(gnu.into_inner().unwrap()).unwrap();
    assert_eq!(entry(&image, &long).size, 1);
}

#[test]
fn special_files_are_kept() {
    let image = Tar::new()
        .raw("dev/x", EntryType::Char, "", b"")
        .raw("link", EntryType::Symlink, "/etc/../x", b"")
        .raw("fifo", EntryType::Fifo, "", b"")
        .image()
        .unwrap();
    let dev = entry(&image, "dev/x");
    assert_eq!((dev.mode & mode::IFMT, dev.blob), (mode::IFCHR, 1 << 8 | 300 & 0xff | (300 & 0xfff00) << 12));
    assert_eq!(
        (entry(&image, "link").mode & mode::IFMT, entry(&image, "link").target),
        (mode::IFLNK, &b"/etc/../x"[..])
    );
    assert_eq!(entry(&image, "fifo").mode & mode::IFMT, mode::IFIFO);
}

#[test]
fn the_last_entry_of_a_name_counts() {
    let image = Tar::new().file("f", b"old").file("f", b"newer").image().unwrap();
    assert_eq!(&*image.bytes(entry(&image, "f").blob).unwrap(), b"newer");
}

#[test]
fn what_would_leave_the_root_is_refused_by_name() {
    for name in ["../x", "a/../../x", "a/.."] {
        let e = Tar::new().file(name, b"x").error();
        assert!(e.contains(&format!("`{name}`")) && e.contains("`..`"), "{e}");
    }
    let e = Tar::new().file("/etc/passwd", b"x").error();
    assert!(e.contains("`/etc/passwd`: an absolute path"), "{e}");
    let e = Tar::new().raw("h", EntryType::Link, "../../etc/shadow", b"").error();
    assert!(e.contains("`../../etc/shadow`"), "{e}");
}

#[test]
fn what_cannot_be_unpacked_is_refused_by_name() {
    let e = Tar::new().raw("h", EntryType::Link, "nowhere", b"").error();
    assert!(e.contains("`h`: hard link to `nowhere`, which isn't in the image"), "{e}");
    let e = Tar::new().dir("d").raw("h", EntryType::Link, "d", b"").error();
    assert!(e.contains("which is a directory"), "{e}");
    let e = Tar::new().raw("a", EntryType::Link, "b", b"").raw("b", EntryType::Link, "a", b"").error();
    assert!(e.contains("hard link"), "{e}");
    let e = Tar::new().file("f", b"").file("f/g", b"").error();
    assert!(e.contains("`f/g` stands below `f`"), "{e}");
    let e = Tar::new().pax(&[("path", &"n".repeat(256))]).file("f", b"").error();
    assert!(e.contains("more than 255 bytes"), "{e}");
    let e = Tar::new().raw("s", EntryType::GNUSparse, "", b"").error();
    assert!(e.contains("`s`: a sparse file"), "{e}");
}

#[test]
fn what_is_no_image_says_what_was_expected() {
    let says = |bytes: &[u8], word: &str| {
        let e = BootImage::from_tar_vec(bytes.to_vec()).err().expect("an error").to_string();
        assert!(e.contains(word), "{e}");
    };
    says(b"", "an empty file; vk boots from a directory, a .tar file or a .tar.zst file");
    says(b"hello", "too short");
    says(&[b'x'; 4096], "not a tar archive; vk boots from");
    says(b"\0asm\x01\0\0\0", "vk run FILE.wasm");
    says(b"\x1f\x8b\x08", "gunzip");
    says(b"\x28\xb5\x2f\xfdgarbage", "damaged zstd data");
    let whole = Tar::new().file("a", b"x").file("f", &[1; 5000]).bytes();
    says(&whole[..whole.len() - 5000], "it ends within `f`");
    let mut broken = whole.clone();
    broken[1024] ^= 1;
    says(&broken, "after `a`");
}

#[test]
fn random_bytes_never_panic() {
    let mut whole = Tar::new().file("a", b"x").raw("l", EntryType::Link, "a", b"").file("f/g", &[1; 600]).bytes();
    let mut seed = 1u64;
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let at = (seed >> 33) as usize % whole.len();
        let old = std::mem::replace(&mut whole[at], (seed >> 25) as u8);
        // The checksum is of the headers: put it right so that more of them are looked at.
        let block = at / 512 * 512;
        let mut h = Header::new_old();
        h.as_mut_bytes().copy_from_slice(&whole[block..block + 512]);
        let before = *h.as_bytes();
        h.set_cksum();
        whole[block..block + 512].copy_from_slice(h.as_bytes());
        if let Ok(image) = BootImage::from_tar_vec(whole.clone()) {
            for e in entries(&image) {
                if e.blob >= BLOB_FIRST && e.mode & mode::IFMT == mode::IFREG {
                    image.bytes(e.blob).unwrap();
                }
            }
        }
        whole[block..block + 512].copy_from_slice(&before);
        whole[at] = old;
    }
}

#[test]
fn a_tar_file_is_read_where_it_is_and_compressed_or_not_is_the_same() {
    let s = Scratch::new("tar");
    let bytes = Tar::new().file("bin/true", &[7; 70_000]).file("b", b"second").bytes();
    let zst = ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
    std::fs::write(s.0.join("i.tar"), &bytes).unwrap();
    std::fs::write(s.0.join("i.tar.zst"), zst).unwrap();
    let plain = BootImage::open(&s.0.join("i.tar")).unwrap();
    let packed = BootImage::open(&s.0.join("i.tar.zst")).unwrap();
    assert_eq!(plain.index(), packed.index());
    let blob = entry(&plain, "bin/true").blob;
    let mut buf = [0; 100];
    assert_eq!(plain.read(blob, 69_950, &mut buf).unwrap(), 50);
    assert_eq!(&*plain.bytes(blob).unwrap(), &*packed.bytes(blob).unwrap());
    assert_eq!(plain.hash(blob).unwrap(), packed.hash(blob).unwrap());
}

#[test]
fn embedded_archives_may_bring_their_hashes() {
    let tar: &'static [u8] = Box::leak(
        Tar::new().file("bin/a", b"program").raw("bin/b", EntryType::Link, "bin/a", b"").bytes().into_boxed_slice(),
    );
    let image = BootImage::from_tar_bytes(tar, &[("bin/b", [9; 32]), ("bin/nothing", [1; 32])]).unwrap();
    assert_eq!(image.hash(entry(&image, "bin/a").blob).unwrap(), [9; 32]);
}

#[test]
fn a_directory_is_an_image() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let s = Scratch::new("dir");
    std::fs::create_dir_all(s.0.join("a/b")).unwrap();
    std::fs::write(s.0.join("a/b/f"), b"content").unwrap();
    std::fs::set_permissions(s.0.join("a/b/f"), std::fs::Permissions::from_mode(0o750)).unwrap();
    std::fs::hard_link(s.0.join("a/b/f"), s.0.join("z")).unwrap();
    symlink("/etc/passwd", s.0.join("l")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(s.0.join("sock")).unwrap();
    let image = BootImage::open(&s.0).unwrap();
    assert_eq!(paths(&image), ["a", "a/b", "l", "z", "a/b/f"]);
    let z = entry(&image, "z");
    assert_eq!((z.mode, z.uid, z.gid, z.size), (mode::IFREG | 0o750, 0, 0, 7));
    assert_eq!(entry(&image, "a/b/f").target, b"z");
    assert_eq!(entry(&image, "l").target, b"/etc/passwd");
    assert_eq!(&*image.bytes(z.blob).unwrap(), b"content");
    assert_eq!(image.len(z.blob).unwrap(), 7);
}

#[test]
fn a_file_changed_after_its_hash_was_told_is_an_error() {
    let s = Scratch::new("changed");
    std::fs::write(s.0.join("f"), b"before").unwrap();
    let image = BootImage::open(&s.0).unwrap();
    let blob = entry(&image, "f").blob;
    image.hash(blob).unwrap();
    assert_eq!(&*image.bytes(blob).unwrap(), b"before");
    std::fs::write(s.0.join("f"), b"after!").unwrap();
    assert!(image.bytes(blob).err().expect("an error").to_string().contains("was changed"));
    std::fs::remove_file(s.0.join("f")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", s.0.join("f")).unwrap();
    assert!(image.read(blob, 0, &mut [0; 10]).is_err(), "an image's file is never a link");
}

#[test]
fn a_path_that_is_not_there_says_so() {
    let e = BootImage::open(Path::new("/nowhere/at/all")).err().expect("an error").to_string();
    assert_eq!(e, "No such file or directory");
    let e = BootImage::open(Path::new("/dev/null")).err().expect("an error").to_string();
    assert!(e.contains("vk boots from a directory"), "{e}");
}
