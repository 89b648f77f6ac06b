//! exec(2) and spawn: what a program becomes, what it keeps, and that a failure changes nothing.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use abi::trapframe::Reason;
use abi::types::{o, sig, spawn, wait};

use super::seeds;
use crate::kern::exec::load;
use crate::machdep::fake::{Fake, Reg, Request, Sys};
use crate::vfs::lookup::{At, namei};

fn exit_with_argc(sys: &Sys) -> i32 {
    sys.argv().len() as i32
}

/// Says its arguments on descriptor 1.
fn echo(sys: &Sys) -> i32 {
    let line = sys.argv()[1..].join(" ");
    sys.write(1, line.as_bytes()).map_or(1, |_| 0)
}

#[test]
fn exec_replaces_the_program_and_keeps_the_process() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed)
            .program("argc", exit_with_argc)
            .program("exec", |sys| {
                let me = sys.getpid();
                let r = Request::new("/bin/check").arg(&alloc::format!("{me}"));
                sys.exec(&r).map_or_else(|e| e as i32, |()| 0)
            })
            .program("check", |sys| {
                assert_eq!(sys.argv()[1], alloc::format!("{}", sys.getpid()));
                assert_eq!(sys.peek(abi::syscalls::UAddr(0), 2048), [0; 2048], "memory is fresh");
                sys.exec(&Request::new("/bin/argc").arg("2").arg("3")).map_or_else(|e| e as i32, |()| 0)
            })
            .boot();
        let end = vk.init(|sys| {
            let pid = sys.spawn(&Request::new("/bin/exec"))?;
            sys.waitpid(pid)
        });
        assert_eq!(end, Ok(wait::exited(3)), "seed {seed}");
    });
}

#[test]
fn a_failed_exec_leaves_the_process_as_it_was() {
    let vk = Fake::seeded(1)
        .program("argc", exit_with_argc)
        .file_mode("bin/text", b"no program", 0o755)
        .file_mode("bin/script", b"#!/bin/missing\n", 0o755)
        .file_mode("bin/loop", b"#!/bin/loop\n", 0o755)
        .file("bin/private", b"#image argc\n")
        .boot();
    let h = vk.lwp(|sys| {
        let fd = sys.open("/tmp", o::DIRECTORY | o::CLOEXEC, 0).expect("open");
        let own = sys.alloc(8);
        sys.poke(own, b"precious");
        for (path, error) in [
            ("/bin/nonesuch", Errno::ENOENT),
            ("/bin/argc/x", Errno::ENOTDIR),
            ("", Errno::ENOENT),
            ("/bin", Errno::EACCES),
            ("/bin/private", Errno::EACCES),
            ("/bin/text", Errno::ENOEXEC),
            ("/bin/script", Errno::ENOENT),
            ("/bin/loop", Errno::ELOOP),
        ] {
            assert_eq!(sys.exec(&Request::new(path)), Err(error), "exec {path}");
            assert_eq!(sys.spawn(&Request::new(path)), Err(error), "spawn {path}");
        }
        assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD), "a failed spawn leaves no child");
        assert_eq!(sys.peek(own, 8), b"precious");
        assert!(sys.fstat(fd).is_ok(), "close-on-exec comes after the point of no return");
        assert_eq!(sys.call("exec", &[sys.wild().reg(), 64]), Err(Errno::EFAULT));
        assert_eq!(sys.call("exec", &[own.reg(), 0xffff_ffff]), Err(Errno::E2BIG));
        assert_eq!(sys.call("exec", &[own.reg(), 3]), Err(Errno::EINVAL));
        assert_eq!(sys.call("spawn", &[own.reg(), 3]), Err(Errno::EINVAL));
    });
    vk.join(h);
}

#[test]
fn scripts_run_their_interpreter() {
    let vk = Fake::seeded(1)
        .program("echo", echo)
        .file_mode("bin/say", b"#!/bin/echo -x  y \nrest", 0o755)
        .file_mode("bin/again", b"#! /bin/say", 0o755)
        .boot();
    let h = vk.lwp(|sys| {
        let (r, w) = sys.pipe2(0).expect("pipe");
        for (path, want) in [("/bin/say", "-x  y /bin/say a b"), ("/bin/again", "-x  y /bin/say /bin/again a b")] {
            let pid = sys.spawn(&Request::new(path).arg("a").arg("b").dup2(w, 1)).expect("spawn");
            assert_eq!(sys.waitpid(pid), Ok(0));
            let got = sys.read(r, 100).expect("read");
            assert_eq!(String::from_utf8_lossy(&got), want);
        }
    });
    vk.join(h);
}

