//! Plans made of command lines.

use super::*;
use clap::Parser;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().canonicalize().unwrap().join(format!("vk-plan-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("tree/sub")).unwrap();
        std::fs::write(dir.join("prog.wasm"), b"\0asm").unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn try_plan(cwd: &Path, args: &[&str]) -> Result<Plan, Failure> {
    let cli = Cli::try_parse_from(["vk"].iter().chain(args)).expect("good arguments");
    let var: fn(&OsStr) -> Option<OsString> = |name| match name.to_str()? {
        "TERM" => Some("xterm".into()),
        "SECRET" => Some("s3cret".into()),
        _ => None,
    };
    let here = Here { cwd: cwd.to_path_buf(), var, stdin_is_terminal: true };
    plan(&cli, &here, || Ok(BootImage::empty()))
}

fn made(cwd: &Path, args: &[&str]) -> Plan {
    try_plan(cwd, args).map_err(|f| f.message).expect("a plan")
}

fn failure(cwd: &Path, args: &[&str]) -> (u8, String) {
    let f = try_plan(cwd, args).err().expect("a failure");
    (f.status, f.message)
}

fn env(plan: &Plan) -> Vec<String> {
    plan.boot.env.iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

#[test]
fn alone_it_boots_init() {
    let p = made(Path::new("/"), &["--procs", "7", "--memory", "64m"]);
    assert_eq!(p.boot.program, Program::Path(b"init".to_vec()));
    assert!(p.boot.init && p.boot.max_procs == Some(7) && p.host_program.is_none());
    assert_eq!(p.boot.limits, [(abi::types::rlimit::AS, 64 << 20)]);
}

#[test]
fn a_name_is_of_the_image_a_path_of_the_host() {
    let s = Scratch::new("program");
    let p = made(&s.0, &["run", "ls", "-l"]);
    assert_eq!(p.boot.program, Program::Path(b"ls".to_vec()));
    assert_eq!(p.boot.args, [b"ls".to_vec(), b"-l".to_vec()]);
    let path = s.0.join("prog.wasm");
    let p = made(&s.0, &["run", "--argv0", "me", path.to_str().unwrap(), "x"]);
    let Program::Blob(blob, name) = p.boot.program else { panic!("{:?}", p.boot.program) };
    assert_eq!((&*p.image.bytes(blob).unwrap(), &name[..]), (&b"\0asm"[..], &b"prog.wasm"[..]));
    assert_eq!(p.boot.args, [b"me".to_vec(), b"x".to_vec()]);
    assert_eq!(p.host_program, Some((blob, 4)));
}

#[test]
fn a_program_that_is_not_there_says_what_to_do() {
    let (status, text) = failure(Path::new("/"), &["run", "nowhere.wasm"]);
    assert_eq!(status, 127);
    assert!(text.starts_with("nowhere.wasm: no such file (give a path"), "{text}");
    assert_eq!(failure(Path::new("/"), &["run", "/nowhere/x"]).0, 127);
    assert_eq!(failure(Path::new("/"), &["run", "/tmp/"]).0, 126);
    assert_eq!(failure(Path::new("/"), &["run", ""]).0, 127);
    let s = Scratch::new("script");
    std::fs::write(s.0.join("x.sh"), "#!/bin/sh\n").unwrap();
    let (status, text) = failure(&s.0, &["run", s.0.join("x.sh").to_str().unwrap()]);
    assert!(status == 126 && text.contains("is a script; share its directory"), "{text}");
}

#[test]
fn directories_are_in_the_same_place_unless_said_otherwise() {
    let s = Scratch::new("dirs");
    let here = s.0.to_str().unwrap();
    let guests =
        |p: &Plan| -> Vec<String> { p.shares.iter().map(|d| String::from_utf8_lossy(&d.guest).into_owned()).collect() };
    let p = made(&s.0, &["run", "--dir", "tree", "--dir", "tree/sub::/a//b/./:ro", "ls"]);
    assert_eq!(guests(&p), ["/a/b".to_string(), format!("{here}/tree")]);
    assert!(p.shares[0].read_only && !p.shares[1].read_only);
    let p = made(&s.0.join("tree"), &["run", "--dir", "../tree", "ls"]);
    assert_eq!(guests(&p), [format!("{here}/tree")]);
    let p = made(&s.0, &["run", "--dir", "tree::/x/y", "--dir", ".::/", "ls"]);
    assert_eq!(guests(&p), ["/", "/x/y"], "the root is mounted first");
}

#[test]
fn it_starts_where_we_are_if_that_is_shared() {
    let s = Scratch::new("workdir");
    let workdir = |cwd: &Path, args: &[&str]| {
        let p = made(cwd, &[&["run"], args, &["ls"]].concat());
        String::from_utf8(p.boot.workdir.unwrap()).unwrap()
    };
    let sub = s.0.join("tree/sub");
    assert_eq!(workdir(&sub, &[]), "/");
    assert_eq!(workdir(&sub, &["--dir", "."]), sub.to_str().unwrap());
    assert_eq!(workdir(&sub, &["--dir", "..::/"]), "/sub");
    assert_eq!(workdir(&sub, &["--dir", "..::/t", "--dir", ".::/inner"]), "/inner", "the innermost");
    assert_eq!(workdir(&s.0, &["--dir", "tree::/t"]), "/");
    assert_eq!(workdir(&sub, &["--dir", ".", "--workdir", "/etc/"]), "/etc");
    assert_eq!(env(&made(&sub, &["run", "--dir", ".::/w", "ls"])).last().unwrap(), "PWD=/w");
}

#[test]
fn directories_that_cannot_be_shared() {
    let s = Scratch::new("baddirs");
    let (status, text) = failure(&s.0, &["run", "--dir", "none", "ls"]);
    assert_eq!((status, &*text), (125, "--dir none: no such directory"));
    let (status, text) = failure(&s.0, &["run", "--dir", "prog.wasm", "ls"]);
    assert!(status == 125 && text.contains("not a directory"), "{text}");
    let (status, text) = failure(&s.0, &["run", "--dir", "tree::/x", "--dir", ".::/x/", "ls"]);
    assert!(status == 125 && text.contains("two directories for /x"), "{text}");
}

#[test]
fn nothing_of_our_environment_leaks() {
    let p = made(Path::new("/"), &["run", "ls"]);
    assert_eq!(env(&p), ["PATH=/bin:/usr/bin:/sbin", "HOME=/root", "TERM=xterm", "PWD=/"]);
    let p = made(Path::new("/"), &["run", "--env", "SECRET", "--env", "NONE", "--env", "HOME=/h", "--env=A=", "ls"]);
    assert_eq!(env(&p), ["PATH=/bin:/usr/bin:/sbin", "TERM=xterm", "PWD=/", "SECRET=s3cret", "HOME=/h", "A="]);
}

#[test]
fn an_image_that_is_none() {
    let s = Scratch::new("image");
    std::fs::write(s.0.join("i.tar"), [b'x'; 2000]).unwrap();
    let path = s.0.join("i.tar");
    let (status, text) = failure(&s.0, &["run", "--image", path.to_str().unwrap(), "ls"]);
    assert!(status == 125 && text.contains("i.tar: not a tar archive; vk boots from"), "{text}");
    let (status, text) = failure(&s.0, &["--image", "/nowhere"]);
    assert_eq!((status, &*text), (125, "--image /nowhere: No such file or directory"));
}

#[test]
fn the_total_holds_for_the_kernel_too() {
    let memory = |args: &[&str]| made(Path::new("/"), args).boot.kernel_memory;
    assert_eq!(memory(&["run", "ls"]), None);
    assert_eq!(memory(&["run", "--total-memory", "64m", "ls"]), Some(64 << 20));
    assert_eq!(memory(&["run", "--total-memory", "1m", "ls"]), Some(KERNEL_MEMORY_MIN));
}
