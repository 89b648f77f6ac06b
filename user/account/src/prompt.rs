//! Questions: the password, which isn't shown, and names.

use vkernel_sys::signal::{Action, sigaction};
use vkernel_sys::tty::{self, Termios, When, bits};
use vkernel_sys::{Errno, Sigaction, SysResult, io, o, sa, sig};

/// Longer passwords are cut, as others do it (PAM_MAX_RESP_SIZE).
const LONGEST: usize = 512;

/// What ends or stops us by default, from outside.
const OUTSIDE: [u32; 9] =
    [sig::HUP, sig::INT, sig::QUIT, sig::TERM, sig::ALRM, sig::USR1, sig::USR2, sig::XCPU, sig::TSTP];

/// Such signals end a question and do nothing more until the terminal is as it was.
struct Held(Vec<u32>);

impl Held {
    fn new() -> Held {
        let default = |was: Sigaction| was.flags & sa::CATCH == 0 && was.handler == Sigaction::DEFAULT;
        let hold = |&signal: &u32| match sigaction(signal, Action::Catch, 0, 0) {
            Ok(was) if default(was) => true,
            Ok(was) if was.flags & sa::CATCH == 0 => {
                let _ = sigaction(signal, Action::Ignore, 0, 0);
                false
            }
            _ => false,
        };
        Held(OUTSIDE.into_iter().filter(hold).collect())
    }
}

impl Drop for Held {
    /// One that has come does now what it does.
    fn drop(&mut self) {
        for &signal in &self.0 {
            let _ = sigaction(signal, Action::Default, 0, 0);
        }
    }
}

/// Where one asks: the terminal, or standard input and error without one.
struct Place {
    input: i32,
    output: i32,
    settings: Option<Termios>,
}

impl Place {
    /// Nothing is shown, and no key but those below means anything: none may end us before the terminal is as it was.
    fn quiet() -> SysResult<Place> {
        match io::open(b"/dev/tty", o::RDWR | o::NOCTTY | o::CLOEXEC, 0) {
            Ok(fd) => {
                let old = tty::tcgetattr(fd)?;
                let mut new = old;
                new.lflag &= !(bits::ECHO | bits::ECHONL | bits::ICANON | bits::ISIG);
                (new.cc[bits::VMIN], new.cc[bits::VTIME]) = (1, 0);
                tty::tcsetattr(fd, When::Flush, &new)?;
                Ok(Place { input: fd, output: fd, settings: Some(old) })
            }
            Err(_) => Ok(Place { input: 0, output: 2, settings: None }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(old) = self.settings {
            // A terminal that has gone needs none.
            while tty::tcsetattr(self.input, When::Flush, &old) == Err(Errno::EINTR) {}
            let _ = io::write(self.output, b"\n");
            let _ = io::close(self.input);
        }
    }
}

/// One line, byte by byte: what follows is for others. None at the end of the input or where it was given up.
fn line(place: &Place, hidden: bool) -> SysResult<Option<Vec<u8>>> {
    let key = |at: usize, usual: u8| place.settings.map_or(usual, |t| t.cc[at]);
    let edits = hidden && place.settings.is_some();
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        match io::read(place.input, &mut byte) {
            Ok(0) => return Ok((!text.is_empty()).then_some(text)),
            Ok(_) => {}
            Err(Errno::EINTR) if !hidden => continue,
            Err(e) => return Err(e),
        }
        match byte[0] {
            b'\n' | b'\r' => return Ok(Some(text)),
            b if edits && (b == key(bits::VINTR, 3) || b == key(bits::VQUIT, 28)) => return Ok(None),
            b if edits && b == key(bits::VEOF, 4) => return Ok((!text.is_empty()).then_some(text)),
            b if edits && (b == key(bits::VERASE, 127) || b == 8) => _ = text.pop(),
            b if edits && b == key(bits::VKILL, 21) => text.clear(),
            b if text.len() < LONGEST => text.push(b),
            _ => {}
        }
    }
}

/// A password. None when nobody answers.
pub fn password(question: &str) -> Option<Vec<u8>> {
    loop {
        let held = Held::new();
        let answer = ask(question);
        drop(held);
        match answer {
            // That was a stop, and we go on.
            Err(Errno::EINTR) => {}
            answer => return answer.ok()?,
        }
    }
}

fn ask(question: &str) -> SysResult<Option<Vec<u8>>> {
    let place = Place::quiet()?;
    io::write_all(place.output, question.as_bytes())?;
    line(&place, true)
}

/// A name, from standard input.
pub fn name(question: &str) -> Option<String> {
    io::write_all(1, question.as_bytes()).ok()?;
    let place = Place { input: 0, output: 1, settings: None };
    let text = line(&place, false).ok()??;
    Some(String::from_utf8_lossy(&text).trim().to_string())
}
