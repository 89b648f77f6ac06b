//! The C SDK against itself: every header compiles alone, every function that one declares is in the
//! library, every import is in the kernel's table, and what answers ENOSYS is in the README.

use crate::build::collect;
use crate::npm;
use crate::process::{Outcome, capture, read, root, target, write_if_changed};
use crate::test::differ;
use abi::syscalls::{Arg, VKERNEL, by_import};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The C library of WASI, where `vk` of the build directory looks for it.
fn sysroot() -> PathBuf {
    target().join("sysroot")
}

/// A compiler and a C library for `vk cc`: from Debian, if we may, and from npm.
pub fn tools(vk: &Path) -> Outcome {
    unpack_sysroot()?;
    let works = || {
        let mut c = Command::new(vk);
        c.args(["cc", "--print-flags"]);
        capture(c).map(|_| ())
    };
    if works().is_ok() {
        return Ok(());
    }
    if crate::webtest::is_root() && Path::new("/usr/bin/apt-get").exists() {
        crate::webtest::apt(&["clang-22", "lld-22"])?;
    }
    works()
}

fn unpack_sysroot() -> Outcome {
    let dir = root().join("tests/programs");
    npm::install(&dir)?;
    let tar = dir.join("node_modules/@yowasp/clang/gen/llvm-resources.tar");
    let stamp = sysroot().join(".from");
    let size = std::fs::metadata(&tar).map_err(|e| format!("{}: {e}", tar.display()))?.len().to_string();
    if std::fs::read_to_string(&stamp).is_ok_and(|s| s == size) {
        return Ok(());
    }
    let unpack = || -> std::io::Result<()> {
        for entry in tar::Archive::new(std::fs::File::open(&tar)?).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let path = path.strip_prefix("./").unwrap_or(&path);
            if ["include/wasm32-wasip1", "lib/wasm32-wasip1", "lib/wasm32-unknown-wasip1"]
                .iter()
                .any(|p| path.starts_with(p))
            {
                entry.unpack_in(sysroot())?;
            }
        }
        Ok(())
    };
    std::fs::create_dir_all(sysroot()).and_then(|()| unpack()).map_err(|e| format!("{}: {e}", tar.display()))?;
    write_if_changed(&stamp, size.as_bytes()).map(|_| ())
}

/// The headers that programs include: ours and WASI's, by the name they are included by.
fn headers() -> Outcome<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for dir in [root().join("user/sdk-c/include"), sysroot().join("include/wasm32-wasip1")] {
        let mut files = Vec::new();
        collect(&dir, &mut files)?;
        let name = |f: &PathBuf| Some(f.strip_prefix(&dir).ok()?.to_str()?.to_string());
        names.extend(files.iter().filter_map(name).filter(|n| n.ends_with(".h")));
    }
    // Parts of other headers.
    names.retain(|n| !n.starts_with("__") && !["bits/", "wasi/"].iter().any(|d| n.starts_with(d)));
    Ok(names)
}

/// Names that can't be taken the address of: the compiler makes them, or they are macros.
const NO_ADDRESS: [&str; 6] = ["alloca", "errno", "setjmp", "_setjmp", "sigsetjmp", "siglongjmp"];

/// Functions of WASI's headers that WASI's own library lacks, a line each.
fn undefined() -> Outcome<Vec<String>> {
    let text = read(&root().join("user/sdk-c/wasi-undefined"))?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_string).collect())
}

/// Every header compiles alone, as C and as C++, and its functions are there.
pub fn conformance(vk: &Path) -> Outcome {
    tools(vk)?;
    let dir = target().join("sdk");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut sources = Vec::new();
    let mut all = String::new();
    for name in headers()? {
        let source = dir.join(name.replace('/', "-")).with_extension("c");
        write_if_changed(&source, format!("#include <{name}>\n").as_bytes())?;
        sources.push(source);
        all += &format!("#include <{name}>\n");
    }
    for language in [&["-xc", "-std=c17"][..], &["-xc", "-D_GNU_SOURCE"], &["-xc++", "-std=c++17", "-nostdinc++"]] {
        let mut c = Command::new(vk);
        // WASI's sys/errno.h and its kin say that they are called errno.h.
        c.args(["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-#warnings"]).args(language).args(&sources);
        capture(c).map_err(|e| format!("{}: {e}", language.join(" ")))?;
    }
    let names = every_symbol(vk, &dir, &all)?;
    posix(vk, &dir, &names)
}

