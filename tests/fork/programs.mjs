// C programs that fork: each process says what it says when fork just answers what it answered there.
//
//   node programs.mjs FORK PROGRAM ARGUMENT...
//
// FORK is target/.../examples/fork; fork.c, for one, is built by
//   clang --target=wasm32-wasip1 --sysroot=... -O2 [-DNO_JUMPS | -mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false -lsetjmp] fork.c -o fork.wasm
// and is run for each argument.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { family, original } from "./host.mjs";

const [fork, program, ...cases] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "fork-"));
const out = join(directory, "out.wasm");
execFileSync(fork, [program, out], { stdio: "inherit" });
const [before, after] = [program, out].map((file) => new WebAssembly.Module(readFileSync(file)));
rmSync(directory, { recursive: true });

/** As much of WASI as is needed to say something. */
const wasi = (args) => (self) => {
  const view = () => new DataView(self.instance.exports.memory.buffer);
  const strings = args.map((text) => new TextEncoder().encode(`${text}\0`));
  const calls = {
    args_sizes_get(count, size) {
      view().setUint32(count, strings.length, true);
      view().setUint32(size, strings.reduce((sum, bytes) => sum + bytes.length, 0), true);
      return 0;
    },
    args_get(pointers, at) {
      for (const bytes of strings) {
        view().setUint32(pointers, at, true);
        new Uint8Array(view().buffer).set(bytes, at);
        [pointers, at] = [pointers + 4, at + bytes.length];
      }
      return 0;
    },
    environ_sizes_get(count, size) {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
      return 0;
    },
    environ_get: () => 0,
    fd_write(fd, iovs, count, written) {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        const [at, length] = [view().getUint32(iovs + 8 * i, true), view().getUint32(iovs + 8 * i + 4, true)];
        self.trace.push(Buffer.from(view().buffer, at, length).toString());
        sum += length;
      }
      view().setUint32(written, sum, true);
      return 0;
    },
    proc_exit(exit) {
      throw { exit };
    },
  };
  return { wasi_snapshot_preview1: new Proxy(calls, { get: (_, name) => calls[name] ?? (() => 52) }) };
};

let failed = false;
for (const argument of cases) {
  const imports = wasi(["fork", argument]);
  const processes = family(after, { imports });
  for (const [number, self] of processes.entries()) {
    const other = original(before, self.answers, imports);
    const [said, expected] = [self, other].map(({ trace, end }) => `${trace.join("")}${end}`);
    if (said === expected) continue;
    failed = true;
    console.log(`${argument}, process ${number}, which got ${self.answers}, said\n${said}\ninstead of\n${expected}`);
  }
  console.log(`${argument}: ${processes.length} processes, ${processes[0].end}, ${processes[0].trace.join("").length} bytes said`);
}
process.exit(failed ? 1 : 0);
