//! Going through directories.

use super::expr::{Expr, now, run};
use super::parse::Parsed;
use crate::show::flush_now;
use kit::show::Names;
use vkernel_sys::{Errno, Stat, SysResult, fs, mode};

/// Names for one command: longer argument lists are cut.
const BATCH_BYTES: usize = 64 << 10;

pub struct Entry {
    pub path: Vec<u8>,
    pub stat: Stat,
    pub depth: usize,
    /// How much of the path is what was given.
    pub top: usize,
}

impl Entry {
    pub fn name(&self) -> &[u8] {
        let mut path = self.path.as_slice();
        while path.len() > 1 && path.ends_with(b"/") {
            path = &path[..path.len() - 1];
        }
        match path.iter().rposition(|b| *b == b'/') {
            Some(n) if path.len() > 1 => &path[n + 1..],
            _ => path,
        }
    }
}

/// A command and the names that it will be given.
type Batch = (Vec<Vec<u8>>, Vec<Vec<u8>>);

pub struct Walk {
    parsed: std::rc::Rc<Parsed>,
    follow: u8,
    pub prune: bool,
    pub quit: bool,
    pub now_ns: i64,
    pub users: Names,
    pub groups: Names,
    status: i32,
    batches: Vec<Batch>,
}

impl Walk {
    pub fn new(parsed: Parsed, follow: u8) -> Walk {
        let follow = if parsed.follow { b'L' } else { follow };
        let batches = vec![Default::default(); parsed.collections];
        let (users, groups) = (Names::users(), Names::groups());
        Walk {
            parsed: parsed.into(),
            follow,
            prune: false,
            quit: false,
            now_ns: now(),
            users,
            groups,
            status: 0,
            batches,
        }
    }

    /// One of the paths that were given. False when there shall be no more.
    pub fn top(&mut self, path: &[u8]) -> bool {
        match self.stat(path, 0) {
            Ok(stat) => {
                let dev = stat.dev;
                let e = Entry { path: path.to_vec(), stat, depth: 0, top: path.len() };
                self.entry(e, dev, &mut Vec::new());
            }
            Err(e) => self.complain(b"", path, e),
        }
        !self.quit
    }

    fn stat(&self, path: &[u8], depth: usize) -> SysResult<Stat> {
        if self.follow == b'L' || (self.follow == b'H' && depth == 0) {
            // A link to nothing is itself.
            return fs::stat(path).or_else(|_| fs::lstat(path));
        }
        fs::lstat(path)
    }

    pub fn complain(&mut self, what: &[u8], path: &[u8], e: Errno) {
        flush_now();
        eprintln!("find: {}{}: {e}", String::from_utf8_lossy(what), String::from_utf8_lossy(path));
        self.status = 1;
    }

    fn test(&mut self, e: &Entry) {
        if e.depth >= self.parsed.min_depth {
            let parsed = self.parsed.clone();
            let expr: &Expr = &parsed.expr;
            expr.test(self, e);
        }
    }

    /// `above`: the directories that this one is in, so that links don't lead round for ever.
    fn entry(&mut self, e: Entry, dev: u64, above: &mut Vec<(u64, u64)>) {
        let parsed = self.parsed.clone();
        self.prune = false;
        if !parsed.depth_first {
            self.test(&e);
        }
        let is_dir = e.stat.mode & mode::IFMT == mode::IFDIR;
        let enter = is_dir && (parsed.depth_first || !self.prune) && e.depth < parsed.max_depth;
        if enter && !self.quit && !(parsed.one_device && e.stat.dev != dev) {
            let id = (e.stat.dev, e.stat.ino);
            if self.follow == b'L' && above.contains(&id) {
                self.complain(b"", &e.path, Errno::ELOOP);
            } else {
                above.push(id);
                self.below(&e, dev, above);
                above.pop();
            }
        }
        if parsed.depth_first && !self.quit {
            self.test(&e);
        }
    }

    fn below(&mut self, e: &Entry, dev: u64, above: &mut Vec<(u64, u64)>) {
        let names = match fs::read_dir(&e.path) {
            Ok(names) => names,
            Err(error) => return self.complain(b"", &e.path, error),
        };
        for n in names {
            if self.quit {
                return;
            }
            let slash: &[u8] = if e.path.ends_with(b"/") { b"" } else { b"/" };
            let path = [e.path.as_slice(), slash, &n.name].concat();
            match self.stat(&path, e.depth + 1) {
                Ok(stat) => self.entry(Entry { path, stat, depth: e.depth + 1, top: e.top }, dev, above),
                // Gone since its name was read.
                Err(Errno::ENOENT) => {}
                Err(error) => self.complain(b"", &path, error),
            }
        }
    }

    /// Adds a name to a command that takes many.
    pub fn collect(&mut self, n: usize, argv: &[Vec<u8>], name: Vec<u8>) {
        let (command, names) = &mut self.batches[n];
        if command.is_empty() {
            *command = argv.to_vec();
        }
        names.push(name);
        if names.iter().map(|n| n.len() + 1).sum::<usize>() > BATCH_BYTES || names.len() > 4000 {
            self.send(n);
        }
    }

    fn send(&mut self, n: usize) {
        let (command, names) = &mut self.batches[n];
        if names.is_empty() {
            return;
        }
        let argv: Vec<Vec<u8>> = command.iter().cloned().chain(names.drain(..)).collect();
        if run(&argv, None) != 0 {
            self.status = 1;
        }
    }

    pub fn command(&mut self, argv: &[Vec<u8>], dir: Option<&[u8]>) -> i32 {
        run(argv, dir)
    }

    pub fn finish(mut self) -> i32 {
        for n in 0..self.batches.len() {
            self.send(n);
        }
        self.status
    }
}
