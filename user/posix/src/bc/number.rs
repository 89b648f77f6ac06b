//! Decimal numbers of any length: an integer and how many of its digits stand behind the point (POSIX `bc`).

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// Digits that a number may have: beyond is a mistake, or a wish to fill the memory.
const DIGITS_MAX: u64 = 20_000_000;

#[derive(Clone, Debug)]
pub struct Number {
    value: BigInt,
    pub scale: u32,
}

pub type Result<T> = std::result::Result<T, String>;

fn ten(n: u32) -> BigInt {
    BigInt::from(10u8).pow(n)
}

impl Number {
    pub fn int(n: i64) -> Number {
        Number { value: n.into(), scale: 0 }
    }

    pub fn is_zero(&self) -> bool {
        self.value.is_zero()
    }

    /// Digits in a base. Before the point a single one has its value, of several those that are too large count as
    /// the largest.
    pub fn parse(text: &str, base: u32) -> Number {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let scale = fraction.len() as u32;
        let whole: Vec<u8> = whole.bytes().map(digit).collect();
        let largest = if whole.len() == 1 { u8::MAX } else { base as u8 - 1 };
        let whole: Vec<u8> = whole.into_iter().map(|d| d.min(largest)).collect();
        let mut value = match whole[..] {
            [one] => BigInt::from(one),
            _ => BigInt::from_radix_be(Sign::Plus, &whole, base).unwrap_or_default(),
        };
        if base == 10 {
            let digits = BigInt::parse_bytes(fraction.as_bytes(), 10).filter(|_| scale > 0);
            // Letters are digits in no way but one by one.
            if scale == 0 || digits.is_some() {
                return Number { value: value * ten(scale) + digits.unwrap_or_default(), scale };
            }
        }
        for b in fraction.bytes() {
            value = value * base + digit(b);
        }
        Number { value: value * ten(scale) / BigInt::from(base).pow(scale), scale }
    }

    /// The value with this many digits behind the point, the others cut off.
    fn at(&self, scale: u32) -> BigInt {
        match scale.cmp(&self.scale) {
            Ordering::Equal => self.value.clone(),
            Ordering::Greater => &self.value * ten(scale - self.scale),
            Ordering::Less => &self.value / ten(self.scale - scale),
        }
    }

    pub fn with_scale(&self, scale: u32) -> Number {
        Number { value: self.at(scale), scale }
    }

    pub fn negated(&self) -> Number {
        Number { value: -&self.value, scale: self.scale }
    }

    pub fn add(&self, other: &Number) -> Number {
        let scale = self.scale.max(other.scale);
        Number { value: self.at(scale) + other.at(scale), scale }
    }

    pub fn sub(&self, other: &Number) -> Number {
        self.add(&other.negated())
    }

    pub fn mul(&self, other: &Number, scale: u32) -> Number {
        let full = self.scale + other.scale;
        let product = Number { value: &self.value * &other.value, scale: full };
        product.with_scale(full.min(scale.max(self.scale).max(other.scale)))
    }

    pub fn div(&self, other: &Number, scale: u32) -> Result<Number> {
        if other.is_zero() {
            return Err("Divide by zero".into());
        }
        let (a, b) = (&self.value * ten(scale + other.scale), &other.value * ten(self.scale));
        Ok(Number { value: a / b, scale })
    }

    pub fn rem(&self, other: &Number, scale: u32) -> Result<Number> {
        let quotient = self.div(other, scale)?;
        let all = (scale + other.scale).max(self.scale);
        let product = Number { value: &quotient.value * &other.value, scale: scale + other.scale };
        Ok(Number { value: self.at(all) - product.at(all), scale: all })
    }

    pub fn pow(&self, exponent: &Number, scale: u32) -> Result<Number> {
        let Some(n) = exponent.at(0).to_i64() else { return Err("exponent too large in raise".into()) };
        if n == 0 {
            return Ok(Number::int(1));
        }
        let times = n.unsigned_abs();
        let bits = self.value.bits();
        if bits > 1 && times.saturating_mul(bits) / 3 > DIGITS_MAX {
            return Err("exponent too large in raise".into());
        }
        let times = u32::try_from(times).unwrap_or(u32::from(times % 2 == 1) + 2);
        let full = (self.scale as u64).saturating_mul(times as u64);
        if full > DIGITS_MAX {
            return Err("exponent too large in raise".into());
        }
        let power = Number { value: self.value.pow(times), scale: full as u32 };
        match n < 0 {
            true => Number::int(1).div(&power, scale),
            false => Ok(power.with_scale((full as u32).min(scale.max(self.scale)))),
        }
    }

