//! What `/proc` says.

use alloc::string::String;

use abi::Errno;

use super::run;
use crate::machdep::fake::Fake;

#[test]
fn a_process_sees_itself() {
    run(|sys| {
        let text = |p: &str| sys.get_file(p).map(|t| String::from_utf8(t).expect("text"));
        let pid = sys.getpid();
        assert_eq!(sys.readlink("/proc/self")?, alloc::format!("{pid}").into_bytes());
        let stat = text("/proc/self/stat")?;
        assert!(stat.starts_with(&alloc::format!("{pid} (test) R 1 ")), "{stat}");
        assert_eq!(stat.trim_end().rsplit(") ").next().map(|f| f.split(' ').count()), Some(50));
        assert!(text("/proc/self/status")?.contains("\nPPid:\t1\n"));
        assert!(text("/proc/self/cmdline")?.starts_with("/bin/test\0"));
        assert_eq!(text("/proc/self/comm")?, "test\n");
        sys.chdir("/tmp")?;
        assert_eq!(sys.readlink("/proc/self/cwd")?, b"/tmp");
        assert_eq!(sys.stat("/proc/self/cwd/../dev", 0)?, sys.stat("/dev", 0)?);
        assert!(text("/proc/self/maps")?.contains("rw-p"));
        assert_eq!(sys.get_file("/proc/99999/stat"), Err(Errno::ENOENT));
        assert_eq!(sys.put_file("/proc/new", b"", 0o644), Err(Errno::EPERM));
        Ok::<(), Errno>(())
    })
    .expect("self");
}

#[test]
fn the_kernel_describes_itself() {
    run(|sys| {
        let text = |p: &str| sys.get_file(p).map(|t| String::from_utf8(t).expect("text"));
        let mounts = text("/proc/mounts")?;
        let lines: alloc::vec::Vec<&str> = mounts.lines().collect();
        assert_eq!(lines[0], "tmpfs / tmpfs rw 0 0");
        assert!(lines.contains(&"devfs /dev devfs rw 0 0") && lines.contains(&"procfs /proc procfs rw 0 0"));
        assert!(text("/proc/meminfo")?.starts_with("MemTotal:"));
        assert_eq!(text("/proc/uptime")?.split('.').count(), 3);
        assert_eq!(text("/proc/loadavg")?.split(' ').count(), 5);
        for file in ["stat", "version", "filesystems", "cpuinfo"] {
            assert!(!text(&alloc::format!("/proc/{file}"))?.is_empty());
        }
        let names = sys.ls("/proc")?;
        assert!([&b"self"[..], b"1", b"mounts"].iter().all(|n| names.iter().any(|m| m == n)));
        Ok::<(), Errno>(())
    })
    .expect("kernel");
}

#[test]
fn others_see_less() {
    run(|sys| {
        sys.setuid(7)?;
        assert_eq!(sys.ls("/proc/1/fd").err(), Some(Errno::EACCES));
        assert_eq!(sys.readlink("/proc/1/cwd"), Err(Errno::EACCES));
        assert_eq!(sys.get_file("/proc/1/environ"), Err(Errno::EACCES));
        sys.get_file("/proc/1/stat").map(|_| ())
    })
    .expect("others");
}

/// Reading about processes while they come and go.
#[test]
fn a_process_may_go_while_it_is_read_about() {
    for seed in 0..30 {
        let vk = Fake::seeded(seed).switch_one_in(2).boot();
        let short = vk.lwp(|_| ());
        let pid = short.pid;
        let reader = vk.lwp(move |sys| {
            for file in ["stat", "status", "cmdline", "fd", "cwd", "maps"] {
                let path = alloc::format!("/proc/{pid}/{file}");
                let _ = sys.get_file(&path);
                let _ = sys.readlink(&path);
                let _ = sys.ls(&path);
            }
        });
        vk.join(short);
        vk.join(reader);
    }
}

/// One that wasn't told has one.
#[test]
fn there_are_as_many_processors_as_the_host_says() {
    for told in [None, Some(4)] {
        let vk = Fake::seeded(1).boot();
        if let Some(n) = told {
            vk.kernel.cpus.store(n, core::sync::atomic::Ordering::Relaxed);
        }
        let text = vk.init(|sys| sys.get_file("/proc/cpuinfo")).expect("cpuinfo");
        let count = String::from_utf8(text).expect("text").matches("processor\t").count();
        assert_eq!(count, told.unwrap_or(1) as usize);
    }
}
