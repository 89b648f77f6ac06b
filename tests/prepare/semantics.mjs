// A prepared program does what it did before: random programs are run as they are and prepared, and must come to the
// same end, by the same trap, with the same memory.
//
//   node semantics.mjs PREPARE [count] [first seed]      PREPARE: target/.../examples/prepare
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "./random.mjs";

const [prepare, count = "300", first = "1"] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "prepare-"));
// (module (func try_table end))
const exceptions = WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b]));
const features = { exceptions, tailCalls: true };

function run(bytes) {
  let checks = 0;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { vk: { check: () => checks++, limit: () => 65536 } });
  let end = "returned";
  try {
    exports._start();
  } catch (error) {
    end = error.message ?? "exception";
  }
  const memory = createHash("sha256").update(new Uint8Array(exports.memory.buffer)).digest("hex");
  return { end, hash: exports.hash.value, fuel: exports.fuel.value, memory, checks };
}

let checks = 0;
const ends = {};
try {
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    const bytes = program(seed, features);
    if (!WebAssembly.validate(bytes)) throw new Error(`seed ${seed}: the generator made an invalid program: ${new WebAssembly.Module(bytes)}`);
    const [from, to] = [join(directory, "a.wasm"), join(directory, "b.wasm")];
    writeFileSync(from, bytes);
    execFileSync(prepare, [from, to]);
    const before = run(bytes);
    const after = run(readFileSync(to));
    checks += after.checks;
    ends[before.end] = (ends[before.end] ?? 0) + 1;
    // How deep the stack is, is not a program's business.
    if (/stack/.test(before.end) || /stack/.test(after.end)) continue;
    for (const key of ["end", "hash", "fuel", "memory"])
      if (before[key] !== after[key]) throw new Error(`seed ${seed}: ${key} was ${before[key]} and is ${after[key]}`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
if (checks === 0) throw new Error("no program ever asked");
console.log(`${count} programs, ${checks} checks, exceptions ${exceptions}`, ends);
