//! Packs as a page reads them: from the manifest down to a file's bytes.

use super::*;
use abi::image::{BLOB_FIRST, Index};
use abi::wire::Reader;
use image::pack::split;
use std::io::Read;

fn program(len: usize) -> Vec<u8> {
    let mut p = WASM_MAGIC.to_vec();
    p.extend((0..len).map(|n| (n * n / 5) as u8));
    p
}

fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode, data: &[u8]| {
        let mut h = tar::Header::new_ustar();
        h.set_mode(mode);
        h.set_mtime(0);
        h.set_size(data.len() as u64);
        tar.append_data(&mut h, path, data).unwrap();
    };
    add("bin/sh", 0o755, &program(1000));
    add("bin/text", 0o755, &program(1 << 20));
    add("etc/motd", 0o644, b"hello\n");
    add("etc/empty", 0o644, b"");
    add("lib/crt1.o", 0o644, &program(10));
    tar.into_inner().unwrap()
}

/// A prepared program is the program and a word.
fn fake_prepare(program: &[u8]) -> Outcome<Option<Vec<u8>>> {
    Ok(Some([program, b"prepared"].concat()))
}

fn packed() -> Packed {
    let mut b = Builder::new(&archive()).unwrap();
    let item = |path: &str, kind, part: Option<&str>| packages::Item {
        path: path.into(),
        mode: 0o755,
        kind,
        part: part.map(Into::into),
    };
    let items = vec![
        item("usr/lib/x", packages::Kind::File(program(7)), None),
        item("usr/lib/doc", packages::Kind::File(b"doc".to_vec()), Some("Manual")),
        item("bin/x", packages::Kind::Link("../usr/lib/x".into()), None),
    ];
    b.package(Package { name: "x".into(), title: "Extra".into(), commands: vec!["x".into()], items }).unwrap();
    b.finish(b"kernel", b"preparer", fake_prepare).unwrap()
}

fn unpacked(packed: &Packed, name: &str) -> Vec<u8> {
    let (_, bytes) = packed.files.iter().find(|(n, _)| n == name).expect("a file of that name");
    assert_eq!(name, hex(&sha256(bytes)[..16]));
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut out).unwrap();
    out
}

/// Path, size, and the row of the contents.
type File = (String, u64, Option<Row>);

/// All files, and all rows.
fn table(packed: &Packed) -> (Vec<File>, Vec<Row>) {
    let raw = unpacked(packed, &packed.manifest.index);
    let (index, rows) = split(&raw).unwrap();
    let mut index = Index(Reader::new(index));
    let mut files = Vec::new();
    while let Some(e) = index.next_entry().unwrap() {
        let row = e.blob.checked_sub(BLOB_FIRST).map(|n| rows[n as usize]);
        files.push((String::from_utf8(e.path.to_vec()).unwrap(), e.size, row));
    }
    (files, rows)
}

fn contents(packed: &Packed, row: &Row) -> Vec<u8> {
    let pack = &packed.manifest.packs[row.pack as usize];
    let raw = unpacked(packed, &pack.name);
    assert_eq!(raw.len() as u64, pack.raw);
    let bytes = raw[row.offset as usize..][..row.length as usize].to_vec();
    assert!(row.hash == [0; 32] || row.hash == sha256(&bytes));
    bytes
}

#[test]
fn every_file_comes_back_and_its_hash_holds() {
    let p = packed();
    let (files, rows) = table(&p);
    let find = |path: &str| files.iter().find(|(f, ..)| f == path).unwrap_or_else(|| panic!("{path}"));
    for (path, want) in [
        ("bin/sh", program(1000)),
        ("bin/text", program(1 << 20)),
        ("etc/motd", b"hello\n".to_vec()),
        ("lib/crt1.o", program(10)),
        ("usr/lib/x", program(7)),
        ("usr/lib/doc", b"doc".to_vec()),
    ] {
        let (_, size, row) = find(path);
        let row = row.unwrap();
        assert_eq!(*size, want.len() as u64);
        assert!(contents(&p, &row) == want, "{path}");
        let program = want.starts_with(WASM_MAGIC) && path != "lib/crt1.o";
        assert_eq!(row.prepared != 0, program, "{path}");
        // A package's library goes by the name of its pack.
        assert_eq!(row.hash == [0; 32], path == "usr/lib/doc", "{path}");
        if program {
            let prepared = contents(&p, &rows[(row.prepared - BLOB_FIRST) as usize]);
            assert!(prepared == fake_prepare(&want).unwrap().unwrap(), "{path}");
        }
    }
    assert_eq!((find("etc/empty").1, find("etc/empty").2), (0, None));
    assert_eq!(find("usr/lib").2, None);
}

#[test]
fn what_boots_is_apart_from_what_is_read_or_asked_for() {
    let p = packed();
    let (files, rows) = table(&p);
    let m = &p.manifest;
    let name = |row: &Row| m.packs[row.pack as usize].name.clone();
    let row = |path: &str| files.iter().find(|(f, ..)| f == path).and_then(|f| f.2).unwrap();
    let prepared = |path: &str| rows[(row(path).prepared - BLOB_FIRST) as usize];
    assert_eq!(m.boot, [name(&row("etc/motd"))]);
    assert_eq!(m.boot, [name(&prepared("bin/sh"))]);
    let preparer = &rows[(m.preparer - BLOB_FIRST) as usize];
    assert_eq!(contents(&p, preparer), b"preparer");
    assert_eq!(m.soon, [name(&prepared("bin/text")), name(preparer)]);
    assert_eq!(m.packages[0].packs, [name(&prepared("usr/lib/x")), name(&row("usr/lib/doc"))]);
    assert!(m.packs.iter().any(|p| p.title == "Extra: Manual"));
    for path in ["bin/sh", "bin/text", "usr/lib/x"] {
        let name = name(&row(path));
        assert!(!m.boot.contains(&name) && !m.soon.contains(&name) && !m.packages[0].packs.contains(&name), "{path}");
    }
    // Nobody made a group for programs that a package doesn't have.
    assert!(m.packs.iter().all(|p| p.raw > 0));
    assert_eq!(unpacked(&p, &m.kernel.pack), b"kernel");
    assert!(m.boot_bytes() > 0 && m.boot_bytes() < 100_000, "{}", m.boot_bytes());
}

#[test]
fn the_same_inputs_make_the_same_files() {
    let (a, b) = (packed(), packed());
    assert_eq!(a.manifest.to_json().unwrap(), b.manifest.to_json().unwrap());
    assert!(a.files == b.files);
}

#[test]
fn what_is_refused_stays_a_file() {
    let p = Builder::new(&archive()).unwrap().finish(b"kernel", b"preparer", |_| Ok(None)).unwrap();
    let (files, rows) = table(&p);
    assert!(rows.iter().all(|r| r.prepared == 0) && files.iter().any(|f| f.0 == "bin/sh"));
}

#[test]
fn packs_of_before_are_removed() {
    let dir = std::env::temp_dir().join(format!("xtask-packs-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("packs")).unwrap();
    std::fs::write(dir.join("packs/0123"), "old").unwrap();
    let p = packed();
    write(&p, b"kernel", &dir).unwrap();
    let mut have: Vec<String> =
        std::fs::read_dir(dir.join("packs")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let mut want: Vec<String> = p.files.iter().map(|f| f.0.clone()).collect();
    have.sort();
    want.sort();
    assert_eq!(have, want);
    assert_eq!(std::fs::read(dir.join("kernel.wasm")).unwrap(), b"kernel");
    std::fs::remove_dir_all(&dir).unwrap();
}
