//! `stty`: the settings of a terminal (POSIX `stty`).

use crate::options::{Failure, number};
use crate::say;
use vkernel_sys::tty::bits::*;
use vkernel_sys::tty::{Termios, When, set_winsize, tcgetattr, tcsetattr, winsize};
use vkernel_sys::{Winsize, io, o};

const USAGE: &str = "stty [-a|-g] [-F DEVICE] [SETTING...]";

/// Which word of flags.
#[derive(Clone, Copy)]
enum Word {
    Input,
    Output,
    Local,
}
use Word::{Input, Local, Output};

/// The flags: word, name, bit, and how a sane terminal has them.
const FLAGS: [(Word, &str, u32, bool); 26] = [
    (Input, "istrip", ISTRIP, false),
    (Input, "inlcr", INLCR, false),
    (Input, "igncr", IGNCR, false),
    (Input, "icrnl", ICRNL, true),
    (Input, "ixon", IXON, true),
    (Input, "ixany", IXANY, false),
    (Input, "ixoff", IXOFF, false),
    (Input, "iutf8", IUTF8, true),
    (Output, "opost", OPOST, true),
    (Output, "onlcr", ONLCR, true),
    (Output, "ocrnl", OCRNL, false),
    (Output, "onocr", ONOCR, false),
    (Output, "onlret", ONLRET, false),
    (Output, "tab3", TAB3, false),
    (Local, "isig", ISIG, true),
    (Local, "icanon", ICANON, true),
    (Local, "iexten", IEXTEN, true),
    (Local, "echo", ECHO, true),
    (Local, "echoe", ECHOE, true),
    (Local, "echok", ECHOK, true),
    (Local, "echonl", ECHONL, false),
    (Local, "echoctl", ECHOCTL, true),
    (Local, "echoke", ECHOKE, true),
    (Local, "noflsh", NOFLSH, false),
    (Local, "tostop", TOSTOP, false),
    // GNU's other name.
    (Local, "ctlecho", ECHOCTL, true),
];

/// The control characters: name, place, and which a sane terminal has.
const KEYS: [(&str, usize, u8); 13] = [
    ("intr", VINTR, 3),
    ("quit", VQUIT, 28),
    ("erase", VERASE, 127),
    ("kill", VKILL, 21),
    ("eof", VEOF, 4),
    ("eol", VEOL, 0),
    ("eol2", VEOL2, 0),
    ("start", VSTART, 17),
    ("stop", VSTOP, 19),
    ("susp", VSUSP, 26),
    ("rprnt", VREPRINT, 18),
    ("werase", VWERASE, 23),
    ("lnext", VLNEXT, 22),
];

fn word(t: &mut Termios, which: Word) -> &mut u32 {
    match which {
        Input => &mut t.iflag,
        Output => &mut t.oflag,
        Local => &mut t.lflag,
    }
}

pub fn stty(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let args: Vec<String> = args.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    let mut rest = args.as_slice();
    let (mut all, mut saved, mut fd) = (false, false, 0);
    while let Some((first, more)) = rest.split_first() {
        match first.as_str() {
            "-a" | "--all" => all = true,
            "-g" | "--save" => saved = true,
            "--help" => return Err(Failure { status: 0, message: format!("usage: {USAGE}") }),
            "-F" => {
                let (device, after) = more.split_first().ok_or_else(|| Failure::usage("-F wants a device"))?;
                fd = io::open(device.as_bytes(), o::RDWR | o::NOCTTY | o::NONBLOCK | o::CLOEXEC, 0)
                    .map_err(|e| Failure::with(device.as_bytes(), e))?;
                rest = after;
                continue;
            }
            _ => break,
        }
        rest = more;
    }
    let mut t = tcgetattr(fd).map_err(|e| Failure::new(format!("standard input: {e}")))?;
    if saved {
        say!("{}", save(&t));
    } else if rest.is_empty() {
        show(&t, winsize(fd).unwrap_or_default(), all);
    }
    let before = t;
    let mut size = None;
    apply(&mut t, &mut size, rest, || winsize(fd).unwrap_or_default())?;
    let done = if t == before { Ok(()) } else { tcsetattr(fd, When::Drain, &t) };
    let done = done.and_then(|()| size.map_or(Ok(()), |s| set_winsize(fd, s)));
    done.map_err(|e| Failure::new(e.to_string()))?;
    Ok(0)
}

