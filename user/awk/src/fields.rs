//! The record and its fields, each made from the other when it is asked for.

use crate::ast::special;
use crate::interp::{Cell, Eval, Interp};
use crate::value::Val;
use posix_regex::Regex;
use std::rc::Rc;

#[derive(Default)]
pub struct Record {
    text: Option<Val>,
    /// `$1` and so on, if they have been made.
    fields: Option<Vec<Val>>,
    /// A field was changed since the text was made.
    stale: bool,
}

/// How fields are told apart.
pub enum Separator {
    Blanks,
    Byte(u8),
    Regex(Rc<Regex>),
    /// Each character is a field.
    Nothing,
}

impl Separator {
    pub fn split(&self, text: &[u8], newline: bool, mut put: impl FnMut(&[u8])) {
        match self {
            Separator::Blanks => {
                let blank = |b: &u8| b" \t\n".contains(b);
                text.split(blank).filter(|f| !f.is_empty()).for_each(put);
            }
            _ if text.is_empty() => {}
            Separator::Byte(c) => text.split(|b| b == c || (newline && *b == b'\n')).for_each(put),
            Separator::Regex(r) => {
                let (mut from, mut at) = (0, 0);
                while let Some((start, end)) = r.find_at(text, at) {
                    if end == start {
                        at = start + 1;
                        if at > text.len() {
                            break;
                        }
                        continue;
                    }
                    put(&text[from..start]);
                    (from, at) = (end, end);
                }
                put(&text[from..]);
            }
            Separator::Nothing => {
                let mut at = 0;
                while at < text.len() {
                    let n = crate::format::char_len(&text[at..]);
                    put(&text[at..at + n]);
                    at += n;
                }
            }
        }
    }
}

impl Interp {
    pub fn separator(&mut self, fs: &Rc<[u8]>) -> Eval<Separator> {
        let paragraphs = self.special_text(special::RS).is_empty();
        Ok(match &fs[..] {
            b" " => Separator::Blanks,
            b"" => Separator::Nothing,
            [b'\\'] => Separator::Byte(b'\\'),
            [c] => Separator::Byte(*c),
            // Between paragraphs' lines there is a separator, too.
            _ if paragraphs => {
                let both: Rc<[u8]> = [b"(", &fs[..], b")|\n"].concat().into();
                Separator::Regex(self.regex(&both)?)
            }
            _ => Separator::Regex(self.regex(fs)?),
        })
    }

    pub fn set_record(&mut self, text: Vec<u8>) {
        self.record = Record { text: Some(Val::outside(&text)), fields: None, stale: false };
    }

    pub fn split_record(&mut self) -> Eval<()> {
        if self.record.fields.is_some() {
            return Ok(());
        }
        let fs = self.special_text(special::FS);
        let newline = self.special_text(special::RS).is_empty();
        let separator = self.separator(&fs)?;
        let text = self.record.text.as_ref().map(|t| t.text(b"")).unwrap_or_else(|| Rc::from(&b""[..]));
        let mut fields = Vec::new();
        separator.split(&text, newline, |f| fields.push(Val::outside(f)));
        self.set_special(special::NF, Val::Num(fields.len() as f64));
        self.record.fields = Some(fields);
        Ok(())
    }

    pub fn record_text(&mut self) -> Eval<Rc<[u8]>> {
        if self.record.stale {
            let ofs = self.special_text(special::OFS);
            let mut text = Vec::new();
            for (i, f) in self.record.fields.iter().flatten().enumerate() {
                if i > 0 {
                    text.extend_from_slice(&ofs);
                }
                text.extend_from_slice(&self.text(f));
            }
            self.record.text = Some(Val::outside(&text));
            self.record.stale = false;
        }
        Ok(self.record.text.as_ref().map(|t| self.text(t)).unwrap_or_else(|| Rc::from(&b""[..])))
    }

    pub fn field(&mut self, n: usize) -> Eval<Val> {
        if n == 0 {
            self.record_text()?;
            return Ok(self.record.text.clone().unwrap_or_default());
        }
        self.split_record()?;
        Ok(self.record.fields.as_ref().and_then(|f| f.get(n - 1)).cloned().unwrap_or_default())
    }

    pub fn set_field(&mut self, n: usize, value: Val) -> Eval<()> {
        if n == 0 {
            let text = self.text(&value);
            self.set_record(text.to_vec());
            return Ok(());
        }
        self.split_record()?;
        let value = match value {
            Val::Num(_) => value,
            other => Val::outside(&self.text(&other)),
        };
        if let Some(fields) = &mut self.record.fields {
            if fields.len() < n {
                fields.resize(n, Val::None);
                self.globals[special::NF] = Cell::Val(Val::Num(n as f64));
            }
            fields[n - 1] = value;
        }
        self.record.stale = true;
        Ok(())
    }

    /// An assignment to NF: fields go or come, and the record is made anew.
    pub fn set_field_count(&mut self, n: f64) -> Eval<()> {
        if !(0.0..=1e7).contains(&n) {
            return Err("NF has no such value".into());
        }
        if let Some(fields) = &mut self.record.fields {
            fields.resize(n as usize, Val::None);
        }
        self.set_special(special::NF, Val::Num(n.trunc()));
        self.record.stale = true;
        Ok(())
    }
}
