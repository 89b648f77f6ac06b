//! Core dumps: who leaves one, what is in it, and what becomes of it when something is in the way.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::Errno;
use abi::trapframe::Reason;
use abi::types::{mode, rlimit, sig, wait};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys};

const SECRET: &[u8] = b"the string in its memory";
const FREE: u64 = 1 << 30;

/// A module taken apart.
#[derive(Debug)]
struct Core {
    sections: Vec<(String, Vec<u8>)>,
    data: Vec<(usize, Vec<u8>)>,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }
    fn number(&mut self) -> usize {
        let mut value = 0;
        for at in 0.. {
            let byte = self.take(1)[0];
            value |= (byte as u64 & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value as u32 as usize
    }
    fn name(&mut self) -> String {
        let len = self.number();
        String::from_utf8_lossy(self.take(len)).to_string()
    }
}

/// Panics where it isn't whole.
fn parse(file: &[u8]) -> Core {
    let mut file = Bytes(file);
    assert_eq!(file.take(8), b"\0asm\x01\0\0\0");
    let mut core = Core { sections: Vec::new(), data: Vec::new() };
    while !file.0.is_empty() {
        let (id, len) = (file.take(1)[0], file.number());
        let mut section = Bytes(file.take(len));
        match id {
            0 => core.sections.push((section.name(), section.0.to_vec())),
            5 => assert_eq!(section.take(2), [1, 0]),
            11 => {
                for _ in 0..section.number() {
                    assert_eq!(section.take(2), [0, 0x41]);
                    let at = section.number();
                    assert_eq!(section.take(1), [0x0b]);
                    let len = section.number();
                    core.data.push((at, section.take(len).to_vec()));
                }
                assert_eq!(section.0, b"");
            }
            other => panic!("section {other}"),
        }
    }
    core
}

impl Core {
    fn section(&self, name: &str) -> &[u8] {
        &self.sections.iter().find(|s| s.0 == name).expect(name).1
    }
    fn holds(&self, text: &[u8]) -> bool {
        self.data.iter().any(|d| d.1.windows(text.len()).any(|w| w == text))
    }
}

/// Leaves a core dump of at most so many bytes, if nothing is in the way.
fn crash(sys: &Sys, limit: u64) -> ! {
    sys.setrlimit(rlimit::CORE, limit, FREE).expect("setrlimit");
    let at = sys.alloc(SECRET.len());
    sys.poke(at, SECRET);
    sys.fault(Reason::DivideByZero)
}

fn programs(seed: u64) -> Fake {
    Fake::seeded(seed)
        .program("crash", |sys| crash(sys, FREE))
        .program("small", |sys| crash(sys, 2000))
        .program("tiny", |sys| crash(sys, 100))
        .program("none", |sys| crash(sys, 0))
        .program("changed", |sys| {
            sys.setuid(7).expect("setuid");
            crash(sys, FREE)
        })
        .program("large", |sys| {
            sys.setrlimit(rlimit::CORE, FREE, FREE).expect("setrlimit");
            assert!(sys.try_grow(41 << 16));
            for page in 0..sys.memory_size() as u32 >> 16 {
                sys.poke(abi::syscalls::UAddr((page << 16) + 5000), SECRET);
            }
            sys.fault(Reason::Unreachable)
        })
        .program("waits", |sys| {
            sys.setrlimit(rlimit::CORE, FREE, FREE).expect("setrlimit");
            sys.nanosleep(u64::MAX).map_or(1, |()| 0)
        })
}

fn end(sys: &Sys, name: &str) -> u32 {
    let pid = sys.spawn(&Request::new(&alloc::format!("/bin/{name}")).chdir("/tmp")).expect("spawn");
    sys.waitpid(pid).expect("wait")
}

#[test]
fn a_fault_leaves_a_module_with_the_stack_and_the_memory() {
    let vk = programs(1).boot();
    vk.init(|sys| {
        assert_eq!(end(sys, "crash"), wait::signaled(sig::FPE) | wait::CORE);
        let stat = sys.stat("/tmp/core", 0).expect("stat");
        assert_eq!((stat.mode, stat.uid), (mode::IFREG | 0o600, 0));
        let core = parse(&sys.get_file("/tmp/core").expect("core"));
        assert_eq!(core.section("core"), b"\0\x05crash");
        assert_eq!(core.section("coremodules"), b"\x01\0\x05crash");
        assert_eq!(core.section("coreinstances"), [1, 0, 0, 1, 0, 0]);
        // Functions 7 and 300.
        assert_eq!(core.section("corestack"), b"\0\x04main\x02\0\0\x07\0\0\0\0\0\xac\x02\0\0\0");
        let about = String::from_utf8_lossy(core.section("vkernel.process")).to_string();
        assert!(about.contains("signal 8 FPE\ncause integer division by zero\n"), "{about}");
        assert!(core.holds(SECRET));
        // Another takes its place.
        assert_eq!(end(sys, "large"), wait::signaled(sig::ILL) | wait::CORE);
        let core = parse(&sys.get_file("/tmp/core").expect("core"));
        assert_eq!(core.section("core"), b"\0\x05large");
        assert_eq!(core.data.len(), 41);
    });
}

#[test]
fn who_was_not_asked_for_one_leaves_none() {
    let vk = programs(2).boot();
    vk.init(|sys| {
        // What has changed its user could make a file there.
        sys.chmod("/tmp", 0o1777).expect("chmod");
        for name in ["none", "changed", "tiny"] {
            assert_eq!(end(sys, name), wait::signaled(sig::FPE), "{name}");
            assert_eq!(sys.stat("/tmp/core", 0).err(), Some(Errno::ENOENT));
        }
        for (signal, dumped) in [(sig::TERM, 0), (sig::KILL, 0), (sig::QUIT, wait::CORE), (sig::XCPU, wait::CORE)] {
            let pid = sys.spawn(&Request::new("/bin/waits").chdir("/tmp")).expect("spawn");
            sys.nanosleep(1_000_000).expect("sleep");
            sys.kill(pid, signal).expect("kill");
            assert_eq!(sys.waitpid(pid), Ok(signal | dumped));
        }
        assert_eq!(parse(&sys.get_file("/tmp/core").expect("core")).section("core"), b"\0\x05waits");
    });
}

#[test]
fn who_may_run_a_program_and_not_read_it_has_no_dump_of_it_either() {
    let vk = programs(8)
        .program("user", |sys| {
            sys.setuid(7).expect("setuid");
            let status = end(sys, "crash");
            sys.exit((status & wait::CORE != 0) as i32)
        })
        .boot();
    vk.init(|sys| {
        sys.chmod("/tmp", 0o1777).expect("chmod");
        for (mode, dumped) in [(0o755, 1), (0o711, 0)] {
            sys.chmod("/bin/crash", mode).expect("chmod");
            assert_eq!(end(sys, "user"), wait::exited(dumped), "{mode:o}");
        }
        // Root reads everything.
        sys.unlink("/tmp/core").expect("unlink");
        assert_eq!(end(sys, "crash"), wait::signaled(sig::FPE) | wait::CORE);
    });
}

#[test]
fn the_limit_and_a_full_disk_cut_memory_off_and_the_module_stays_whole() {
    let vk = programs(3).boot();
    vk.init(|sys| {
        assert_eq!(end(sys, "small"), wait::signaled(sig::FPE) | wait::CORE);
        let file = sys.get_file("/tmp/core").expect("core");
        assert_eq!(file.len(), 2000);
        assert_eq!(parse(&file).data.len(), 1);
    });
    let vk = programs(4).tmpfs_size(100 << 10).boot();
    vk.init(|sys| {
        assert_eq!(end(sys, "large"), wait::signaled(sig::ILL) | wait::CORE);
        let core = parse(&sys.get_file("/tmp/core").expect("core"));
        assert!((1..41).contains(&core.data.len()), "{}", core.data.len());
    });
}

#[test]
fn it_goes_into_a_file_of_its_own_alone() {
    let vk = programs(5).dir("/locked").boot();
    vk.init(|sys| {
        sys.put_file("/tmp/precious", b"kept", 0o600).expect("file");
        let lost = |sys: &Sys, why: &str| {
            assert_eq!(end(sys, "crash"), wait::signaled(sig::FPE), "{why}");
            assert_eq!(sys.get_file("/tmp/precious"), Ok(b"kept".to_vec()), "{why}");
            sys.unlink("/tmp/core").expect("unlink");
        };
        sys.symlink("precious", "/tmp/core").expect("symlink");
        lost(sys, "a symbolic link");
        sys.link("/tmp/precious", "/tmp/core").expect("link");
        lost(sys, "a file with another name");
        sys.put_file("/tmp/core", b"", 0o644).expect("file");
        lost(sys, "a file that others can read");
        sys.put_file("/tmp/core", b"", 0o600).expect("file");
        sys.chown("/tmp/core", 5, 5).expect("chown");
        lost(sys, "a file of another user");
        sys.mkdir("/tmp/core", 0o700).expect("mkdir");
        assert_eq!(end(sys, "crash"), wait::signaled(sig::FPE), "a directory");
        sys.rmdir("/tmp/core").expect("rmdir");
        assert_eq!(end(sys, "crash"), wait::signaled(sig::FPE) | wait::CORE);
    });
    let user = vk.lwp(|sys| {
        sys.setuid(5).expect("setuid");
        let pid = sys.spawn(&Request::new("/bin/crash").chdir("/locked")).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(wait::signaled(sig::FPE)));
        assert_eq!(sys.stat("/locked/core", 0).err(), Some(Errno::ENOENT));
    });
    vk.join(user);
}

