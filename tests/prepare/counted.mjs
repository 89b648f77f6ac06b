// Counted loops of every kind do as many turns as before: each test, steps up and down, bounds that are met, stepped over and come
// round to, as constants and in locals. One that goes on for too long divides by zero.
//
//   node counted.mjs PREPARE      PREPARE: target/.../examples/prepare
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { list, section, sleb, text, uleb } from "./random.mjs";

const [prepare] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "prepare-"));
process.on("exit", () => rmSync(directory, { recursive: true }));

const I32 = 0x7f;
const MOST = 20_000;
// Parameters: the index, the bound, the step. Then the number of turns and a hash.
const INDEX = 0, BOUND = 1, STEP = 2, TURNS = 3, HASH = 4;
const TESTS = { ne: 0x47, lt_s: 0x48, lt_u: 0x49, gt_s: 0x4a, gt_u: 0x4b };
const get = (local) => [0x20, local];
const constant = (n) => [0x41, ...sleb(n)];

function body({ test, step, first, bound, order }) {
  const stepped = [...get(INDEX), ...(step === undefined ? get(STEP) : constant(step)), 0x6a];
  const against = bound === undefined ? get(BOUND) : constant(bound);
  const turn = [
    ...get(TURNS), 0x41, 1, 0x6a, 0x21, TURNS,
    ...constant(1), ...get(TURNS), ...constant(MOST), 0x49, 0x6e, 0x1a, // 1 / (turns < MOST)
    ...get(HASH), 0x41, 33, 0x6c, ...get(INDEX), 0x6a, 0x21, HASH,
  ];
  const tests = [
    [...stepped, 0x22, INDEX, ...against, TESTS[test]],
    [...against, ...stepped, 0x22, INDEX, TESTS[test]],
    [...stepped, 0x21, INDEX, ...get(INDEX), ...against, TESTS[test]],
    [...stepped, 0x22, INDEX], // against 0
  ];
  return [
    ...(first === undefined ? [] : [...constant(first), 0x21, INDEX]),
    0x03, 0x40, ...turn, ...tests[order], 0x0d, 0, 0x0b,
    // A loop behind it, so that its count matters, and the answer.
    ...get(HASH), 0x41, 33, 0x6c, ...get(INDEX), 0x6a, ...get(TURNS), 0x6a, 0x0b,
  ];
}

const variants = [];
for (const test of Object.keys(TESTS))
  for (const step of [1, -1, 2, 3, 4, 12, -2, -5, -8, undefined])
    for (const bound of [undefined, 0, 700, -3])
      for (const first of [undefined, 0, 699, -700])
        for (const order of test === "ne" && bound === 0 ? [0, 1, 2, 3] : [0, 1, 2]) variants.push({ test, step, first, bound, order });

const names = variants.map((_, i) => `f${i}`);
const module = new Uint8Array([
  [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  section(1, list([[0x60, ...list([[I32], [I32], [I32]]), ...list([[I32]])], [0x60, 0, 0]])),
  section(3, list([...variants.map(() => [0]), [1]])),
  section(5, list([[0, 1]])),
  section(7, list([...names.map((name, i) => [...text(name), 0, ...uleb(i)]), [...text("_start"), 0, ...uleb(names.length)], [...text("memory"), 2, 0]])),
  section(10, list([...variants.map((v) => [...list([[2, I32]]), ...body(v)]), [0, 0x0b]].map((code) => [...uleb(code.length), ...code]))),
].flat());

const [from, to] = [join(directory, "a.wasm"), join(directory, "b.wasm")];
writeFileSync(from, module);
execFileSync(prepare, [from, to]);
let checks = 0;
const instance = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { vk: { check: () => checks++, limit: () => 65536 } }).exports;
const [before, after] = [instance(module), instance(readFileSync(to))];

const run = (f, ...args) => {
  try {
    return f(...args);
  } catch (error) {
    return error.message;
  }
};
const VALUES = [0, 1, 5, 700, 3001, -1, -2, -700, 0x7fffffff, -0x80000000, 0x7ffffff0];
const STEPS = [1, 0, 3, -1, 0x10000, 0x40000000];
let ended = 0;
for (const [i, v] of variants.entries()) {
  for (const index of v.first === undefined ? VALUES : [0])
    for (const bound of v.bound === undefined ? VALUES : [0])
      for (const step of v.step === undefined ? STEPS : [0]) {
        const [was, is] = [before, after].map((exports) => run(exports[names[i]], index, bound, step));
        assert.equal(is, was, JSON.stringify({ ...v, index, bound, step }));
        ended += typeof was === "number";
      }
}
assert.ok(checks > 1000 && ended > 1000);
console.log(`${variants.length} loops, ${ended} runs ended, ${checks} checks`);
