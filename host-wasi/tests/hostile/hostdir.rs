//! A shared directory is all of the host that a program gets to see, whatever is done to it meanwhile.

use super::vk_support::{Scratch, has_kernel, run};
use super::{alone, host, status, wasm};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A directory to share, and beside it what nobody may touch.
fn scene(name: &str) -> Scratch {
    let s = Scratch::new(name);
    s.write("outside/canary", "SECRET");
    s.write("share/real/canary", "harmless");
    s.write("share/file", "content\n");
    for (link, target) in [
        ("up", "../outside"),
        ("upup", "../../../../../../../../../../etc"),
        ("through", "real/../../outside"),
        ("slashes", "./..//.//../outside/canary"),
    ] {
        symlink(target, s.0.join("share").join(link)).expect("a link");
    }
    symlink(s.0.join("outside"), s.0.join("share/absolute")).expect("a link");
    symlink(s.0.join("outside/canary"), s.0.join("share/abs-file")).expect("a link");
    symlink("absolute", s.0.join("share/chain")).expect("a link");
    symlink("loop", s.0.join("share/loop")).expect("a link");
    s
}

fn untouched(s: &Scratch) {
    let names: Vec<_> =
        std::fs::read_dir(s.0.join("outside")).expect("is there").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(names, ["canary"]);
    assert_eq!(std::fs::read(s.0.join("outside/canary")).expect("is there"), b"SECRET");
}

#[test]
fn no_path_leads_out_of_a_shared_directory() {
    if !has_kernel() {
        return;
    }
    let s = scene("escape");
    let share = format!("{}::/h", s.path("share"));
    // Reading, writing, making, listing, removing, renaming, linking, by every way out.
    let script = r#"cd /h
        for d in up through absolute chain real/../.. .. ./../outside real/../../outside up/../outside upup; do
            cat $d/canary $d/passwd; cat < $d/canary
            echo x > $d/new; echo x >> $d/canary; mkdir $d/dir; ls $d/; rm -f $d/canary
            cp file $d/copied; mv $d/canary taken; ln $d/canary hard; ln -s x $d/soft; touch $d/canary; chmod 777 $d/canary
        done
        cat slashes abs-file loop/x; echo y > abs-file; truncate -s 0 slashes
        ls / ; cat file; echo end"#;
    let d = run(&["run", "--timeout", "60", "--dir", &share, "sh", "-c", script]);
    assert!(d.out.ends_with("content\nend\n"), "{}\n{}", d.out, d.err);
    for secret in ["SECRET", "root:x:0:0:root:/root:/bin/bash"] {
        assert!(!d.out.contains(secret), "{}", d.out);
    }
    untouched(&s);
}

#[test]
fn a_share_that_is_read_only_stays_as_it_is() {
    if !has_kernel() {
        return;
    }
    let s = scene("read-only");
    let share = format!("{}::/h:ro", s.path("share"));
    let script = r#"cd /h
        try() { "$@" 2>/tmp/err && echo "$* worked"; grep -q 'ead-only' /tmp/err || { echo "$*:"; cat /tmp/err; }; }
        grep() { case $(cat /tmp/err) in *ead-only*) return 0;; esac; return 1; }
        try touch new; try mkdir dir; try rm -f file; try mv file other; try ln file hard; try ln -s x soft
        try truncate -s 0 file; try chmod 700 file; try cp file copy; try rmdir real
        cat file; echo x > file || echo refused"#;
    let d = run(&["run", "--timeout", "60", "--dir", &share, "sh", "-c", script]);
    assert_eq!(d.out, "content\nrefused\n", "{}", d.err);
    assert_eq!(std::fs::read(s.0.join("share/file")).expect("is there"), b"content\n");
    assert_eq!(std::fs::read_dir(s.0.join("share")).expect("is there").count(), 10);
    untouched(&s);
}