/// The headers that `user/sdk-c/posix` lists declare what it says, and what it says isn't there isn't.
fn posix(vk: &Path, dir: &Path, have: &BTreeSet<String>) -> Outcome {
    let list = read(&root().join("user/sdk-c/posix"))?;
    let list = String::from_utf8_lossy(&list).into_owned();
    let mut sources = Vec::new();
    let mut count = 0;
    for line in list.lines().filter(|l| !l.starts_with(['#', '-'])) {
        let (header, functions) = line.split_once(':').ok_or_else(|| format!("user/sdk-c/posix: {line}"))?;
        let (lacking, there): (Vec<&str>, Vec<&str>) = functions.split_whitespace().partition(|f| f.starts_with('-'));
        if let Some(f) = lacking.iter().find(|f| have.contains(&f[1..])) {
            return Err(format!("user/sdk-c/posix: {header} has {} by now", &f[1..]));
        }
        count += there.len();
        let uses: String = there.iter().map(|f| format!("    (void *)&{f},\n")).collect();
        let text =
            format!("#define _GNU_SOURCE\n#include <{header}>\nvoid *const volatile all[] = {{\n{uses}    0}};\n");
        let source = dir.join(format!("posix-{}", header.replace('/', "-"))).with_extension("c");
        write_if_changed(&source, text.as_bytes())?;
        sources.push(source);
    }
    let mut c = Command::new(vk);
    c.args(["cc", "-fsyntax-only", "-w"]).args(&sources);
    capture(c).map(|_| println!("  {count} functions of {} headers of POSIX", sources.len()))
}

/// Links a program that names each function once.
fn every_symbol(vk: &Path, dir: &Path, includes: &str) -> Outcome<BTreeSet<String>> {
    let (source, program) = (dir.join("all.c"), dir.join("all.wasm"));
    let includes = format!("#define _GNU_SOURCE\n{includes}");
    write_if_changed(&source, includes.as_bytes())?;
    let mut c = Command::new(vk);
    c.args(["cc", "-E", "-P"]).arg(&source);
    let mut names = declared(&capture(c)?);
    let undefined = undefined()?;
    names.retain(|n| {
        !undefined.contains(n)
            && !NO_ADDRESS.contains(&n.as_str())
            && !n.starts_with("__wasi")
            && !n.starts_with("__vk_no_")
    });
    let list: String = names.iter().map(|n| format!("    (void *)&{n},\n")).collect();
    let text = format!(
        "{includes}#undef assert\nvoid *volatile all[] = {{\n{list}}};\nint main(void) {{ return all[0] == 0; }}\n"
    );
    write_if_changed(&source, text.as_bytes())?;
    let mut c = Command::new(vk);
    c.args(["cc", "-w", "-Wl,--error-limit=0"]).arg(&source).arg("-ltermcap").arg("-o").arg(program);
    capture(c)?;
    println!("  {} functions and variables of {} headers", names.len(), includes.lines().count() - 1);
    Ok(names)
}

/// The functions and variables that preprocessed C declares and doesn't define.
fn declared(text: &str) -> BTreeSet<String> {
    statements(text).iter().flat_map(|s| names_of(s)).collect()
}

/// Declarations without the contents of braces; definitions of functions are left out.
fn statements(text: &str) -> Vec<String> {
    let (mut out, mut now, mut depth, mut function) = (Vec::new(), String::new(), 0, false);
    for c in text.lines().filter(|l| !l.starts_with('#')).flat_map(|l| l.chars().chain(['\n'])) {
        match c {
            '{' => {
                function |= depth == 0 && now.contains('(') && !now.trim_start().starts_with("typedef");
                depth += 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 && function {
                    function = false;
                    now.clear();
                }
            }
            ';' if depth == 0 => out.push(std::mem::take(&mut now)),
            _ if depth == 0 => now.push(c),
            _ => {}
        }
    }
    out
}

fn names_of(statement: &str) -> Vec<String> {
    let text = without_attributes(statement);
    let words: Vec<&str> = tokens(&text);
    if words.is_empty() || ["typedef", "_Static_assert", "static"].contains(&words[0]) || words.contains(&"static") {
        return Vec::new();
    }
    if let Some(open) = words.iter().position(|w| *w == "(") {
        // `void (*signal(int, ...))(int)` has its name behind the star.
        let name =
            if words.get(open + 1) == Some(&"*") { words.get(open + 2) } else { words.get(open.wrapping_sub(1)) };
        return name.filter(|n| is_name(n)).map(|n| vec![n.to_string()]).unwrap_or_default();
    }
    if words[0] != "extern" {
        return Vec::new();
    }
    let text = words.join(" ");
    let each = text.split(',').filter_map(|v| v.split('[').next()?.split_whitespace().last().map(str::to_string));
    each.filter(|n| is_name(n)).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Without `__attribute__((...))` and the like.
fn without_attributes(text: &str) -> String {
    let mut text = text.to_string();
    while let Some(at) = ["__attribute__", "__asm__", "_Alignas"].iter().filter_map(|w| text.find(w)).min() {
        let mut depth = 0;
        let end = text[at..].char_indices().find_map(|(i, c)| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            (c == ')' && depth == 0).then_some(at + i + 1)
        });
        text.replace_range(at..end.unwrap_or(text.len()), " ");
    }
    text
}

fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        out.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    out
}

