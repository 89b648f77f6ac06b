//! The functions that every program has.

use crate::ast::{Builtin, Expr, special};
use crate::format::{char_len, chars};
use crate::interp::{Eval, Interp};
use crate::value::Val;
use kit::process;
use std::rc::Rc;
use vkernel_sys::sys;

impl Interp {
    pub fn builtin(&mut self, b: Builtin, args: &[Expr]) -> Eval<Val> {
        let number = match b {
            Builtin::Length => return self.length(args.first()),
            Builtin::Split => return self.split(args),
            Builtin::Sub | Builtin::Gsub => return self.substitute(b == Builtin::Gsub, args),
            Builtin::Match => return self.matching(args),
            Builtin::Substr => return self.substr(args),
            Builtin::Sprintf => {
                let values = args.iter().map(|a| self.eval(a)).collect::<Eval<Vec<_>>>()?;
                let format = self.text(&values[0]);
                let convfmt = self.special_text(special::CONVFMT);
                return Ok(Val::str(crate::format::format(&format, &values[1..], &convfmt)));
            }
            Builtin::Tolower | Builtin::Toupper => {
                let text = self.arg_text(&args[0])?;
                return Ok(Val::Str(in_case(&text, b == Builtin::Toupper)));
            }
            Builtin::Index => {
                let (text, part) = (self.arg_text(&args[0])?, self.arg_text(&args[1])?);
                let at = if part.is_empty() { Some(0) } else { text.windows(part.len()).position(|w| w == &part[..]) };
                at.map_or(0.0, |at| (count(&text[..at]) + 1) as f64)
            }
            Builtin::Atan2 => {
                let y = self.eval(&args[0])?.num();
                y.atan2(self.eval(&args[1])?.num())
            }
            Builtin::Rand => self.rand(),
            Builtin::Srand => self.srand(args.first())?,
            Builtin::Systime => now(),
            Builtin::Close => {
                let name = self.arg_text(&args[0])?;
                let input = self.inputs.close(&name);
                self.outputs.close(&name).or(input).unwrap_or(-1) as f64
            }
            Builtin::Fflush => match args.first() {
                None => {
                    self.outputs.flush();
                    0.0
                }
                Some(a) => {
                    let name = self.arg_text(a)?;
                    if self.outputs.flush_one(&name) { 0.0 } else { -1.0 }
                }
            },
            Builtin::System => {
                let command = self.arg_text(&args[0])?;
                self.outputs.flush();
                let pid = process::shell(&command).spawn();
                pid.and_then(process::wait_for).unwrap_or(-1) as f64
            }
            _ => {
                let n = self.eval(&args[0])?.num();
                match b {
                    Builtin::Cos => n.cos(),
                    Builtin::Sin => n.sin(),
                    Builtin::Exp => n.exp(),
                    Builtin::Log => n.ln(),
                    Builtin::Sqrt => n.sqrt(),
                    _ => n.trunc(),
                }
            }
        };
        Ok(Val::Num(number))
    }

    fn arg_text(&mut self, e: &Expr) -> Eval<Rc<[u8]>> {
        let v = self.eval(e)?;
        Ok(self.text(&v))
    }

    fn length(&mut self, arg: Option<&Expr>) -> Eval<Val> {
        let n = match arg {
            None => count(&self.record_text()?),
            // A name alone may turn out to be an array's.
            Some(Expr::Array(slot)) => match self.array(*slot) {
                Ok(array) => array.borrow().len(),
                Err(_) => {
                    let v = self.get(*slot)?;
                    count(&self.text(&v))
                }
            },
            Some(e) => count(&self.arg_text(e)?),
        };
        Ok(Val::Num(n as f64))
    }

    fn split(&mut self, args: &[Expr]) -> Eval<Val> {
        let text = self.arg_text(&args[0])?;
        let Expr::Array(slot) = &args[1] else { return Err("split needs an array".into()) };
        let separator = match args.get(2) {
            None => {
                let fs = self.special_text(special::FS);
                self.separator(&fs)?
            }
            Some(Expr::Regex(p)) => crate::fields::Separator::Regex(p.0.clone()),
            Some(e) => {
                let fs = self.arg_text(e)?;
                self.separator(&fs)?
            }
        };
        let array = self.array(*slot)?;
        let mut array = array.borrow_mut();
        array.clear();
        let mut n = 0;
        separator.split(&text, false, |part| {
            n += 1;
            array.insert(n.to_string().into_bytes().into(), Val::outside(part));
        });
        Ok(Val::Num(n as f64))
    }

    fn matching(&mut self, args: &[Expr]) -> Eval<Val> {
        let text = self.arg_text(&args[0])?;
        let found = self.pattern(&args[1])?.find_at(&text, 0);
        let (start, length) = match found {
            Some((from, to)) => ((count(&text[..from]) + 1) as f64, count(&text[from..to]) as f64),
            None => (0.0, -1.0),
        };
        self.set_number(special::RSTART, start)?;
        self.set_number(special::RLENGTH, length)?;
        Ok(Val::Num(start))
    }

    /// Characters from the first to the last whose numbers are between the rounded ends (POSIX awk, substr).
    fn substr(&mut self, args: &[Expr]) -> Eval<Val> {
        let text = self.arg_text(&args[0])?;
        let from = round(self.eval(&args[1])?.num());
        let to = match args.get(2) {
            None => f64::INFINITY,
            Some(e) => from + round(self.eval(e)?.num()),
        };
        let first = from.max(1.0);
        if to.is_nan() || to <= first {
            return Ok(Val::str(&b""[..]));
        }
        let start = chars(&text, (first - 1.0).min(1e15) as usize);
        let length = chars(&text[start..], (to - first).min(1e15) as usize);
        Ok(Val::str(&text[start..start + length]))
    }

    /// xorshift64*, G. Marsaglia and S. Vigna.
    fn rand(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Answers the seed before; without one the time is it.
    fn srand(&mut self, seed: Option<&Expr>) -> Eval<f64> {
        let seed = match seed {
            Some(e) => self.eval(e)?.num(),
            None => now(),
        };
        let before = std::mem::replace(&mut self.seed, seed);
        self.random = (seed.to_bits() ^ 0x9e37_79b9_7f4a_7c15).max(1);
        // Seeds that are near each other shall not begin alike.
        for _ in 0..8 {
            self.rand();
        }
        Ok(before)
    }
}

fn now() -> f64 {
    (sys::clock_gettime(0).unwrap_or(0) / 1_000_000_000) as f64
}

/// To the nearest, halves to the even one.
fn round(n: f64) -> f64 {
    if n.is_nan() { 0.0 } else { n.round_ties_even() }
}

/// How many characters there are.
fn count(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let (mut at, mut n) = (0, 0);
    while at < text.len() {
        at += char_len(&text[at..]);
        n += 1;
    }
    n
}

fn in_case(text: &[u8], upper: bool) -> Rc<[u8]> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let changed = if upper { valid.to_uppercase() } else { valid.to_lowercase() };
        out.extend_from_slice(changed.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out.into()
}
