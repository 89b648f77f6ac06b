// The browser's stub and clock, and how long a prepared program can go on without asking.
//
//   node machine.mjs PREPARE      PREPARE: target/.../examples/prepare
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";

// Node 20 has tail calls behind a flag; later ones have no flag.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-return-call");

const [prepare] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "prepare-"));
process.on("exit", () => rmSync(directory, { recursive: true }));
const made = (option) => {
  const out = join(directory, "out.wasm");
  execFileSync(prepare, [option, out]);
  return new WebAssembly.Module(readFileSync(out));
};
const prepared = (text) => {
  const file = join(directory, "in.wat");
  writeFileSync(file, text);
  return made(file);
};

function stub(trap, preempt) {
  const bell = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const words = new Int32Array(bell.buffer);
  const { exports } = new WebAssembly.Instance(made("--stub"), {
    k: { trap, signal: () => 0n, lwp: new WebAssembly.Global({ value: "i32", mutable: true }, 7) },
    vk: { bell, preempt: () => preempt(words) },
  });
  return { exports, words };
}

// A call is in the kernel while it is, and an action leaves user code.
{
  const seen = [];
  let answer = 42n;
  const s = stub((...args) => (seen.push([s.exports.state.value, ...args]), answer), () => 0);
  assert.equal(s.exports["vkernel:getpid"](), 42);
  assert.deepEqual(seen[0].slice(0, 2), [1, 7]);
  assert.equal(s.exports.state.value, 0);
  answer = -(2n ** 63n);
  assert.throws(() => s.exports["vkernel:getpid"](), /unreachable/);
  assert.equal(s.exports.state.value, 2);
}

// The host is asked when the bell rings, when the budget is used up, and not otherwise.
{
  let asked = 0;
  let answer = 0;
  const s = stub(() => 0n, (words) => (asked++, (words[0] = 0), (words[1] = 3), answer));
  s.words[1] = 3;
  for (let i = 0; i < 3; i++) s.exports.check();
  assert.deepEqual([asked, s.words[1]], [0, 0]);
  s.exports.check();
  assert.deepEqual([asked, s.words[1]], [1, 3]);
  s.words[0] = 1;
  s.exports.check();
  assert.deepEqual([asked, s.words[0], s.exports.state.value], [2, 0, 0]);
  answer = 1;
  s.words[0] = 1;
  assert.throws(() => s.exports.check(), /unreachable/);
  assert.equal(s.exports.state.value, 3);
}

// Whoever comes to the end of the stack does so in the stub, not in the kernel.
{
  let deepest = 0;
  const s = stub(() => {
    const depth = (n) => (n ? 1 + depth(n - 1) : 0);
    deepest = Math.max(deepest, depth(5));
    return 0n;
  }, () => 0);
  const recurse = () => (s.exports["vkernel:getpid"](), 1 + recurse());
  for (let i = 0; i < 20; i++) {
    assert.throws(recurse, RangeError);
    assert.equal(s.exports.state.value, 0);
  }
}

// A memory grows as far as the host says, and not before it has said so.
{
  const { limit, check, pages } = stub(() => 0n, () => 0).exports;
  const { exports } = new WebAssembly.Instance(prepared(`(module
    (memory (export "memory") 3 40) (table funcref (elem $grow)) (global $calls (export "calls") (mut i32) (i32.const 0))
    (func $grow (export "grow") (param i32) (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (memory.grow (local.get 0)))
    (func (export "page_by_page") (result i32) (local i32)
      (loop $l (local.set 0 (memory.size)) (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (local.get 0))
    (func (export "_start") (drop (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0)))))`), { vk: { limit, check } });
  const { memory, grow, page_by_page, calls } = exports;
  assert.deepEqual([0, 1].map(grow), [3, -1]);
  pages.value = 10;
  assert.deepEqual([2, 6, -1, 0x7fffffff, 0x80000000, 65535, 5].map(grow), [3, -1, -1, -1, -1, -1, 5]);
  assert.equal(memory.buffer.byteLength, 10 << 16);
  // A limit may come to lie below what there is.
  pages.value = 4;
  assert.deepEqual([0, 1].map(grow), [10, -1]);
  pages.value = 30;
  exports._start();
  assert.deepEqual([grow(0), page_by_page()], [11, 30]);
  // The engine's own limits are still there, and no limit is negative.
  pages.value = -1;
  assert.deepEqual([11, 10, 1].map(grow), [-1, 30, -1]);
  assert.equal(calls.value, 16);
}

