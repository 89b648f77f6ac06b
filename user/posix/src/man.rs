//! `man`, `apropos`, `whatis`: the manual's pages, for the terminal's width, through a pager.

mod layout;
mod man7;
mod mdoc;
mod pages;

use kit::options::{Failure, Options};
use kit::{process, say, show::put};
use layout::{Layout, Style};
use pages::{Body, Page};
use vkernel_sys::proc::{Disposition, sigaction};
use vkernel_sys::{Spawn, io, o, sig, tty};

const USAGE: &str = "man [-a] [-M path] [-s section] [section] name...\n       man -k [-M path] keyword...\n       man -f [-M path] name...";
/// What other systems' `man` answers when there is no such page.
const NONE: i32 = 16;

pub fn man(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(
        args,
        "afks:S:M:w",
        &[("all", b'a'), ("apropos", b'k'), ("whatis", b'f'), ("sections", b's'), ("manpath", b'M')],
        USAGE,
        false,
    )?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("which page?\nusage: {USAGE}")));
    }
    let pages = pages::all(&path(&o));
    if o.has(b'k') || o.has(b'f') {
        return list(&pages, &o.operands, o.has(b'f'));
    }
    let mut names: Vec<String> = o.operands.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
    let mut section = o.value(b's').or(o.value(b'S')).map(|s| String::from_utf8_lossy(s).into_owned());
    if section.is_none() && names.len() > 1 && names[0].len() < 4 && names[0].starts_with(|c: char| c.is_ascii_digit())
    {
        section = Some(names.remove(0));
    }
    let width = width();
    let (mut text, mut status) = (String::new(), 0);
    let colours = tty::isatty(1) && pager().1;
    for name in &names {
        let found = shown(&pages, name, section.as_deref(), o.has(b'a'));
        if found.is_empty() && name.contains('/') {
            let bytes = io::read_file(name.as_bytes()).map_err(|e| Failure::with(name.as_bytes(), e))?;
            text += &rendered(&bytes, width, colours);
            continue;
        }
        if found.is_empty() {
            let place = section.as_ref().map_or(String::new(), |s| format!(" in section {s}"));
            eprintln!("No manual entry for {name}{place}");
            status = NONE;
        }
        for page in found {
            text += &page_text(page, name, width, colours)?;
        }
    }
    if !text.is_empty() {
        page_out(&text);
    }
    Ok(status)
}

pub fn apropos(args: &[Vec<u8>]) -> Result<i32, Failure> {
    listing(args, "apropos [-M path] keyword...", false)
}
pub fn whatis(args: &[Vec<u8>]) -> Result<i32, Failure> {
    listing(args, "whatis [-M path] name...", true)
}

fn listing(args: &[Vec<u8>], usage: &str, whole: bool) -> Result<i32, Failure> {
    let o = Options::parse(args, "M:", usage, false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("which word?\nusage: {usage}")));
    }
    list(&pages::all(&path(&o)), &o.operands, whole)
}

/// The directories with pages.
fn path(o: &Options) -> Vec<Vec<u8>> {
    let given = o.value(b'M').map(<[u8]>::to_vec);
    let given = given.or_else(|| std::env::var_os("MANPATH").map(|p| p.as_encoded_bytes().to_vec()));
    let path = given.filter(|p| !p.is_empty()).unwrap_or(b"/usr/local/share/man:/usr/share/man".to_vec());
    path.split(|b| *b == b':').filter(|d| !d.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Pages whose names or descriptions have one of the words, or whose names are one of them.
fn list(pages: &[Page], words: &[Vec<u8>], whole: bool) -> Result<i32, Failure> {
    let mut status = 0;
    for word in words {
        let word = String::from_utf8_lossy(word).to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&word);
        let fits = |p: &&Page| match whole {
            true => p.is_called(&word),
            false => has(&p.stem) || has(&p.about) || p.names.iter().any(|n| has(n)),
        };
        let mut lines: Vec<String> = pages.iter().filter(fits).map(Page::line).collect();
        lines.dedup();
        if lines.is_empty() {
            eprintln!("{word}: nothing appropriate.");
            status = NONE;
        }
        lines.iter().for_each(|l| say!("{l}"));
    }
    Ok(status)
}

/// The pages to be shown for a name.
fn shown<'a>(pages: &'a [Page], name: &str, section: Option<&str>, all: bool) -> Vec<&'a Page> {
    let fits = |p: &&Page| p.is_called(name) && section.is_none_or(|s| p.section.starts_with(s));
    let found: Vec<&Page> = pages.iter().filter(fits).collect();
    if all {
        return found;
    }
    // In a section the page of this very name comes before those that are about it, too.
    let first = found.first().map(|p| p.section.clone()).unwrap_or_default();
    let here = |p: &&&Page| p.section == first;
    let best = found.iter().filter(here).find(|p| p.stem == name).or(found.first());
    best.into_iter().copied().collect()
}

