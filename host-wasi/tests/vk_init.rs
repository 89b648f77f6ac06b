//! Process 1 with services: `/etc/inittab` in an image of one's own, through the whole of `vk`.

mod vk_support;

use vk_support::{Scratch, finish, has_kernel, run, vk};

use std::io::Write;
use std::process::Stdio;

const TABLE: &str = "\
# early, then beside the session, then late
::sysinit:mkdir -p /run
::wait:echo early >/run/early
tick::respawn:sh -c 'echo tick >>/run/ticks'
end::once:sh -c 'trap \"echo told to end; exit 0\" TERM; echo up >/run/up; while :; do sleep 0.05; done'
never::off:touch /run/never
bad::oops:x
::shutdown:echo going down
";

#[test]
fn services_run_beside_the_session() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("inittab");
    let copy = "cp -a /bin /sbin /etc /root /out && mkdir -p /out/dev /out/proc /out/tmp";
    s.write("img/empty", "");
    let d = run(&["run", "--dir", &format!("{}::/out", s.path("img")), "sh", "-c", copy]);
    assert_eq!((d.status, d.err.as_str()), (0, ""));
    s.write("img/etc/inittab", TABLE);
    let mut child = vk().args(["--image", &s.path("img")]).stdin(Stdio::piped()).spawn().expect("vk starts");
    let line =
        "until [ -f /run/up ] && [ $(wc -l </run/ticks) -ge 3 ]; do sleep 0.1; done; cat /run/early; ls /run; exit 5\n";
    child.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("vk reads");
    let d = finish(child);
    assert_eq!(d.status, 5, "{}{}", d.out, d.err);
    assert!(d.out.contains("early\nearly\nticks\nup\n"), "{}", d.out);
    let (down, told) = (d.out.find("going down"), d.out.find("told to end"));
    assert!(down.is_some() && down < told, "{}", d.out);
    assert!(d.err.contains("init: /etc/inittab:7: oops: no such action"), "{}", d.err);
}
