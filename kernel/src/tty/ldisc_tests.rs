//! Keys and what comes of them. Expectations with a screen were taken from Linux 6.18's pty.

use alloc::vec::Vec;

use super::*;

/// The reader's lines and what is on the screen after some keys; `|` separates the lines.
fn typed(t: Termios, keys: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut l = Ldisc::new().expect("memory");
    l.set(t);
    keys.iter().for_each(|&k| assert_eq!(l.receive(k), 0));
    let mut lines = Vec::new();
    let mut buf = [0; 512];
    while l.input.has_line() {
        let n = l.input.take_line(&mut buf).bytes;
        lines.extend_from_slice(&buf[..n]);
        lines.push(b'|');
    }
    (lines, screen(&mut l))
}

fn screen(l: &mut Ldisc) -> Vec<u8> {
    let mut out = Vec::new();
    l.out.flush(|b| {
        out.extend_from_slice(b);
        Ok(b.len())
    });
    out
}

fn cooked() -> Termios {
    Termios::default()
}

fn with_eol(mut t: Termios, byte: u8) -> Termios {
    t.cc[VEOL] = byte;
    t
}

#[track_caller]
fn check(t: Termios, keys: &[u8], lines: &[u8], shown: &[u8]) {
    let got = typed(t, keys);
    let text = |b: &[u8]| alloc::string::String::from_utf8_lossy(b).into_owned();
    assert_eq!((text(&got.0), text(&got.1)), (text(lines), text(shown)));
}

#[test]
fn lines_are_edited_as_the_keys_say() {
    let t = cooked();
    check(t, b"hello\r", b"hello\n|", b"hello\r\n");
    check(t, b"ab\x7fc\n", b"ac\n|", b"ab\x08 \x08c\r\n");
    check(t, b"\x7f\x7fx\n", b"x\n|", b"x\r\n");
    check(t, b"abc\x15d\n", b"d\n|", b"abc\x08 \x08\x08 \x08\x08 \x08d\r\n");
    check(t, b"a bc  \x17d\n", b"a d\n|", &[b"a bc  ".as_slice(), &b"\x08 \x08".repeat(4), b"d\r\n"].concat());
    check(t, b"a.b\x17\x17\n", b"\n|", b"a.b\x08 \x08\x08 \x08\x08 \x08\r\n");
    check(t, b"ab\x12c\n", b"abc\n|", b"ab^R\r\nabc\r\n");
    check(t, b"\x16\x03a\x16\x16\n", b"\x03a\x16\n|", b"^\x08^Ca^\x08^V\r\n");
    check(t, b"\x01\x7fb\n", b"b\n|", b"^A\x08 \x08\x08 \x08b\r\n");
    check(t, b"ab\x04c\x04\x04", b"ab|c||", b"abc");
    check(with_eol(t, b';'), b"a;b\n", b"a;|b\n|", b"a;b\r\n");
}

#[test]
fn erasing_a_character_takes_all_of_its_bytes_and_columns() {
    let t = cooked();
    check(t, "aä\x7fb\n".as_bytes(), b"ab\n|", "aä\x08 \x08b\r\n".as_bytes());
    check(t, "日\x7fb\n".as_bytes(), b"b\n|", "日\x08 \x08\x08 \x08b\r\n".as_bytes());
    check(t, "é日\x15\n".as_bytes(), b"\n|", "é日\x08 \x08\x08 \x08\x08 \x08\r\n".as_bytes());
    // Without IUTF8 a byte is a character.
    let bytes = Termios { iflag: ICRNL, ..t };
    check(bytes, b"a\xc3\xa4\x7f\n", b"a\xc3\n|", b"a\xc3\xa4\x08 \x08\r\n");
}

#[test]
fn erasing_a_tab_goes_back_to_where_it_began() {
    let t = cooked();
    check(t, b"ab\t\x7f\n", b"ab\n|", b"ab\t\x08\x08\x08\x08\x08\x08\r\n");
    check(t, b"\t\t\x7f\x7f\n", b"\n|", &[b"\t\t".as_slice(), &[8; 16], b"\r\n"].concat());
    // Behind a prompt.
    let mut l = Ldisc::new().expect("memory");
    l.out.write(&cooked(), b"# ");
    b"a\t\x7f".iter().for_each(|&k| assert_eq!(l.receive(k), 0));
    assert_eq!(screen(&mut l), b"# a\t\x08\x08\x08\x08\x08");
}

#[test]
fn echo_is_as_the_flags_say() {
    let t = |lflag| Termios { lflag, ..cooked() };
    let all = cooked().lflag;
    check(t(all & !ECHO), b"ab\x7f\x15c\n", b"c\n|", b"");
    check(t(all & !ECHO | ECHONL), b"a\n", b"a\n|", b"\r\n");
    check(t(all & !ECHOE), b"ab\x7f\n", b"a\n|", b"ab^?\r\n");
    check(t(all & !ECHOKE), b"ab\x15c\n", b"c\n|", b"ab^U\r\nc\r\n");
    check(t(all & !ECHOKE & !ECHOK), b"ab\x15c\n", b"c\n|", b"ab^Uc\r\n");
    check(t(all & !ECHOCTL), b"\x01\x7f\n", b"\n|", b"\x01\r\n");
    check(t(all & !IEXTEN), b"a\x17\n", b"a\x17\n|", b"a^W\r\n");
}

#[test]
fn newlines_and_returns_are_mapped_on_input() {
    let t = |iflag| Termios { iflag, ..cooked() };
    check(t(0), b"a\rb\n", b"a\rb\n|", b"a^Mb\r\n");
    check(t(IGNCR | ICRNL), b"a\rb\n", b"ab\n|", b"ab\r\n");
    check(t(INLCR), b"a\nb\x04", b"a\rb|", b"a^Mb");
    check(t(ISTRIP | ICRNL), b"\xe1\x8d", b"a\n|", b"a\r\n");
}