// All memories of a program together, where the engine has several.
if (WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 5, 2, 0, 1, 0, 1]))) {
  const { limit, check, pages } = stub(() => 0n, () => 0).exports;
  const { exports } = new WebAssembly.Instance(prepared(`(module
    (memory (export "memory") 3) (memory (export "aside") 1)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow_aside") (param i32) (result i32) (memory.grow 1 (local.get 0)))
    (func (export "_start")))`), { vk: { limit, check } });
  const { memory, aside, grow, grow_aside } = exports;
  pages.value = 10;
  assert.deepEqual([grow_aside(7), grow_aside(3), grow(4), grow(3), grow_aside(1), grow_aside(0)], [-1, 1, -1, 3, -1, 4]);
  assert.deepEqual([memory, aside].map((m) => m.buffer.byteLength >> 16), [6, 4]);
}

// Nanoseconds, all that a double has; never back.
{
  let now = 1234.5678;
  const origin = 1_700_000_000_000.125;
  const { clock, shift } = new WebAssembly.Instance(made("--clock"), { host: { now: () => now, origin, cpu: (lwp) => lwp * 10 } }).exports;
  assert.equal(clock(1, 0), 1_234_567_800n);
  assert.equal(clock(0, 0), 1_700_000_000_000_125_000n + 1_234_567_800n);
  assert.equal(clock(3, 21), 210n);
  now = 1234.5;
  assert.equal(clock(1, 0), 1_234_567_800n);
  shift.value = 1000;
  assert.equal(clock(1, 0), 2_234_500_000n);
}
console.log("stub and clock: ok");

// CPU time between two checks, in programs made to stretch it. Of the thread where node tells it (22.19), else of the process.
{
  const MOST_MS = 50;
  const MEAN_MS = 5;
  const cpu = () => {
    const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
    return (user + system) / 1000;
  };
  const bytes = (file) => {
    const out = join(directory, "out.wasm");
    execFileSync(prepare, [new URL(`${file}.wat`, import.meta.url).pathname, out]);
    return readFileSync(out);
  };
  const files = ["adversary", "recursion"].map(bytes);
  const throwing = bytes("throwing");
  if (WebAssembly.validate(throwing)) files.push(throwing);
  else console.log("throwing: this engine has no try_table");
  const modules = files.map((file) => new WebAssembly.Module(file));
  const spinning = ([file, { kind, name }]) => kind === "function" && name !== "_start" && (file !== 1 || name.startsWith("spin_"));
  const exported = modules.flatMap((module, file) => WebAssembly.Module.exports(module).map((found) => [file, found]));
  for (const [file, { name }] of exported.filter(spinning)) {
    let [checks, longest, last] = [0, 0, cpu()];
    const begin = last;
    // Through the stub: what it does to leave, no program can catch.
    const s = stub(() => 0n, () => {
      const now = cpu();
      // Not what the engine compiles meanwhile, at the start.
      if (checks++ > 10) longest = Math.max(longest, now - last);
      last = cpu();
      return Number(now > begin + 500);
    });
    s.words[1] = 0;
    s.exports.pages.value = 65536;
    const { exports } = new WebAssembly.Instance(modules[file], { vk: s.exports });
    exports._start();
    assert.throws(() => exports[name](), /unreachable/, name);
    assert.equal(s.exports.state.value, 3, name);
    console.log(name.padEnd(12), `${checks} checks, every ${(500 / checks).toFixed(3)} ms, at most ${longest.toFixed(1)} ms`);
    assert.ok(longest < MOST_MS && 500 / checks < MEAN_MS, name);
  }
}