fn sources() -> Outcome<Vec<(String, String)>> {
    let mut files = Vec::new();
    collect(&root().join("user/sdk-c/src"), &mut files)?;
    files.sort();
    let text = |f: &PathBuf| {
        Ok((
            f.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            String::from_utf8_lossy(&read(f)?).into_owned(),
        ))
    };
    files.iter().map(text).collect()
}

/// What can be said without a compiler.
pub fn check() -> Outcome {
    imports().and_then(|()| check_readme())
}

/// Every import is one of the kernel's calls, with its arguments and its result.
fn imports() -> Outcome {
    let mut wrong = String::new();
    for (file, text) in sources()? {
        for statement in text.split("VK_CALL(").skip(1).filter(|s| !s.starts_with("name)")) {
            let declaration = statement.split(';').next().unwrap_or_default();
            if let Err(e) = import(declaration) {
                wrong += &format!("{file}: {e}\n");
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// `read) int vk_read(int fd, void *buf, uint32_t len)`.
fn import(declaration: &str) -> Outcome {
    let (name, rest) = declaration.split_once(')').ok_or("no name")?;
    let call = match by_import(VKERNEL, name) {
        Some(call) => call,
        // The loader makes it of others.
        None if name == "fork" => return Ok(()),
        None => return Err(format!("{name} is not a call of the kernel's")),
    };
    let (head, args) = rest.split_once('(').ok_or_else(|| format!("{name}: no arguments"))?;
    let args: Vec<&str> = args.trim_end_matches(')').split(',').map(str::trim).filter(|a| *a != "void").collect();
    if args.len() != call.args.len() || head.contains("int64_t") != call.long_result() {
        return Err(format!("{name}: the table has other arguments or another result"));
    }
    for (have, (arg, kind)) in args.iter().zip(call.args) {
        let pointer = matches!(kind, Arg::In | Arg::Out | Arg::Str);
        if have.contains('*') != pointer || have.contains("int64_t") != kind.is_long() {
            return Err(format!("{name}: `{have}` is not {arg}: {kind:?}"));
        }
    }
    Ok(())
}

const BEGIN: &str = "<!-- made by cargo xtask check --bless -->\n";
const END: &str = "<!-- end -->";

/// The README with the table of what isn't there.
fn readme() -> Outcome<(PathBuf, String, String)> {
    let path = root().join("user/sdk-c/README.md");
    let now = String::from_utf8_lossy(&read(&path)?).into_owned();
    let mut rows = String::from("| file | answers `ENOSYS`, always or for some arguments |\n| --- | --- |\n");
    for (file, text) in sources()? {
        let names = lacking(&text);
        if !names.is_empty() && file.ends_with(".c") {
            rows +=
                &format!("| `{file}` | {} |\n", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" "));
        }
    }
    let (head, rest) = now.split_once(BEGIN).ok_or("user/sdk-c/README.md: no place for the table")?;
    let tail = rest.split_once(END).ok_or("user/sdk-c/README.md: the table has no end")?.1;
    let new = format!("{head}{BEGIN}{rows}{END}{tail}");
    Ok((path, now, new))
}

/// Functions whose body speaks of ENOSYS.
fn lacking(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut now = String::new();
    for line in text.lines() {
        let code = line.split("/*").next().unwrap_or(line);
        let starts = line.starts_with(|c: char| c.is_ascii_alphabetic()) && code.contains('(');
        if let Some(rest) = code.strip_prefix("NOT_YET(") {
            names.insert(rest.split(',').next().unwrap_or(rest).to_string());
        } else if starts {
            now = names_of(code.split('{').next().unwrap_or(code)).pop().unwrap_or_default();
        }
        if code.contains("ENOSYS") || code.contains("vk_enosys()") {
            names.insert(now.clone());
        }
    }
    names.remove("");
    names
}

fn check_readme() -> Outcome {
    let (path, now, new) = readme()?;
    differ(&new, &now).map_err(|e| format!("{}: {e}\ncargo xtask check --bless writes it anew", path.display()))
}

pub fn bless_readme() -> Outcome {
    let (path, _, new) = readme()?;
    if write_if_changed(&path, new.as_bytes())? {
        println!("wrote {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_imports_what_the_kernel_has() {
        imports().unwrap();
        assert!(import("read) int vk_read(int fd, void *buf)").is_err());
        assert!(import("nonsense) int vk_nonsense(void)").is_err());
    }

    #[test]
    fn the_table_of_what_is_lacking_is_up_to_date() {
        check_readme().unwrap();
    }

    #[test]
    fn names_of_declarations() {
        let c = "int read(int, void *, size_t);\nvoid (*signal(int, void (*)(int)))(int);\nextern int optind, opterr;\n\
                 extern char **environ;\ntypedef int (*f)(int);\nstruct s { int (*x)(void); };\nstatic int g(void);\n\
                 static inline int h(void) { return 1; }\nchar *p(int) __attribute__((malloc(1)));\nextern char *names[2];\n";
        let names = declared(c);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["environ", "names", "opterr", "optind", "p", "read", "signal"]);
    }
}