#[test]
fn raw_input_is_what_was_typed() {
    let mut l = Ldisc::new().expect("memory");
    l.set(Termios { lflag: 0, iflag: 0, ..cooked() });
    let all: Vec<u8> = (0..=255).collect();
    all.iter().for_each(|&k| assert_eq!(l.receive(k), 0));
    let mut buf = [0; 512];
    assert_eq!((l.input.take(&mut buf), screen(&mut l)), (256, Vec::new()));
    assert_eq!(buf[..256], all);
}

#[test]
fn signals_come_from_their_keys_and_flush() {
    for (lflag, key, bit, left, shown) in [
        (cooked().lflag, 3, 1 << sig::INT, 0, &b"^C"[..]),
        (cooked().lflag, 28, 1 << sig::QUIT, 0, b"^\\"),
        (cooked().lflag, 26, 1 << sig::TSTP, 0, b"^Z"),
        (cooked().lflag | NOFLSH, 3, 1 << sig::INT, 2, b"ab^C"),
        (cooked().lflag & !ISIG, 3, 0, 3, b"ab^C"),
        (ISIG, 3, 1 << sig::INT, 0, b""),
    ] {
        let mut l = Ldisc::new().expect("memory");
        l.set(Termios { lflag, ..cooked() });
        b"ab".iter().for_each(|&k| assert_eq!(l.receive(k), 0));
        assert_eq!(l.receive(key), bit);
        assert_eq!((l.input.len(), screen(&mut l).as_slice()), (left, shown), "{lflag:o} {key}");
    }
}

#[test]
fn a_line_that_is_too_long_beeps_and_can_still_be_ended() {
    let mut l = Ldisc::new().expect("memory");
    for i in 0..5000 {
        assert!(l.room() > 0, "{i}");
        l.receive(b'x');
    }
    assert_eq!(l.input.line_len(), super::super::input::MAX - 1);
    let shown = screen(&mut l);
    assert_eq!(shown.iter().filter(|&&b| b == BEL).count(), 5000 - 4095);
    l.receive(b'\n');
    assert!(l.input.has_line());
    assert_eq!(l.room(), 0);
    let mut buf = [0; 4096];
    assert_eq!(l.input.take_line(&mut buf).bytes, 4096);
    assert_eq!(l.room(), 4095);
}

#[test]
fn output_stops_and_starts_by_key() {
    let mut l = Ldisc::new().expect("memory");
    l.receive(0x13);
    l.out.write(&cooked(), b"held");
    assert_eq!(screen(&mut l), b"");
    l.receive(b'x');
    assert_eq!(screen(&mut l), b"");
    l.receive(0x11);
    assert_eq!(screen(&mut l), b"heldx");
    l.set(Termios { iflag: IXON | IXANY, ..cooked() });
    l.receive(0x13);
    l.receive(b'y');
    assert_eq!(screen(&mut l), b"y");
    l.receive(0x13);
    l.set(Termios { iflag: 0, ..cooked() });
    assert!(!l.out.stopped);
}

#[test]
fn a_sender_is_told_to_wait() {
    let mut l = Ldisc::new().expect("memory");
    l.set(Termios { iflag: IXOFF, lflag: 0, ..cooked() });
    for _ in 0..4096 {
        l.receive(b'x');
        l.control_flow();
    }
    assert_eq!(screen(&mut l), b"\x13");
    let mut buf = [0; 4000];
    l.input.take(&mut buf);
    l.control_flow();
    assert_eq!(screen(&mut l), b"\x11");
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a digit") as u8;
    hex.trim_start_matches('-').as_bytes().chunks(2).map(|c| digit(c[0]) << 4 | digit(c[1])).collect()
}

/// Random keys under random settings, and what a pty of Linux 6.18 made of them: c_iflag, c_oflag,
/// c_lflag, what a program wrote before, the keys, the screen, and what each read answered. VEOL is `;`.
#[test]
fn keys_do_what_they_do_on_linux() {
    let mut wrong = Vec::new();
    for case in include_str!("linux_pty.txt").lines() {
        let f: Vec<&str> = case.split(' ').collect();
        let flags = |i: usize| u32::from_str_radix(f[i], 16).expect("flags");
        let t = with_eol(Termios { iflag: flags(0), oflag: flags(1), lflag: flags(2), ..cooked() }, b';');
        let mut l = Ldisc::new().expect("memory");
        l.set(t);
        l.out.write(&t, &bytes(f[3]));
        bytes(f[4]).iter().for_each(|&k| assert_eq!(l.receive(k), 0));
        // A pty that Linux has stopped shows the rest to nobody, either.
        let shown = screen(&mut l);
        let mut reads = Vec::new();
        let mut buf = [0; 512];
        if t.raw() && l.input.len() > 0 {
            let n = l.input.take(&mut buf);
            reads.push(buf[..n].to_vec());
        }
        while l.input.has_line() {
            let n = l.input.take_line(&mut buf).bytes;
            reads.push(buf[..n].to_vec());
        }
        let wanted = f[6].trim_end_matches('|');
        let wanted: Vec<Vec<u8>> = if f[6] == "none" { Vec::new() } else { wanted.split(',').map(bytes).collect() };
        if (&shown, &reads) != (&bytes(f[5]), &wanted) {
            wrong.push(alloc::format!("{case}\n  shown {:x?}\n  want  {:x?}\n  read {reads:x?}", shown, bytes(f[5])));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