#[test]
fn a_name_without_a_slash_is_looked_for_in_path() {
    let vk = Fake::seeded(1)
        .program("argc", exit_with_argc)
        .dir("opt")
        .file("opt/argc", b"not executable")
        .file_mode("opt/other", b"#image argc\n", 0o755)
        .boot();
    let h = vk.lwp(|sys| {
        let find = |name: &str, path: &str| {
            let r = Request::new(name).flags(spawn::SEARCH_PATH).env(&alloc::format!("PATH={path}"));
            let pid = sys.spawn(&r)?;
            sys.waitpid(pid)
        };
        assert_eq!(find("argc", "/nowhere:/opt:/bin"), Ok(wait::exited(1)));
        assert_eq!(find("other", "/bin:/opt"), Ok(wait::exited(1)));
        assert_eq!(find("other", "/bin"), Err(Errno::ENOENT));
        assert_eq!(find("argc", "/opt"), Err(Errno::EACCES));
        sys.chdir("/opt").expect("chdir");
        assert_eq!(find("other", ":/bin"), Ok(wait::exited(1)));
    });
    vk.join(h);
}

#[test]
fn file_actions_happen_in_order_in_the_child_only() {
    let vk = Fake::seeded(1).program("echo", echo).boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/d", 0o755).expect("mkdir");
        let before: Vec<bool> = (0..20).map(|fd| sys.fstat(fd).is_ok()).collect();
        let write = o::WRONLY | o::CREAT | o::TRUNC;
        let r = Request::new("/bin/echo").arg("one").chdir("/tmp/d").open(5, "out", write, 0o640).dup2(5, 1).close(5);
        let pid = sys.spawn(&r).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(0));
        assert_eq!(sys.get_file("/tmp/d/out"), Ok(b"one".to_vec()));
        assert_eq!(sys.stat("/tmp/d/out", 0).map(|s| s.mode & 0o777), Ok(0o640));
        assert_eq!(sys.getcwd(), Ok(b"/".to_vec()));
        assert_eq!((0..20).map(|fd| sys.fstat(fd).is_ok()).collect::<Vec<_>>(), before);
        let d = sys.open("/tmp/d", o::DIRECTORY, 0).expect("open");
        let r = Request::new("/bin/echo").arg("two").fchdir(d).open(1, "out2", write, 0o600);
        let pid = sys.spawn(&r).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(0));
        assert_eq!(sys.get_file("/tmp/d/out2"), Ok(b"two".to_vec()));
        // A relative path of the program is looked up after the actions, as posix_spawn(3) has it.
        let r = Request::new("echo").chdir("/bin").close(19);
        let pid = sys.spawn(&r).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(0));
        for bad in [
            Request::new("/bin/echo").dup2(19, 1),
            Request::new("/bin/echo").dup2(0, -1),
            Request::new("/bin/echo").fchdir(19),
        ] {
            assert_eq!(sys.spawn(&bad), Err(Errno::EBADF));
        }
        assert_eq!(sys.spawn(&Request::new("/bin/echo").open(1, "/none/x", write, 0)), Err(Errno::ENOENT));
        assert_eq!(sys.spawn(&Request::new("/bin/echo").chdir("/bin/echo")), Err(Errno::ENOTDIR));
        assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
    });
    vk.join(h);
}

#[test]
fn a_program_may_change_its_own_file_and_the_next_exec_sees_it() {
    let vk = Fake::seeded(1).program("one", |_| 1).program("two", |_| 2).boot();
    vk.init(|sys| {
        let run = |sys: &Sys| {
            let pid = sys.spawn(&Request::new("/tmp/prog")).expect("spawn");
            sys.waitpid(pid)
        };
        sys.put_file("/tmp/prog", b"#image one\n", 0o755).expect("write");
        assert_eq!(run(sys), Ok(wait::exited(1)));
        assert_eq!(run(sys), Ok(wait::exited(1)));
        sys.put_file("/tmp/prog", b"#image two\n", 0o755).expect("write");
        assert_eq!(run(sys), Ok(wait::exited(2)));
        sys.unlink("/tmp/prog").expect("unlink");
    });
    // The image of the unlinked file went with it: only those of /bin are left.
    let images = vk.machine.world().images.values().cloned().collect::<Vec<_>>();
    assert!(!images.contains(&"one".into()) && !images.contains(&"two".into()), "{images:?}");
}