fn page_text(page: &Page, name: &str, width: usize, colours: bool) -> Result<String, Failure> {
    Ok(match &page.body {
        Body::Text(text) => rendered(text, width, colours),
        Body::File(path) => rendered(&io::read_file(path).map_err(|e| Failure::with(path, e))?, width, colours),
        Body::Help => help(page, name, width, colours)?,
    })
}

fn rendered(text: &[u8], width: usize, colours: bool) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = Layout::new(width, colours);
    let begins = |with: &str| text.lines().any(|l| l.starts_with(with));
    if begins(".Dd") || begins(".Sh") {
        mdoc::render(&text, &mut out);
    } else if begins(".TH") || begins(".SH") {
        man7::render(&text, &mut out);
    } else {
        return text.into_owned();
    }
    out.finish()
}

/// A page for a command that has none: what it says of itself.
fn help(page: &Page, name: &str, width: usize, colours: bool) -> Result<String, Failure> {
    let says = output_of(name)?;
    let mut out = Layout::new(width, colours);
    let title = format!("{}({})", name.to_uppercase(), page.section);
    out.edges(&title, pages::section_title(&page.section), &title);
    let heading = |out: &mut Layout, title: &str| {
        out.heading(title, 0);
        out.set_indent(5);
    };
    let plain = |text: &str| text.chars().map(|c| (c, Style::Plain)).collect::<Vec<_>>();
    heading(&mut out, "NAME");
    out.text(&plain(&format!("{name} – {}", page.about)));
    heading(&mut out, "DESCRIPTION");
    out.text(&plain(&format!("This is what “{name} --help” says.")));
    out.blank();
    says.lines().for_each(|l| out.literal(&plain(l)));
    out.set_indent(0);
    out.blank();
    out.edges("vkernel", "", &title);
    Ok(out.finish())
}

/// What a command writes for `--help`.
fn output_of(name: &str) -> Result<String, Failure> {
    let failed = |e| Failure::with(name.as_bytes(), e);
    let (r, w) = io::pipe2(o::CLOEXEC).map_err(failed)?;
    let pid = process::command(&[name.as_bytes().to_vec(), b"--help".to_vec()])
        .dup2(w, 1)
        .open(0, b"/dev/null", o::RDONLY, 0)
        .open(2, b"/dev/null", o::WRONLY, 0)
        .spawn();
    // Without our end of it the pipe ends when the command does.
    let _ = io::close(w);
    let pid = pid.map_err(failed)?;
    let text = io::read_to_end(r).map_err(failed);
    let _ = io::close(r);
    // What it wrote counts, not how it ended.
    let _ = process::wait_for(pid);
    Ok(String::from_utf8_lossy(&text?).into_owned())
}

fn width() -> usize {
    let asked = std::env::var("MANWIDTH").ok().and_then(|w| w.parse().ok());
    let terminal = || tty::winsize(1).ok().map(|s| s.cols as usize).filter(|c| *c > 0);
    asked.or_else(terminal).unwrap_or(80).clamp(20, 400)
}

/// The pager, and whether it is one that shows bold when it is told to.
fn pager() -> (Option<String>, bool) {
    let named = |name: &str| std::env::var(name).ok().filter(|p| !p.trim().is_empty());
    let named = named("MANPAGER").or_else(|| named("PAGER"));
    let knows = named.as_deref().is_none_or(|p| p.split(' ').next().unwrap_or(p).ends_with("less"));
    (named, knows)
}

/// To the pager if a person reads it.
fn page_out(text: &str) {
    let started = tty::isatty(1).then(|| {
        let (r, w) = io::pipe2(o::CLOEXEC).ok()?;
        let pager = match pager().0 {
            Some(command) => process::shell(command.as_bytes()),
            None => process::command(&[b"less".to_vec()]),
        };
        let pid = with_colours(pager).dup2(r, 0).spawn().ok();
        let _ = io::close(r);
        if pid.is_none() {
            let _ = io::close(w);
        }
        Some((pid?, w))
    });
    let Some((pid, pipe)) = started.flatten() else { return put(text.as_bytes()) };
    // Who has seen enough leaves before the end; that is no reason to die before the pager does.
    let _ = sigaction(sig::PIPE, Disposition::Ignore);
    let _ = io::write_all(pipe, text.as_bytes());
    let _ = io::close(pipe);
    let _ = process::wait_for(pid);
}

/// The other pagers of this name read their options there, too.
fn with_colours(pager: Spawn) -> Spawn {
    if std::env::var_os("LESS").is_some() { pager } else { pager.env(b"LESS=-R") }
}