/// Changes the settings as the operands say.
fn apply(
    t: &mut Termios,
    size: &mut Option<Winsize>,
    mut operands: &[String],
    current: impl Fn() -> Winsize,
) -> Result<(), Failure> {
    while let Some((name, rest)) = operands.split_first() {
        operands = rest;
        let (on, plain) = name.strip_prefix('-').map_or((true, name.as_str()), |n| (false, n));
        let value = || rest.first().ok_or_else(|| Failure::usage(format!("{name} wants a value")));
        if let Some(f) = FLAGS.iter().find(|f| f.1 == plain) {
            let w = word(t, f.0);
            *w = if on { *w | f.2 } else { *w & !f.2 };
        } else if let Some(k) = KEYS.iter().find(|k| k.0 == name) {
            t.cc[k.1] = key(value()?)?;
            operands = &rest[1..];
        } else if let Some(at) = [("min", VMIN), ("time", VTIME)].iter().find(|p| p.0 == name) {
            t.cc[at.1] = number(value()?.as_bytes())?;
            operands = &rest[1..];
        } else if let "rows" | "cols" | "columns" = name.as_str() {
            let n = number(value()?.as_bytes())?;
            let s = size.get_or_insert_with(&current);
            *(if name == "rows" { &mut s.rows } else { &mut s.cols }) = n;
            operands = &rest[1..];
        } else {
            combined(t, plain, on, &current, name)?;
        }
    }
    Ok(())
}

/// Names for more than one setting, and what only shows something.
fn combined(t: &mut Termios, plain: &str, on: bool, size: impl Fn() -> Winsize, name: &str) -> Result<(), Failure> {
    match (plain, on) {
        ("sane", true) => sane(t),
        ("raw", true) | ("cooked", false) => {
            t.iflag &= !(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF);
            t.oflag &= !OPOST;
            t.lflag &= !(ISIG | ICANON);
            (t.cc[VMIN], t.cc[VTIME]) = (1, 0);
        }
        ("raw", false) | ("cooked", true) => {
            t.iflag |= ICRNL | IXON;
            t.oflag |= OPOST;
            t.lflag |= ISIG | ICANON;
        }
        ("cbreak", _) => t.lflag = if on { t.lflag & !ICANON } else { t.lflag | ICANON },
        ("nl", _) => {
            t.iflag = if on { t.iflag & !ICRNL } else { (t.iflag | ICRNL) & !(INLCR | IGNCR) };
            t.oflag = if on { t.oflag & !ONLCR } else { (t.oflag | ONLCR) & !(OCRNL | ONLRET) };
        }
        ("tabs", _) => t.oflag = if on { t.oflag & !TAB3 } else { t.oflag | TAB3 },
        ("ek", true) => (t.cc[VERASE], t.cc[VKILL]) = (127, 21),
        ("size", true) => {
            let s = size();
            say!("{} {}", s.rows, s.cols);
        }
        _ => restore(t, name).ok_or_else(|| Failure::usage(format!("{name}: no such setting\nusage: {USAGE}")))?,
    }
    Ok(())
}

/// A terminal as one would like to find it.
pub fn sane(t: &mut Termios) {
    for f in FLAGS {
        let w = word(t, f.0);
        *w = if f.3 { *w | f.2 } else { *w & !f.2 };
    }
    for k in KEYS {
        t.cc[k.1] = k.2;
    }
    (t.cc[VMIN], t.cc[VTIME]) = (1, 0);
}

/// `^C`, `^?`, `^-` or `undef` for none, a number, a character.
fn key(text: &str) -> Result<u8, Failure> {
    match text.as_bytes() {
        b"^-" | b"undef" | b"" => Ok(0),
        b"^?" => Ok(127),
        [b'^', c] => Ok(c.to_ascii_uppercase() & 0x1f),
        [c] => Ok(*c),
        _ => match text.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).map_err(|_| Failure::usage(format!("{text}: not a key"))),
            None => text.parse().map_err(|_| Failure::usage(format!("{text}: not a key"))),
        },
    }
}

