//! What a path means on the preopened root and on other directories: `doc/decisions/0003-wasi-paths.md`.

use abi::Errno;
use abi::types::o;
use vkernel_sys::{fs, io};

use crate::harness::write_file;
use crate::rawcall::wasi;
use crate::wasi::{here, path_open, root};

crate::tests! { wasi_paths:
    from_the_root, beneath_a_directory, slash_before, relative, removing_is_careful, copied_by_the_library, by_the_library,
    links, names_with_nul,
}

const FD_READ: u64 = 2;
const FD_WRITE: u64 = 64;
const CREAT: u64 = 1;

fn content(fd: u64) -> Vec<u8> {
    let all = io::read_to_end(fd as i32).expect("read");
    io::close(fd as i32).expect("close");
    all
}
fn open(dir: u64, path: &str) -> Result<Vec<u8>, Errno> {
    path_open(dir, path, 0, FD_READ, 0).map(content)
}
/// The same name in the root directory and here, with different contents; tidied up by [`Rooted`].
struct Rooted(String);
impl Rooted {
    fn new(name: &str) -> Rooted {
        let name = format!("usertests-{}-{name}", vkernel_sys::proc::getpid());
        write_file(format!("/{name}").as_bytes(), b"root");
        Rooted(name)
    }
}
impl Drop for Rooted {
    fn drop(&mut self) {
        // A test that removes it itself has done so.
        let _ = fs::unlink(format!("/{}", self.0).as_bytes());
    }
}

/// In the root directory there is one reading only.
fn from_the_root() {
    let file = Rooted::new("plain");
    let cwd = fs::getcwd().unwrap();
    fs::chdir(b"/").unwrap();
    let r = root();
    assert_eq!(open(r, &file.0), Ok(b"root".to_vec()));
    assert_eq!(open(r, &format!("/{}", file.0)), Ok(b"root".to_vec()));
    assert_eq!(open(r, &format!("../../{}", file.0)), Ok(b"root".to_vec()));
    let deep = format!("{}/..//.{}", String::from_utf8(cwd).unwrap(), "/none");
    assert_eq!(open(r, &deep), Err(Errno::ENOENT));
}

fn beneath_a_directory() {
    fs::mkdir(b"d", 0o777).unwrap();
    write_file(b"d/in", b"in");
    write_file(b"out", b"out");
    for (link, to) in
        [(&b"d/up"[..], &b"../out"[..]), (b"d/abs", b"/tmp"), (b"d/same", b"in"), (b"d/round", b"../d/in")]
    {
        fs::symlink(to, link).unwrap();
    }
    let d = io::open(b"d", o::RDONLY, 0).unwrap() as u64;
    assert_eq!(open(d, "in"), Ok(b"in".to_vec()));
    assert_eq!(open(d, "./in"), Ok(b"in".to_vec()));
    assert_eq!(open(d, "same"), Ok(b"in".to_vec()));
    for out in ["..", "../out", "up", "abs", "round", "/", "/tmp", "./../out"] {
        assert_eq!(open(d, out), Err(Errno::ENOTCAPABLE), "{out}");
    }
    let (p, n) = (b"../made".as_ptr() as u64, 7);
    // SAFETY: these read one path.
    unsafe {
        assert_eq!(wasi("path_create_directory", &[d, p, n]), Err(Errno::ENOTCAPABLE));
        assert_eq!(wasi("path_unlink_file", &[d, b"../out".as_ptr() as u64, 6]), Err(Errno::ENOTCAPABLE));
        assert_eq!(wasi("path_symlink", &[p, n, d, b"../l".as_ptr() as u64, 4]), Err(Errno::ENOTCAPABLE));
        let old = b"in".as_ptr() as u64;
        assert_eq!(wasi("path_rename", &[d, old, 2, d, p, n]), Err(Errno::ENOTCAPABLE));
        assert_eq!(wasi("path_link", &[d, 0, old, 2, d, p, n]), Err(Errno::ENOTCAPABLE));
    }
    // A descriptor of the root itself: nothing is outside.
    let all = io::open(b"/", o::RDONLY, 0).unwrap() as u64;
    let cwd = String::from_utf8(fs::getcwd().unwrap()).unwrap();
    assert_eq!(open(all, &format!("{cwd}/d/up")), Ok(b"out".to_vec()));
    assert_eq!(open(all, &format!("../{}/out", &cwd[1..])), Ok(b"out".to_vec()));
}

/// A slash just before the path in memory: the library stepped over it.
fn slash_before() {
    let file = Rooted::new("slash");
    write_file(file.0.as_bytes(), b"here");
    let absolute = format!("/{}", file.0);
    assert_eq!(open(root(), &absolute[1..]), Ok(b"root".to_vec()));
    // To look, the other reading is tried.
    write_file(b"only-here", b"here");
    let text = "/only-here".to_string();
    assert_eq!(open(root(), &text[1..]), Ok(b"here".to_vec()));
    let text = "/none-such".to_string();
    assert_eq!(open(root(), &text[1..]), Err(Errno::ENOENT));
}

fn relative() {
    let file = Rooted::new("relative");
    write_file(file.0.as_bytes(), b"here");
    let text = format!("x{}", file.0);
    assert_eq!(open(root(), &text[1..]), Ok(b"here".to_vec()));
    assert_eq!(open(root(), &format!("./{}", file.0)), Ok(b"here".to_vec()));
    fs::unlink(file.0.as_bytes()).unwrap();
    assert_eq!(open(root(), &text[1..]), Ok(b"root".to_vec()), "to look");
    assert_eq!(open(root(), &format!("./{}", file.0)), Err(Errno::ENOENT), "what begins with a dot is relative");
    let fd = path_open(root(), &text[1..], CREAT, FD_WRITE, 0).unwrap();
    io::close(fd as i32).unwrap();
    assert!(fs::stat(file.0.as_bytes()).is_ok(), "made here");
}

