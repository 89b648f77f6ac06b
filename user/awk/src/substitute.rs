//! `sub` and `gsub`.

use crate::ast::{Expr, Place};
use crate::format::char_len;
use crate::interp::{Eval, Interp};
use crate::value::Val;

impl Interp {
    pub fn substitute(&mut self, all: bool, args: &[Expr]) -> Eval<Val> {
        let regex = self.pattern(&args[0])?;
        let v = self.eval(&args[1])?;
        let replacement = self.text(&v);
        let place: Option<&Place> = match &args[2] {
            Expr::Get(place) => Some(place),
            _ => None,
        };
        let v = self.eval(&args[2])?;
        let text = self.text(&v);
        let (mut out, mut copied, mut at, mut count) = (Vec::new(), 0, 0, 0);
        let mut last_end = None;
        while at <= text.len() {
            let Some((from, to)) = regex.find_at(&text, at) else { break };
            // Nothing right behind a match is none.
            if from == to && last_end == Some(from) {
                at = next(&text, from);
                continue;
            }
            count += 1;
            out.extend_from_slice(&text[copied..from]);
            fill(&replacement, &text[from..to], &mut out);
            copied = to;
            last_end = Some(to);
            if !all {
                break;
            }
            at = if to > from { to } else { next(&text, to) };
        }
        if count > 0
            && let Some(place) = place
        {
            out.extend_from_slice(&text[copied..]);
            self.store(place, Val::str(out))?;
        }
        Ok(Val::Num(count as f64))
    }
}

fn next(text: &[u8], at: usize) -> usize {
    at + text.get(at..).filter(|r| !r.is_empty()).map_or(1, char_len)
}

/// `&` is what was found, `\&` an ampersand, `\\` a backslash (POSIX awk, sub).
fn fill(replacement: &[u8], found: &[u8], out: &mut Vec<u8>) {
    let mut i = 0;
    while i < replacement.len() {
        match (replacement[i], replacement.get(i + 1)) {
            (b'\\', Some(c @ (b'&' | b'\\'))) => {
                out.push(*c);
                i += 1;
            }
            (b'&', _) => out.extend_from_slice(found),
            (c, _) => out.push(c),
        }
        i += 1;
    }
}