#[test]
fn a_file_that_is_open_to_be_written_is_no_program() {
    let vk = Fake::seeded(1).program("one", |_| 1).boot();
    vk.init(|sys| {
        let run = |sys: &Sys| sys.spawn(&Request::new("/tmp/prog")).map(|pid| sys.waitpid(pid).expect("wait"));
        sys.put_file("/tmp/prog", b"#image one\n", 0o755).expect("write");
        let reader = sys.open("/tmp/prog", o::RDONLY, 0).expect("open");
        assert_eq!(run(sys), Ok(wait::exited(1)));
        let writer = sys.open("/tmp/prog", o::WRONLY, 0).expect("open");
        let copy = sys.dup(writer).expect("dup");
        for fd in [writer, copy] {
            assert_eq!(run(sys), Err(Errno::ETXTBSY));
            assert_eq!(sys.exec(&Request::new("/tmp/prog")), Err(Errno::ETXTBSY));
            sys.close(fd).expect("close");
        }
        assert_eq!(run(sys), Ok(wait::exited(1)));
        sys.close(reader).expect("close");
        sys.unlink("/tmp/prog").expect("unlink");
    });
}

/// Many processes exec one file at once: one of them compiles, all run.
#[test]
fn a_crowd_starts_the_same_program() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).program("argc", exit_with_argc).boot();
        vk.init(|sys| sys.put_file("/tmp/prog", b"#image argc\n", 0o755)).expect("write");
        let crowd = [1, 2, 3].map(|_| vk.lwp(|sys| sys.exec(&Request::new("/tmp/prog").arg("x"))));
        for h in crowd {
            assert_eq!(vk.end(h).1, wait::exited(2), "seed {seed}");
        }
        vk.init(|sys| sys.unlink("/tmp/prog")).expect("unlink");
        let images = vk.machine.world().images.values().filter(|n| *n == "argc").count();
        assert_eq!(images, 0, "seed {seed}: images are left");
    });
}

#[test]
fn set_user_id_programs_change_the_effective_user() {
    let vk = Fake::seeded(1)
        .program("ids", |sys| {
            let (uid, euid) = (sys.call("getuid", &[]), sys.call("geteuid", &[]));
            (uid.unwrap_or(0) / 100 * 10 + euid.unwrap_or(0) / 100) as i32
        })
        .boot();
    let h = vk.lwp(|sys| {
        sys.put_file("/tmp/ids", b"#image ids\n", 0o755).expect("write");
        sys.chown("/tmp/ids", 300, 300).expect("chown");
        sys.chmod("/tmp/ids", 0o4755).expect("chmod");
        sys.setuid(200).expect("setuid");
        let pid = sys.spawn(&Request::new("/tmp/ids")).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(wait::exited(23)));
        let pid = sys.spawn(&Request::new("/bin/ids")).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(wait::exited(22)));
    });
    vk.join(h);
}

#[test]
fn without_set_user_id_the_saved_user_follows_all_the_same() {
    let vk = Fake::seeded(1).program("back", |sys| sys.call("seteuid", &[0]).is_ok() as i32).boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/m", 0o755).expect("mkdir");
        let (kind, path) = (sys.alloc(5), sys.alloc(6));
        sys.poke(kind, b"tmpfs");
        sys.poke(path, b"/tmp/m");
        let nosuid = abi::types::mnt::NOSUID as u64;
        sys.call("mount", &[kind.0 as u64, 5, path.0 as u64, 6, nosuid]).expect("mount");
        sys.put_file("/tmp/m/back", b"#image back\n", 0o755).expect("write");
        sys.chmod("/tmp/m/back", 0o4755).expect("chmod");
        sys.call("setresuid", &[7, 8, 0]).expect("setresuid");
        let pid = sys.spawn(&Request::new("/tmp/m/back")).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(wait::exited(0)));
    });
    vk.join(h);
}

#[test]
fn an_image_that_cannot_be_set_up_kills_the_process() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| sys.fault(Reason::ExecFailed));
    assert_eq!(vk.end::<()>(h).1, wait::signaled(sig::KILL));
    assert!(vk.console().contains("test: cannot be started"), "{}", vk.console());
}

#[test]
fn what_was_compiled_of_a_file_that_changed_meanwhile_is_not_kept() {
    let vk = Fake::seeded(1).program("argc", exit_with_argc).boot();
    let h = vk.lwp(|sys| {
        sys.put_file("/tmp/p", b"#image argc\n", 0o755).expect("write");
        let vp = namei(&sys.lp, &At::cwd(b"/tmp/p")).expect("namei");
        let loaded = load(&sys.lp, b"/bin/argc", Default::default(), Default::default()).expect("load");
        let image = loaded.program.image.expect("image");
        let since = vp.head().compiling();
        sys.put_file("/tmp/p", b"#image none\n", 0o755).expect("write");
        vp.head().set_image(image.clone(), since);
        assert!(vp.head().image().is_none());
        vp.head().set_image(image, vp.head().compiling());
        assert!(vp.head().image().is_some());
        sys.put_file("/tmp/p", b"#image none\n", 0o755).expect("write");
        assert!(vp.head().image().is_none());
    });
    vk.join(h);
}