fn key_name(b: u8) -> String {
    match b {
        0 => "<undef>".into(),
        127 => "^?".into(),
        1..32 => format!("^{}", (b ^ 0x40) as char),
        32..127 => (b as char).to_string(),
        _ => format!("0x{b:02x}"),
    }
}

/// All of it in one word, for `restore`.
fn save(t: &Termios) -> String {
    let words = [t.iflag, t.oflag, t.cflag, t.lflag].map(|w| format!("{w:x}"));
    let keys: Vec<String> = t.cc[..17].iter().map(|b| format!("{b:x}")).collect();
    format!("{}:{}", words.join(":"), keys.join(":"))
}

fn restore(t: &mut Termios, text: &str) -> Option<()> {
    let fields: Option<Vec<u32>> = text.split(':').map(|f| u32::from_str_radix(f, 16).ok()).collect();
    let fields = fields.filter(|f| f.len() == 21 && f[4..].iter().all(|&k| k < 256))?;
    [t.iflag, t.oflag, t.cflag, t.lflag] = [fields[0], fields[1], fields[2], fields[3]];
    t.cc.iter_mut().zip(&fields[4..]).for_each(|(to, from)| *to = *from as u8);
    Some(())
}

/// What differs from a sane terminal, or everything.
fn show(t: &Termios, size: Winsize, all: bool) {
    say!("rows {}; columns {};", size.rows, size.cols);
    let keys = KEYS.iter().filter(|k| all || t.cc[k.1] != k.2).map(|k| format!("{} = {};", k.0, key_name(t.cc[k.1])));
    let mut words: Vec<String> = keys.collect();
    if all || t.lflag & ICANON == 0 {
        words.push(format!("min = {}; time = {};", t.cc[VMIN], t.cc[VTIME]));
    }
    wrapped(&words);
    for part in [Input, Output, Local] {
        let here = FLAGS.iter().filter(|f| f.0 as u8 == part as u8 && f.1 != "ctlecho");
        let mut copy = *t;
        let is = here.map(|f| (f, *word(&mut copy, f.0) & f.2 == f.2));
        let shown: Vec<String> = is
            .filter(|(f, on)| all || *on != f.3)
            .map(|(f, on)| format!("{}{}", if on { "" } else { "-" }, f.1))
            .collect();
        wrapped(&shown);
    }
}

fn wrapped(words: &[String]) {
    let mut line = String::new();
    for w in words {
        if !line.is_empty() && line.len() + w.len() >= 79 {
            say!("{line}");
            line.clear();
        }
        line += if line.is_empty() { "" } else { " " };
        line += w;
    }
    if !line.is_empty() {
        say!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(operands: &[&str]) -> Result<(Termios, Option<Winsize>), Failure> {
        let mut t = Termios { iflag: 0, oflag: 0, cflag: 0, lflag: 0, line: 0, cc: [0; 32], speeds: [0; 2] };
        sane(&mut t);
        let mut size = None;
        let operands: Vec<String> = operands.iter().map(|o| o.to_string()).collect();
        apply(&mut t, &mut size, &operands, || Winsize { rows: 24, cols: 80 })?;
        Ok((t, size))
    }

    #[test]
    fn settings_are_made_one_after_the_other() {
        let (sane, _) = after(&[]).unwrap();
        let (t, size) = after(&["-echo", "intr", "^x", "eof", "undef", "rows", "50", "tostop", "min", "3"]).unwrap();
        assert_eq!((t.lflag, t.cc[VINTR], t.cc[VEOF]), (sane.lflag & !ECHO | TOSTOP, 24, 0));
        assert_eq!((t.cc[VMIN], size), (3, Some(Winsize { rows: 50, cols: 80 })));
        let (raw, _) = after(&["raw", "-echo"]).unwrap();
        assert_eq!(raw.lflag & (ISIG | ICANON | ECHO) | raw.oflag & OPOST, 0);
        assert_eq!(after(&["raw", "-raw"]).unwrap().0, sane);
        assert_eq!(after(&["raw", &save(&sane)]).unwrap().0, sane);
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in [&["bogus"][..], &["-sane"], &["intr"], &["intr", "xyz"], &["rows", "-1"], &["1:2:3"]] {
            assert_eq!(after(wrong).unwrap_err().status, 2, "{wrong:?}");
        }
    }
}