    pub fn sqrt(&self, scale: u32) -> Result<Number> {
        if self.value.is_negative() {
            return Err("Square root of a negative number".into());
        }
        let scale = scale.max(self.scale);
        Ok(Number { value: self.at(2 * scale).sqrt(), scale })
    }

    pub fn compare(&self, other: &Number) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at(scale).cmp(&other.at(scale))
    }

    /// The digits that count, as `length` has them.
    pub fn length(&self) -> u32 {
        let digits = if self.is_zero() { 0 } else { self.value.abs().to_string().len() as u32 };
        digits.max(self.scale).max(1)
    }

    /// Without what is behind the point.
    pub fn to_int(&self) -> Option<i64> {
        self.at(0).to_i64()
    }

    /// In a base, without line ends.
    pub fn show(&self, base: u32) -> String {
        let sign = if self.value.is_negative() { "-" } else { "" };
        let value = self.value.abs();
        if value.is_zero() {
            return "0".into();
        }
        let unit = ten(self.scale);
        let (whole, fraction) = value.div_rem(&unit);
        let mut out = String::from(sign);
        if base == 10 {
            if !whole.is_zero() {
                out += &whole.to_string();
            }
            if self.scale > 0 {
                out += &format!(".{:0>width$}", fraction.to_string(), width = self.scale as usize);
            }
            return out;
        }
        if !whole.is_zero() {
            whole.to_radix_be(base).1.iter().for_each(|d| put_digit(&mut out, *d as u32, base));
        }
        if self.scale > 0 {
            let point = out.len();
            // As many digits as make up the scale in decimal ones.
            let (mut rest, mut reached, base_int) = (fraction, BigInt::one(), BigInt::from(base));
            while reached.to_string().len() <= self.scale as usize {
                let (digit, left) = (&rest * &base_int).div_rem(&unit);
                put_digit(&mut out, digit.to_u32().unwrap_or(0), base);
                rest = left;
                reached *= &base_int;
            }
            set_point(&mut out, point);
        }
        out
    }

    /// In a base above the 256 of one byte a digit, as the others: whole and fraction by division.
    pub fn show_large(&self, base: &BigInt) -> String {
        let unit = ten(self.scale);
        let (mut whole, fraction) = self.value.abs().div_rem(&unit);
        if self.is_zero() {
            return "0".into();
        }
        let width = (base - 1u8).to_string().len();
        let put = |d: &BigInt| format!(" {:0>width$}", d.to_string());
        let mut digits = Vec::new();
        while !whole.is_zero() {
            let (next, d) = whole.div_rem(base);
            digits.push(put(&d));
            whole = next;
        }
        digits.reverse();
        let mut out = if self.value.is_negative() { String::from("-") } else { String::new() };
        out += &digits.concat();
        if self.scale > 0 {
            let point = out.len();
            let (mut rest, mut reached) = (fraction, BigInt::one());
            while reached.to_string().len() <= self.scale as usize {
                let (d, left) = (&rest * base).div_rem(&unit);
                out += &put(&d);
                rest = left;
                reached *= base;
            }
            set_point(&mut out, point);
        }
        out
    }
}

fn digit(b: u8) -> u8 {
    if b.is_ascii_digit() { b - b'0' } else { b - b'A' + 10 }
}

/// Puts the point before the fraction, instead of the blank that its first digit may have.
fn set_point(out: &mut String, at: usize) {
    let blank = out[at..].starts_with(' ') as usize;
    out.replace_range(at..at + blank, ".");
}

/// One character up to 16, beyond that a decimal number behind a blank.
fn put_digit(out: &mut String, digit: u32, base: u32) {
    if base <= 16 {
        out.push(char::from_digit(digit, 16).unwrap_or('?').to_ascii_uppercase());
    } else {
        let width = (base - 1).to_string().len();
        *out += &format!(" {digit:0>width$}");
    }
}

/// A number in the base that `obase` says.
pub fn show_in(number: &Number, base: i64) -> String {
    match base {
        2..=256 => number.show(base as u32),
        _ => number.show_large(&BigInt::from(base)),
    }
}
