//! How `ls` lays out several names in a line. Names come as they are shown, with their widths.

use crate::show::put;

#[derive(Clone, Copy, PartialEq)]
pub enum Layout {
    Down,
    Across,
    Commas,
}

/// In columns of their own width (`-C`).
pub fn down(labels: &[(Vec<u8>, usize)], screen: usize) {
    let (rows, widths) = columns(&labels.iter().map(|l| l.1).collect::<Vec<_>>(), screen);
    for row in 0..rows {
        for (col, w) in widths.iter().enumerate() {
            let Some((text, own)) = labels.get(col * rows + row) else { break };
            put(text);
            if labels.get((col + 1) * rows + row).is_some() {
                put(" ".repeat(w + 2 - own).as_bytes());
            }
        }
        put(b"\n");
    }
}

/// The fewest rows, filled row by row (`-x`).
pub fn across(labels: &[(Vec<u8>, usize)], screen: usize) {
    let wide = |cols: usize| -> Vec<usize> {
        (0..cols).map(|c| labels.iter().skip(c).step_by(cols).map(|l| l.1).max().unwrap_or(0)).collect()
    };
    let fits = |w: &[usize]| w.iter().sum::<usize>() + 2 * (w.len() - 1) <= screen;
    let most = labels.len().min(screen / 3 + 1);
    let widths = (2..=most).rev().map(wide).find(|w| fits(w)).unwrap_or_else(|| wide(1));
    for (i, (text, own)) in labels.iter().enumerate() {
        put(text);
        let last = i + 1 == labels.len() || (i + 1) % widths.len() == 0;
        if last { put(b"\n") } else { put(" ".repeat(widths[i % widths.len()] + 2 - own).as_bytes()) }
    }
}

/// One after the other with commas (`-m`), a new line where the next name would not fit.
pub fn commas(labels: &[(Vec<u8>, usize)], screen: usize) {
    let mut at = 0;
    for (i, (text, own)) in labels.iter().enumerate() {
        let last = i + 1 == labels.len();
        if i > 0 {
            let breaks = at + 2 + own + usize::from(!last) > screen;
            put(if breaks { b"\n" } else { b" " });
            at = if breaks { 0 } else { at + 1 };
        }
        put(text);
        at += own + 1;
        put(if last { b"\n" } else { b"," });
    }
}

/// The fewest rows into which names of these widths go, filled column by column.
fn columns(widths: &[usize], screen: usize) -> (usize, Vec<usize>) {
    for rows in 1..=widths.len() {
        let cols: Vec<usize> = widths.chunks(rows).map(|c| c.iter().copied().max().unwrap_or(0)).collect();
        if cols.iter().sum::<usize>() + 2 * (cols.len() - 1) <= screen {
            return (rows, cols);
        }
    }
    (widths.len(), widths.iter().max().copied().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_laid_out_in_columns_that_fit() {
        assert_eq!(columns(&[3, 3, 3], 20), (1, vec![3, 3, 3]));
        assert_eq!(columns(&[8, 8, 8, 8], 20), (2, vec![8, 8]));
        assert_eq!(columns(&[50], 20), (1, vec![50]));
        assert_eq!(columns(&[], 20), (0, vec![]));
    }
}
