// A program that was made able to fork does what it did before: in each process of random programs, what is said and what
// is in memory is what the program as it was says and has when fork gives the same answers.
//
//   node semantics.mjs FORK [count] [first seed]      FORK: target/.../examples/fork
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, family } from "./host.mjs";
import { program } from "./random.mjs";

const [fork, count = "300", first = "1"] = process.argv.slice(2);
// (module (func try_table end))
const exceptions = WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b]));

const directory = mkdtempSync(join(tmpdir(), "fork-"));
const ends = {};
let [children, most] = [0, 0];
try {
  const seeds = Array.from({ length: Number(count) }, (_, i) => Number(first) + i);
  for (let at = 0; at < seeds.length; at += 100) {
    const some = seeds.slice(at, at + 100);
    for (const seed of some) {
      const bytes = program(seed, { exceptions });
      if (!WebAssembly.validate(bytes)) throw new Error(`seed ${seed}: the generator made an invalid program`);
      writeFileSync(join(directory, `${seed}.wasm`), bytes);
    }
    execFileSync(fork, some.flatMap((seed) => [join(directory, `${seed}.wasm`), join(directory, `${seed}.out`)]));
    for (const seed of some) {
      const [before, after] = ["wasm", "out"].map((ext) => new WebAssembly.Module(readFileSync(join(directory, `${seed}.${ext}`))));
      const processes = family(after);
      children += processes.length - 1;
      most = Math.max(most, processes.length);
      for (const { end } of processes) ends[end] = (ends[end] ?? 0) + 1;
      const wrong = compare(before, processes);
      if (wrong) throw new Error(`seed ${seed}: ${wrong}`);
    }
  }
} finally {
  if (!process.env.KEEP) rmSync(directory, { recursive: true });
  else console.log(directory);
}
if (children === 0) throw new Error("nobody ever forked");
console.log(`${count} programs, ${children} children, exceptions ${exceptions}`, ends);
