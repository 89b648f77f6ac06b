// Cases in which fork is refused, and stacks that are deep.
//
//   node cases.mjs FORK      FORK: target/.../examples/fork
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { family } from "./host.mjs";

const [fork] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "fork-"));
const [ENOMEM, ENOSYS] = [-48, -52];
let failed = 0;

/** What each process said. */
function said(fields, options) {
  const text = `(module (import "vkernel" "fork" (func $fork (result i32))) (import "t" "log" (func $log (param i32))) ${fields})`;
  const [from, to] = [join(directory, "a.wat"), join(directory, "a.wasm")];
  writeFileSync(from, text);
  execFileSync(fork, [from, to]);
  const processes = family(new WebAssembly.Module(readFileSync(to)), options);
  return processes.map(({ trace, end }) => [...trace, ...(end === "returned" ? [] : [end])].join(" "));
}

function expect(name, found, wanted) {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  failed++;
  console.log(`${name}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

const START = '(func (export "_start") (call $log (call $fork)))';
expect("once", said(`(memory (export "memory") 1) ${START}`), ["2", "0"]);
expect("no room at all", said(`(memory (export "memory") 1 1) ${START}`), [`${ENOMEM}`]);
expect("a memory of no pages", said(`(memory (export "memory") 0) ${START}`), ["2", "0"]);
expect("refused by the kernel", said(`(memory (export "memory") 1) ${START}`, { refuse: () => true }), ["-6"]);
expect(
  "called as a function of the table, by the start function",
  said(`(memory (export "memory") 1) (table 1 funcref) (elem (i32.const 0) $f) (func $f (call $log (call $fork)))
        (func $s (call_indirect (i32.const 0))) (start $s) ${START}`),
  // The start function runs in each instance here; hosts keep it from children.
  [`${ENOSYS} 2`, `${ENOSYS} ${ENOSYS} 0`],
);

// The child of a signal handler has nothing to go back to. A handler may run while the program that it interrupts is forking.
{
  const signal = (self) => self.instance.exports.__vk_signal(1, 2, 3);
  const handler = '(memory (export "memory") 1) (func (export "__vk_signal") (param i32 i32 i32) (call $log (local.get 2)) (call $log (call $fork)))';
  const imports = (self) => ({ t: { log: (n) => self.trace.push(n), signal: () => signal(self) } });
  const twice = '(func (export "_start") (call $log (i32.const 50)) (call $signal) (call $log (i32.const 51)) (call $log (call $fork)))';
  expect(
    "a handler",
    said(`(import "t" "signal" (func $signal)) ${handler} ${twice}`, { imports }),
    ["50 3 2 51 3", "50 3 0 unreachable", "50 3 2 51 0"],
  );
  let signals = 2;
  const refuse = (self) => signals-- > 0 && !!signal(self);
  expect("handlers while forking", said(`${handler} ${START}`, { refuse }), ["3 3 2 3 4", "3 3 0 unreachable", "3 3 2 0 unreachable", "3 3 2 3 0"]);
}

// So deep that the buffer grows, once behind itself and once moved, as something else grew the memory meanwhile.
const deep = (between) => `(global $sum (mut i64) (i64.const 0))
  (func $deep (param i32) (result i64) (local v128)
    (local.set 1 (i32x4.splat (local.get 0)))
    ${between}
    (if (result i64) (local.get 0)
      (then (i64.add (i64.extend_i32_u (i32x4.extract_lane 2 (local.get 1))) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else (i64.extend_i32_s (call $fork)))))
  (func (export "_start")
    (call $log (i32.wrap_i64 (call $deep (i32.const 100))))
    (drop (memory.grow (i32.const 1)))
    (call $log (i32.wrap_i64 (call $deep (i32.const 4000)))) (call $log (i32.wrap_i64 (call $deep (i32.const 3000)))))`;
const sum = (n) => (n * (n + 1)) / 2;
{
  const all = said(`(memory (export "memory") 1) ${deep("")}`);
  const [a, b, c] = [sum(100), sum(4000), sum(3000)];
  expect("deep stacks", all.length, 8);
  expect("the first parent", all[0], `${a + 2} ${b + 3} ${c + 4}`);
  expect("the first child", all[1], `${a} ${b + 5} ${c + 6}`);
}
// Room for the first two, and not for so deep a stack: fork has the error for its answer.
expect(
  "no room in the middle",
  said(`(memory (export "memory") 1 3) ${deep("")}`, { processes: 2 }),
  [`${sum(100) + 2} ${sum(4000) + ENOMEM} ${sum(3000) + ENOMEM}`, `${sum(100)} ${sum(4000) + ENOMEM} ${sum(3000) + ENOMEM}`],
);

// Many forks one after another take no more memory.
expect(
  "many",
  said(`(memory (export "memory") 1) (func (export "_start") (local i32)
      (loop $l (drop (call $fork)) (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100000))))
      (call $log (memory.size)))`, { refuse: () => true }),
  ["2"],
);

// Recursion by tail calls stays flat, and is no frame.
expect(
  "tail calls",
  said(`(memory (export "memory") 1)
    (func $t (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (call $fork)))) (return_call $t (i32.sub (local.get 0) (i32.const 1))))
    (func (export "_start") (local i32) (local.set 0 (i32.const 7)) (call $log (call $t (i32.const 1000000))) (call $log (local.get 0)) (call $log (memory.size)))`),
  ["2 7 2", "0 7 2"],
);

rmSync(directory, { recursive: true });
console.log(failed ? `${failed} failed` : "all as expected");
process.exit(failed ? 1 : 0);