#[test]
fn a_kill_ends_a_dump_and_what_it_leaves_is_whole_or_empty() {
    seeds(0..60, |seed| {
        let vk = programs(seed).host_dir("/host").boot();
        let dir = if seed % 2 == 0 { "/tmp" } else { "/host" };
        let pid = vk.init(move |sys| sys.spawn(&Request::new("/bin/large").chdir(dir)).expect("spawn"));
        vk.run_points(seed * 11);
        vk.init(move |sys| {
            sys.kill(pid, sig::KILL).expect("kill");
            let status = sys.waitpid(pid).expect("wait");
            let file = sys.get_file(alloc::format!("{dir}/core")).unwrap_or_default();
            match status {
                s if s == wait::signaled(sig::ILL) | wait::CORE => assert_eq!(parse(&file).data.len(), 41),
                s if s == wait::signaled(sig::ILL) || s == wait::signaled(sig::KILL) => assert_eq!(file, b""),
                other => panic!("{other:#x}"),
            }
        });
    });
}

/// One that has run nothing yet has no memory that could be looked at.
#[test]
fn a_quit_meets_a_beginning_process() {
    races(0..200, |seed| {
        let vk = programs(seed).boot();
        let status = vk.init(|sys| {
            sys.setrlimit(rlimit::CORE, FREE, FREE).expect("setrlimit");
            let pid = sys.spawn(&Request::new("/bin/waits").chdir("/tmp")).expect("spawn");
            sys.kill(pid, sig::QUIT).expect("kill");
            sys.waitpid(pid).expect("wait")
        });
        assert_eq!(status & !wait::CORE, sig::QUIT);
    });
}

#[test]
fn a_host_that_fails_fails_the_dump_alone() {
    for nth in (1..400).step_by(3) {
        let vk = programs(nth).host_dir("/host").boot();
        vk.fail_nth_hypercall(nth);
        // Not even pid 1 may live; what counts is that the kernel does.
        let _ = vk.try_init(|sys| {
            let Ok(pid) = sys.spawn(&Request::new("/bin/crash").chdir("/host")) else { return };
            let _ = sys.waitpid(pid);
            let file = sys.get_file("/host/core").unwrap_or_default();
            if !file.is_empty() {
                parse(&file);
            }
        });
        vk.heal();
    }
}
