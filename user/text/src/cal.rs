//! `cal` (POSIX cal): a month, or a year.

use crate::options::{Failure, Options, number};
use crate::say;
use kit::show::civil;
use vkernel_sys::sys;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// A month is so wide, and so high below its name.
const WIDTH: usize = 20;
const ROWS: usize = 7;

pub fn cal(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "cal [[MONTH] YEAR]";
    let o = Options::parse(args, "", USAGE, false)?;
    let in_range = |text: &[u8], most: u32| match number::<u32>(text)? {
        n if (1..=most).contains(&n) => Ok(n),
        n => Err(Failure::usage(format!("{n}: not in 1..{most}\nusage: {USAGE}"))),
    };
    match o.operands.as_slice() {
        [] => {
            let (y, m, ..) = civil(sys::clock_gettime(0).unwrap_or(0) as i64);
            month(y as u32, m);
        }
        [y] => year(in_range(y, 9999)?),
        [m, y] => month(in_range(y, 9999)?, in_range(m, 12)?),
        _ => return Err(Failure::usage(format!("usage: {USAGE}"))),
    }
    Ok(0)
}

fn centred(text: &str, width: usize) -> String {
    let before = (width - text.len().min(width)) / 2;
    format!("{}{text}", " ".repeat(before))
}

fn month(y: u32, m: u32) {
    say!("{}", centred(&format!("{} {y}", MONTHS[m as usize - 1]), WIDTH));
    rows(y, m).iter().for_each(|r| say!("{r}"));
}

fn year(y: u32) {
    say!("{}", centred(&y.to_string(), 3 * WIDTH + 4).trim_end());
    for quarter in 0..4 {
        let months = [1, 2, 3].map(|i| quarter * 3 + i);
        let names = months.map(|m| format!("{:WIDTH$}", centred(MONTHS[m as usize - 1], WIDTH)));
        say!("{}", names.join("  ").trim_end());
        let rows = months.map(|m| rows(y, m));
        for i in 0..ROWS {
            let line = rows.each_ref().map(|r| format!("{:WIDTH$}", r[i]));
            say!("{}", line.join("  ").trim_end());
        }
    }
}

/// The weekdays, and six weeks that begin on Sunday.
fn rows(y: u32, m: u32) -> Vec<String> {
    let mut rows = vec!["Su Mo Tu We Th Fr Sa".to_string()];
    let mut cells = vec!["  ".to_string(); weekday(y, m) as usize];
    for d in (1..=length(y, m)).filter(|d| !((y, m) == (1752, 9) && (3..14).contains(d))) {
        cells.push(format!("{d:2}"));
    }
    rows.extend(cells.chunks(7).map(|week| week.join(" ")));
    rows.resize(ROWS, String::new());
    rows
}

fn leap(y: u32) -> bool {
    y.is_multiple_of(4) && (y <= 1752 || !y.is_multiple_of(100) || y.is_multiple_of(400))
}

fn length(y: u32, m: u32) -> u32 {
    match m {
        2 => 28 + leap(y) as u32,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of the first day, 0 for Sunday. England's calendar, as POSIX has it: eleven days were left out in September 1752.
fn weekday(y: u32, m: u32) -> u32 {
    let new = (y, m) > (1752, 9);
    let before = y - 1;
    let leaps = before / 4 - if new { before / 100 - before / 400 } else { 0 };
    let days = before * 365 + leaps + (1..m).map(|m| length(y, m)).sum::<u32>();
    // The first of January of the year 1 was a Saturday, by the new count a Monday.
    (days + if new { 1 } else { 6 }) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_on_their_days() {
        let days = [(2026, 11), (2000, 2), (1900, 3), (1752, 9), (1752, 10), (1752, 8), (1, 1), (1970, 1), (1753, 1)];
        assert_eq!(days.map(|(y, m)| weekday(y, m)), [0, 2, 4, 2, 0, 6, 6, 4, 1]);
        assert_eq!(rows(1752, 9)[1], "       1  2 14 15 16");
        assert_eq!((length(1900, 2), length(2000, 2), length(1700, 2)), (28, 29, 29));
    }
}
