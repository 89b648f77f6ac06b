//! Where pages are: below the directories of MANPATH, in `man1` and so on, and in an archive `pages.tar` there,
//! which is one file of the image for all of ours.

use super::mdoc;
use vkernel_sys::{fs, io};

/// Sections in the order in which a name is looked for, with their titles.
const SECTIONS: [(&str, &str); 9] = [
    ("1", "General Commands Manual"),
    ("8", "System Manager's Manual"),
    ("2", "System Calls Manual"),
    ("3", "Library Functions Manual"),
    ("5", "File Formats Manual"),
    ("4", "Device Drivers Manual"),
    ("7", "Miscellaneous Information Manual"),
    ("6", "Games Manual"),
    ("9", "Kernel Developer's Manual"),
];

/// Commands that have no page of their own: a line each, name and what it does.
const COMMANDS: &str = "man1/commands";

/// Larger than any page: somebody else's file.
const MAX: usize = 4 << 20;

pub struct Page {
    pub section: String,
    /// The name of its file, without the section.
    pub stem: String,
    /// What its section NAME lists.
    pub names: Vec<String>,
    pub about: String,
    pub body: Body,
}

pub enum Body {
    Text(Vec<u8>),
    /// There is a file, for a directory that isn't an archive.
    File(Vec<u8>),
    /// What the command says of itself.
    Help,
}

pub fn section_title(section: &str) -> &'static str {
    let digit = section.get(..1).unwrap_or_default();
    SECTIONS.iter().find(|s| s.0 == digit).map_or("Manual", |s| s.1)
}

/// Where a page stands among others of its name.
fn order(page: &Page) -> usize {
    SECTIONS.iter().position(|s| page.section.starts_with(s.0)).unwrap_or(SECTIONS.len())
}

/// All pages of some directories, in the order in which they are shown.
pub fn all(dirs: &[Vec<u8>]) -> Vec<Page> {
    let mut pages = Vec::new();
    for dir in dirs {
        for section in fs::read_dir(dir).unwrap_or_default() {
            if section.name.starts_with(b"man") {
                files(&[dir, b"/".as_slice(), &section.name].concat(), &mut pages);
            }
        }
        if let Ok(tar) = io::read_file(&[dir, b"/pages.tar".as_slice()].concat()) {
            archive(&tar, &mut pages);
        }
    }
    pages.sort_by_key(order);
    pages
}

fn files(dir: &[u8], pages: &mut Vec<Page>) {
    let mut names: Vec<Vec<u8>> = fs::read_dir(dir).unwrap_or_default().into_iter().map(|e| e.name).collect();
    names.sort();
    for name in names {
        let path = [dir, b"/".as_slice(), &name].concat();
        if let Some((stem, section)) = split(&name)
            && let Ok(text) = io::read_file(&path)
            && text.len() <= MAX
        {
            let (names, about) = name_section(&String::from_utf8_lossy(&text));
            pages.push(Page { section, stem, names, about, body: Body::File(path) });
        }
    }
}

/// `open` and `2` of `open.2`.
fn split(file: &[u8]) -> Option<(String, String)> {
    let name = String::from_utf8_lossy(file);
    let (stem, section) = name.rsplit_once('.')?;
    (!stem.is_empty() && !section.is_empty()).then(|| (stem.to_string(), section.to_string()))
}

/// The regular files of a ustar archive (POSIX `pax`, ustar Interchange Format).
fn archive(tar: &[u8], pages: &mut Vec<Page>) {
    let mut rest = tar;
    while let Some((header, behind)) = rest.split_at_checked(512) {
        let text = |at: usize, len: usize| {
            let field = &header[at..at + len];
            String::from_utf8_lossy(field.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
        };
        let Ok(size) = usize::from_str_radix(text(124, 12).trim(), 8) else { return };
        let Some(contents) = behind.get(..size) else { return };
        rest = behind.get(size.next_multiple_of(512)..).unwrap_or_default();
        let path = text(0, 100);
        if path == COMMANDS {
            commands(&String::from_utf8_lossy(contents), pages);
        } else if let Some((stem, section)) = path.rsplit('/').next().and_then(|n| split(n.as_bytes()))
            && matches!(header[156], b'0' | 0)
        {
            let (names, about) = name_section(&String::from_utf8_lossy(contents));
            pages.push(Page { section, stem, names, about, body: Body::Text(contents.to_vec()) });
        }
    }
}

fn commands(list: &str, pages: &mut Vec<Page>) {
    for (name, about) in list.lines().filter_map(|l| l.split_once('\t')) {
        let name = name.to_string();
        pages.push(Page {
            section: "1".into(),
            stem: name.clone(),
            names: vec![name],
            about: about.into(),
            body: Body::Help,
        });
    }
}

/// What the section NAME says: the names, and what they are.
fn name_section(text: &str) -> (Vec<String>, String) {
    let (mut names, mut about, mut inside) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        if line.starts_with(".Sh ") || line.starts_with(".SH ") {
            if inside {
                break;
            }
            inside = line[4..].trim().trim_matches('"') == "NAME";
        } else if inside && line.starts_with(".Nm ") {
            let words = mdoc::words(line).into_iter().skip(1).filter(|w| w != ",");
            names.extend(words.map(|w| w.replace("\\&", "")));
        } else if inside && line.starts_with(".Nd ") {
            about = line[4..].to_string();
        } else if inside && !line.starts_with('.') {
            let line = line.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
            if let Some((list, what)) = line.split_once(" - ") {
                names.extend(list.split(',').map(|n| n.trim().to_string()));
                about = what.to_string();
            }
        }
    }
    (names, about)
}

impl Page {
    pub fn is_called(&self, name: &str) -> bool {
        self.stem == name || self.names.iter().any(|n| n == name)
    }

    /// A line of `apropos`.
    pub fn line(&self) -> String {
        let names = if self.names.is_empty() { self.stem.clone() } else { self.names.join(", ") };
        format!("{:<20} - {}", format!("{names} ({})", self.section), self.about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_both_languages() {
        let (names, about) = name_section(".Sh NAME\n.Nm a ,\n.Nm b , c\n.Nd do it\n.Sh X\n.Nm d");
        assert_eq!((names.join(" "), about.as_str()), ("a b c".into(), "do it"));
        let (names, about) = name_section(".SH \"NAME\"\na, b \\- do it\n.SH X\n");
        assert_eq!((names.join(" "), about.as_str()), ("a b".into(), "do it"));
    }

    #[test]
    fn a_damaged_archive_has_no_pages() {
        for tar in [&b""[..], &[0; 512], &[b'7'; 512], &[b'7'; 2000]] {
            let mut pages = Vec::new();
            archive(tar, &mut pages);
            assert!(pages.is_empty());
        }
    }
}