/// What isn't where it was said to be is not removed elsewhere.
fn removing_is_careful() {
    let file = Rooted::new("careful");
    let text = format!("x{}", file.0);
    let unlink = |path: &str| {
        // SAFETY: one path is read.
        unsafe { wasi("path_unlink_file", &[root(), path.as_ptr() as u64, path.len() as u64]) }
    };
    assert_eq!(unlink(&text[1..]), Err(Errno::ENOENT));
    assert!(fs::stat(format!("/{}", file.0).as_bytes()).is_ok());
    write_file(b"only-here", b"");
    let absolute = "/only-here".to_string();
    assert_eq!(unlink(&absolute[1..]), Err(Errno::ENOENT));
    assert!(fs::stat(b"only-here").is_ok());
    let absolute = format!("/{}", file.0);
    assert_eq!(unlink(&absolute[1..]), Ok(()));
}

/// A heap block of its own: how a library with a working directory hands on all paths.
fn copied_by_the_library() {
    let file = Rooted::new("copied");
    let copy = file.0.clone().into_boxed_str();
    assert_eq!(open(root(), &copy), Ok(b"root".to_vec()));
    write_file(file.0.as_bytes(), b"here");
    assert_eq!(open(root(), &copy), Ok(b"here".to_vec()));
    fs::unlink(file.0.as_bytes()).unwrap();
    // A directory of the root can only be meant from there.
    let path = format!("tmp/{}", file.0).into_boxed_str();
    let fd = path_open(root(), &path, CREAT, FD_WRITE, 0).unwrap();
    io::close(fd as i32).unwrap();
    assert_eq!(fs::unlink(format!("/tmp/{}", file.0).as_bytes()), Ok(()));
}

/// Through the standard library, which calls wasi-libc.
fn by_the_library() {
    let file = Rooted::new("library");
    write_file(b"relative", b"here");
    assert_eq!(std::fs::read("relative").unwrap(), b"here");
    assert_eq!(std::fs::read(format!("/{}", file.0)).unwrap(), b"root");
    std::fs::create_dir_all("a/b").unwrap();
    std::fs::write("a/b/c", "deep").unwrap();
    assert_eq!(io::read_file(b"a/b/c").unwrap(), b"deep");
    let cwd = String::from_utf8(fs::getcwd().unwrap()).unwrap();
    std::fs::write(format!("{cwd}/absolute"), "x").unwrap();
    assert!(fs::stat(b"absolute").is_ok());
    std::fs::rename("a/b/c", format!("{cwd}/moved")).unwrap();
    assert_eq!(std::fs::read("moved").unwrap(), b"deep");
    let mut names: Vec<_> = std::fs::read_dir(&cwd).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "absolute", "moved", "relative"]);
    std::fs::remove_dir_all("a").unwrap();
    assert!(std::fs::metadata("a").is_err());
}

fn links() {
    write_file(b"f", b"x");
    let d = here();
    let call = |name: &str, args: &[u64]| {
        // SAFETY: paths are read, nothing is written.
        unsafe { wasi(name, args) }
    };
    let p = |s: &'static str| s.as_ptr() as u64;
    assert_eq!(call("path_symlink", &[p("f"), 1, d, p("l"), 1]), Ok(()));
    assert_eq!(call("path_symlink", &[p("/tmp"), 4, d, p("t"), 1]), Ok(()), "the text is the program's business");
    assert_eq!(fs::readlink(b"t").unwrap(), b"/tmp");
    assert_eq!(call("path_link", &[d, 1, p("l"), 1, d, p("h"), 1]), Ok(()));
    assert_eq!(fs::stat(b"f").unwrap().nlink, 2);
    let mut buf = [0xeeu8; 4];
    let mut used = 0u32;
    let mut read = |size: u64| {
        // SAFETY: `size` is at most the buffer's.
        let r =
            unsafe { wasi("path_readlink", &[d, p("t"), 1, buf.as_mut_ptr() as u64, size, (&raw mut used) as u64]) };
        (r, std::hint::black_box(used), std::hint::black_box(buf))
    };
    assert_eq!(read(2), (Ok(()), 2, [b'/', b't', 0xee, 0xee]));
    assert_eq!(read(4), (Ok(()), 4, *b"/tmp"));
    assert_eq!(call("path_remove_directory", &[d, p("f"), 1]), Err(Errno::ENOTDIR));
    assert_eq!(call("path_create_directory", &[d, p("sub"), 3]), Ok(()));
    assert_eq!(call("path_unlink_file", &[d, p("sub"), 3]), Err(Errno::EISDIR));
    assert_eq!(call("path_remove_directory", &[d, p("sub"), 3]), Ok(()));
    assert_eq!(call("path_rename", &[d, p("f"), 1, d, p("g"), 1]), Ok(()));
    assert_eq!(call("path_rename", &[d, p("f"), 1, d, p("g"), 1]), Err(Errno::ENOENT));
}

fn names_with_nul() {
    let d = here();
    for name in ["a\0b", "\0", "f\0"] {
        assert_eq!(open(d, name), Err(Errno::EINVAL));
        assert_eq!(path_open(d, name, CREAT, FD_WRITE, 0), Err(Errno::EINVAL));
        assert_eq!(open(root(), name), Err(Errno::EINVAL));
    }
    assert_eq!(open(d, ""), Err(Errno::ENOENT));
    assert!(fs::read_dir(b".").unwrap().is_empty());
}
