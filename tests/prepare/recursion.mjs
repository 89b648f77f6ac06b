// Functions that call themselves answer what they did before they were prepared, and ask in the same measure.
//
//   node recursion.mjs PREPARE      PREPARE: target/.../examples/prepare
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [prepare] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "recursion-"));
process.on("exit", () => rmSync(directory, { recursive: true }));

const text = readFileSync(new URL("recursion.wat", import.meta.url), "utf8");
/** With an exception that is caught somewhere, no function may keep the fuel to itself: the way it was before. */
const forms = {
  inner: text,
  plain: text.replace("(module ", "(module (func (try_table)) "),
  // A signal's handler runs in the check, and calls the same functions.
  handled: text.replace('(export "_start"', '(export "__vk_signal") (export "_start"'),
};

let checks = 0;
let handling = false;
function instance(form) {
  const [from, to] = [join(directory, "in.wat"), join(directory, "out.wasm")];
  writeFileSync(from, forms[form]);
  execFileSync(prepare, [from, to]);
  const check = () => {
    checks++;
    if (form !== "handled" || handling) return;
    handling = true;
    const n = checks % 24;
    assert.equal(exports.looped(n), looped(n));
    handling = false;
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(to)), { vk: { check, limit: () => 65536 } });
  return exports;
}

// By hand, as the text can't be compiled here.
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
const real = (n) => (n ? Math.sqrt(2 + real(n - 1)) : 1);
const pays = (n) => {
  let sum = 0;
  for (; n; n--) sum = (Math.imul(sum, 5) + n) | 0;
  return sum;
};
const mixed = (n) => (n < 2 ? 1 : (mixed(n - 2) + pays(n)) | 0);
const tabled = (n) => (n < 2 ? 1 : tabled(n - 2) + tabled(n - 3));
const ways = (n) => {
  if (n % 4 === 0) return n === 0 ? 7 : Math.imul(ways(n - 1), 3);
  return n % 4 === 1 ? (ways(n - 1) + 5) | 0 : ways(n - 1) ^ n;
};
const long = (five, n) => (n ? five * 3 + long(five + 1, n - 1) : 9);
const looped = (n) => {
  if (n === 0) return 3;
  let [x, sum, turns] = [n, 0n, 0];
  for (;;) {
    if (x % 16 === 0) break;
    x = (Math.imul(x, 5) + 3) | 0;
    if (((x >>> 4) & 7) === 3) {
      do {
        sum = BigInt.asUintN(64, sum * 7n + BigInt(x >>> 0));
        sum = BigInt.asUintN(64, sum ^ (sum << 3n));
        x ^= Number(BigInt.asIntN(32, sum >> 9n));
      } while (++turns <= 200);
      return x ^ Number(BigInt.asIntN(32, sum)) ^ looped(n - 1);
    }
  }
  x &= 0xffff;
  do x = (x - 5) | 0;
  while (x > 100);
  return (looped(n - 1) + x) | 0;
};
let word = 0;
const nothing = (n) => {
  if (n === 0) return word;
  word = (Math.imul(word, 31) + n) | 0;
  nothing(n - 1);
  return nothing(n >>> 1);
};
const expected = { fib, ways, mixed, tabled, nothing, looped, long: (n) => long(5, n), real: (n) => Math.trunc(real(n) * 100000), two: (n) => 2 * (3 + n), reference: () => 0 };

const asked = [];
for (const form of ["inner", "handled", ...(WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b])) ? ["plain"] : [])]) {
  const exports = instance(form);
  [checks, word] = [0, 0];
  for (const [name, answer] of Object.entries(expected)) {
    for (let n = 0; n < 24; n++) assert.equal(exports[name](n), answer(n), `${form}: ${name}(${n})`);
  }
  exports.fib(27);
  assert.ok(checks > 10, `${form}: asked ${checks} times`);
  if (form !== "handled") asked.push(checks);
}
assert.ok(Math.max(...asked) < 1.5 * Math.min(...asked), `${asked}`);
console.log(`functions that call themselves: ok, asked ${asked} times`);
