/** The same benchmark program under `@bjorn3/browser_wasi_shim`, which has WASI's calls in JavaScript. */
import { ConsoleStdout, File, OpenFile, PreopenDirectory, WASI } from "./shim/index.js";

let program;

/** Runs it with these words as arguments; answers what it writes. */
export async function runUnderShim(args) {
  program ??= await WebAssembly.compileStreaming(fetch("/-/bench/microbench-wasi.wasm"));
  let output = "";
  const lines = () => ConsoleStdout.lineBuffered((line) => (output += `${line}\n`));
  const fds = [new OpenFile(new File([])), lines(), lines(), new PreopenDirectory("/tmp", new Map())];
  const wasi = new WASI(["microbench", "-d", "/tmp", ...args], [], fds, { debug: false });
  const instance = await WebAssembly.instantiate(program, { wasi_snapshot_preview1: wasi.wasiImport });
  wasi.start(instance);
  return output;
}
