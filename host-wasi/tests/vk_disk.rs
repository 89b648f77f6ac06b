//! vk with a disk: what is written stays, whatever becomes of vk.

mod vk_support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use vk_support::{Scratch, has_kernel, run, vk};

#[test]
fn files_are_there_the_next_time() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("disk");
    let disk = format!("{}::/home", s.path("home.disk"));
    let sh = |script: &str| {
        let d = run(&["run", "--disk", &disk, "sh", "-c", script]);
        assert_eq!((d.status, d.err.as_str()), (0, ""), "{script}");
        d.out
    };
    sh(
        "ls -l /home > /tmp/was; echo hello > /home/f; ln -s f /home/l; mkdir -m 700 /home/d; chown 5:6 /home/f; ln /home/f /home/d/g",
    );
    assert_eq!(sh("cat /home/l; stat -c '%a %u %g %h' /home/d/g; stat -c %a /home/d"), "hello\n644 5 6 2\n700\n");
    assert!(sh("mount").contains("diskfs on /home"));
    assert!(sh("df /home | tail -n 1").starts_with("diskfs"));
    // Many files in one directory.
    sh("mkdir /home/many; cd /home/many; seq 1 2000 | while read n; do : > file$n; done");
    assert_eq!(sh("ls /home/many | wc -l").trim(), "2000");
    let read_only = format!("{disk}:ro");
    let d = run(&["run", "--disk", &read_only, "sh", "-c", "cat /home/f; echo no > /home/f"]);
    assert_eq!(d.out, "hello\n");
    assert!(d.status != 0 && d.err.contains("Read-only file system"), "{}", d.err);
}

#[test]
fn a_disk_belongs_to_one_vk_and_is_never_formatted_over() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("disk-one");
    let disk = format!("{}::/home", s.path("home.disk"));
    let mut first =
        vk().args(["run", "--disk", &disk, "sh", "-c", "echo up; sleep 60"]).stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let d = run(&["run", "--disk", &disk, "true"]);
    assert_eq!(d.status, 125);
    assert!(d.err.contains("another vk uses it"), "{}", d.err);
    first.kill().unwrap();
    first.wait().unwrap();
    let junk = s.write("junk", b"something that somebody needs".repeat(1000));
    let d = run(&["run", "--disk", &format!("{junk}::/home"), "true"]);
    assert_eq!(d.status, 126);
    assert!(d.err.contains("/home: disk 0: holds something that isn't a file system of this kernel"), "{}", d.err);
    assert_eq!(std::fs::read(&junk).unwrap(), b"something that somebody needs".repeat(1000));
    assert_eq!(run(&["run", "--disk", &s.path("x"), "true"]).status, 125);
    assert_eq!(run(&["run", "--disk", &format!("{}::/", s.path("x")), "true"]).status, 125);
}

/// `vk` is killed in the middle of writes, again and again; what was synced is always there.
#[test]
fn what_was_synced_survives_kills() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("disk-kill");
    let disk = format!("{}::/home", s.path("home.disk"));
    let work = "n=0; [ -f /home/n ] && n=$(cat /home/n)
        while :; do n=$((n+1)); head -c $((n * 997 % 100000)) /dev/urandom > /home/new; cp /home/new /home/f$((n % 7))
        echo $n > /home/n.new; mv /home/n.new /home/n; sync; echo $n; done";
    let mut synced = 0;
    for round in 0..8u64 {
        let mut child = vk()
            .args(["run", "--disk", &disk, "sh", "-c", work])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let until = Instant::now() + Duration::from_millis(150 + 67 * round);
        for line in out.lines() {
            synced = line.unwrap().parse().unwrap_or(synced);
            if Instant::now() > until {
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let d = run(&["run", "--disk", &disk, "sh", "-c", "cat /home/n; cat /home/f* > /dev/null"]);
        let found: u64 = d.out.trim().parse().unwrap_or_else(|_| panic!("round {round}: {} {}", d.out, d.err));
        assert!(
            d.status == 0 && (synced..=synced + 1).contains(&found),
            "round {round}: synced {synced}, found {found}"
        );
    }
    assert!(synced > 8, "hardly anything was done: {synced}");
}

#[test]
fn a_full_disk_says_so() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("disk-full");
    let disk = format!("{}::/home", s.path("home.disk"));
    let fill = "head -c 1000000 /dev/zero > /home/a; head -c 9000000 /dev/zero > /home/b || echo full; wc -c < /home/a; rm /home/b; head -c 2000000 /dev/zero > /home/b && echo room";
    let d = run(&["run", "--disk", &disk, "--disk-size", "4m", "sh", "-c", fill]);
    assert_eq!((d.status, d.out.as_str()), (0, "full\n1000000\nroom\n"), "{}", d.err);
    assert!(d.err.contains("No space left on device"), "{}", d.err);
    assert!(std::fs::metadata(s.path("home.disk")).unwrap().len() <= 4 << 20);
}
