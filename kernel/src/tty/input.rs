//! What was typed and nobody has read: bytes, with marks where lines end.
//!
//! At most [`MAX`] items, allocated once. In canonical mode a reader sees complete lines only, one
//! at a time; what is behind the last mark is the line that is being edited.

use alloc::collections::VecDeque;

use abi::{Errno, SysResult};

/// POSIX MAX_CANON and MAX_INPUT; Linux's number.
pub const MAX: usize = 4096;

/// A byte, and perhaps one of the marks.
type Item = u16;
/// The line ends with this byte.
const END: Item = 0x100;
/// The line ended before this item, which is no byte.
const EOF: Item = 0x200;

pub struct Input {
    items: VecDeque<Item>,
    /// Items up to the last mark.
    complete: usize,
}

impl Input {
    /// ENOMEM.
    pub fn new() -> SysResult<Input> {
        let mut items = VecDeque::new();
        items.try_reserve_exact(MAX).map_err(|_| Errno::ENOMEM)?;
        Ok(Input { items, complete: 0 })
    }

    /// Items, marks included.
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// There is a line to be read.
    pub fn has_line(&self) -> bool {
        self.complete > 0
    }
    /// Items that more may be put behind.
    pub fn free(&self) -> usize {
        MAX - self.items.len()
    }
    /// Bytes in complete lines: FIONREAD of a cooked terminal.
    pub fn line_bytes(&self) -> usize {
        self.items.iter().take(self.complete).filter(|&&i| i & EOF == 0).count()
    }
    pub fn clear(&mut self) {
        self.items.clear();
        self.complete = 0;
    }

    /// A byte of the line, if there is room. Room for a mark is kept.
    pub fn push(&mut self, byte: u8) -> bool {
        self.push_item(byte as Item, 1)
    }
    /// A byte for readers that take them as they come.
    pub fn push_raw(&mut self, byte: u8) -> bool {
        self.push_item(byte as Item, 0)
    }
    /// The byte that ends a line.
    pub fn end_line(&mut self, byte: u8) -> bool {
        self.mark(byte as Item | END)
    }
    /// The line ends, with no byte for it.
    pub fn end_of_file(&mut self) -> bool {
        self.mark(EOF)
    }

    fn mark(&mut self, item: Item) -> bool {
        let done = self.push_item(item, 0);
        self.complete = if done { self.items.len() } else { self.complete };
        done
    }
    fn push_item(&mut self, item: Item, keep: usize) -> bool {
        let room = self.free() > keep;
        if room {
            self.items.push_back(item);
        }
        room
    }

    /// The line that is being edited.
    pub fn line(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.items.range(self.complete..).map(|&i| i as u8)
    }
    pub fn line_len(&self) -> usize {
        self.items.len() - self.complete
    }
    /// Takes so many bytes off its end.
    pub fn erase(&mut self, n: usize) {
        self.items.truncate(self.items.len() - n.min(self.line_len()));
    }

    /// Takes from the first line, as much as there is room for. The mark of an end of file goes with
    /// the byte before it (POSIX 11.1.6: it is discarded); alone it is 0 bytes, once.
    pub fn take_line(&mut self, buf: &mut [u8]) -> Taken {
        let mut n = 0;
        while self.complete > 0 && n < buf.len() {
            let item = self.pop();
            if item & EOF != 0 {
                return Taken { bytes: n, line: true };
            }
            buf[n] = item as u8;
            n += 1;
            if item & END != 0 {
                return Taken { bytes: n, line: true };
            }
        }
        let eof = n > 0 && self.complete > 0 && self.items.front().is_some_and(|i| i & EOF != 0);
        if eof {
            self.pop();
        }
        Taken { bytes: n, line: eof }
    }

    fn pop(&mut self) -> Item {
        self.complete -= 1;
        self.items.pop_front().unwrap_or(EOF)
    }

    /// Takes bytes as they came.
    pub fn take(&mut self, buf: &mut [u8]) -> usize {
        let n = self.items.len().min(buf.len());
        for (to, item) in buf.iter_mut().zip(self.items.drain(..n)) {
            *to = item as u8;
        }
        n
    }

    /// From now on all is bytes: what marks there are go.
    pub fn become_raw(&mut self) {
        self.items.retain(|i| i & EOF == 0);
        self.items.iter_mut().for_each(|i| *i &= 0xff);
        self.complete = 0;
    }
    /// From now on there are lines: what is there is one, as Linux has it.
    pub fn become_lines(&mut self) {
        if let Some(last) = self.items.back_mut() {
            *last |= END;
        }
        self.complete = self.items.len();
    }
}

/// What a reader got of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub bytes: usize,
    /// The line was at its end.
    pub line: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(i: &mut Input, n: usize) -> (alloc::vec::Vec<u8>, bool) {
        let mut buf = [0; 16];
        let t = i.take_line(&mut buf[..n]);
        (buf[..t.bytes].to_vec(), t.line)
    }

    #[test]
    fn an_end_of_file_is_read_once_and_only_where_a_line_is_empty() {
        let mut i = Input::new().expect("memory");
        b"abc".iter().for_each(|b| assert!(i.push(*b)));
        assert!(!i.has_line() && i.end_of_file() && i.end_of_file());
        assert_eq!(i.line_bytes(), 3);
        assert_eq!(take(&mut i, 2), (b"ab".to_vec(), false));
        // Exactly what was left: the mark goes along.
        assert_eq!(take(&mut i, 1), (b"c".to_vec(), true));
        assert_eq!(take(&mut i, 9), (b"".to_vec(), true));
        assert!(!i.has_line());
    }

    #[test]
    fn a_change_of_mode_loses_nothing() {
        let mut i = Input::new().expect("memory");
        i.push(b'a');
        i.end_line(b'\n');
        i.end_of_file();
        i.push(b'b');
        i.become_raw();
        let mut buf = [0; 9];
        assert_eq!((i.take(&mut buf[..1]), i.len()), (1, 2));
        i.become_lines();
        assert_eq!(take(&mut i, 9), (b"\nb".to_vec(), true));
    }
}