/// Walks `/h/d/...` in a program while the host swaps `d` between a directory and a link out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_turns_into_a_link_on_the_way_leads_nowhere() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let s = scene("race");
    let share = s.0.join("share");
    symlink(s.0.join("outside"), share.join("link")).expect("a link");
    std::fs::rename(share.join("real"), share.join("d")).expect("a rename");
    // 66 for a secret that was read; else whether a file was read more than 50 times.
    let walk = r#"(data (i32.const 0) "/h/d/canary") (data (i32.const 32) "/h/d/new") (data (i32.const 64) "/h/d/made")
        (func $try (param $path i32) (param $len i32) (param $flags i32) (result i32)
          (call $openat (i32.const -100) (local.get $path) (local.get $len) (local.get $flags) (i32.const 384)))
        (func (export "_start") (local $i i32) (local $fd i32) (local $good i32)
          (loop $l
            (local.set $fd (call $try (i32.const 0) (i32.const 11) (i32.const 0)))
            (if (i32.ge_s (local.get $fd) (i32.const 0)) (then
              (local.set $good (i32.add (local.get $good) (i32.const 1)))
              (i32.store8 (i32.const 128) (i32.const 0))
              (drop (call $read (local.get $fd) (i32.const 128) (i32.const 1)))
              (if (i32.eq (i32.load8_u (i32.const 128)) (i32.const 83)) (then (call $exit (i32.const 66))))
              (drop (call $close (local.get $fd)))))
            (local.set $fd (call $try (i32.const 32) (i32.const 8) (i32.const 577)))
            (if (i32.ge_s (local.get $fd) (i32.const 0)) (then
              (drop (call $write (local.get $fd) (i32.const 0) (i32.const 4)))
              (drop (call $close (local.get $fd)))
              (drop (call $unlinkat (i32.const -100) (i32.const 32) (i32.const 8) (i32.const 0)))))
            (if (i32.eqz (call $mkdirat (i32.const -100) (i32.const 64) (i32.const 9) (i32.const 448)))
              (then (drop (call $unlinkat (i32.const -100) (i32.const 64) (i32.const 9) (i32.const 512)))))
            ;; The canary outside would go by this one; the one inside goes, too, and is made again.
            (if (i32.eqz (i32.rem_u (local.get $i) (i32.const 16))) (then
              (drop (call $unlinkat (i32.const -100) (i32.const 0) (i32.const 11) (i32.const 0)))
              (local.set $fd (call $try (i32.const 0) (i32.const 11) (i32.const 65)))
              (if (i32.ge_s (local.get $fd) (i32.const 0)) (then (drop (call $close (local.get $fd)))))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            ;; Until both have been seen: on a busy machine the swaps may hit all but each try.
            (br_if $l (i32.lt_u (local.get $i) (i32.const 20000)))
            (br_if $l (i32.and (i32.le_u (local.get $good) (i32.const 50)) (i32.lt_u (local.get $i) (i32.const 3000000)))))
          (call $exit (i32.gt_u (local.get $good) (i32.const 50))))"#;
    let dir = cap_std::fs::Dir::open_ambient_dir(&share, cap_std::ambient_authority()).expect("a directory");
    let vkernel = alone(&host, wasm(walk)).host_dir(dir, &b"/h"[..], false);
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let (told, place) = (over.clone(), share.clone());
    let swapper = std::thread::spawn(move || {
        let mut swaps = 0u32;
        while !told.load(Relaxed) {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            let cwd = rustix::fs::CWD;
            rustix::fs::renameat_with(cwd, place.join("d"), cwd, place.join("link"), exchange).expect("an exchange");
            swaps += 1;
            // Each is the directory for a moment, now long, now short.
            if swaps.is_multiple_of(7) {
                std::thread::yield_now();
            }
        }
        swaps
    });
    let end = status(vkernel).await;
    over.store(true, Relaxed);
    let swaps = swapper.join().expect("the swapper ends");
    untouched(&s);
    assert_eq!(end, Ok(1), "{swaps} swaps");
    assert!(swaps > 100, "{swaps} swaps");
}
