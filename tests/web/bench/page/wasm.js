/**
 * The smallest modules that have the shapes of ours, written byte by byte: what the engine itself takes for a
 * system call and for a switch between two stacks, without a kernel.
 */

/** An unsigned number as WebAssembly writes it. */
function leb(n) {
  const bytes = [];
  for (; n > 127; n >>>= 7) bytes.push((n & 127) | 128);
  return [...bytes, n];
}
const sized = (bytes) => [...leb(bytes.length), ...bytes];
const list = (items) => [...leb(items.length), ...items.flat()];
const section = (id, items) => [id, ...sized(list(items))];
const name = (text) => sized([...new TextEncoder().encode(text)]);
const I32 = 0x7f;
const I64 = 0x7e;
const type = (params, results) => [0x60, ...list(params), ...list(results)];
const body = (locals, code) => sized([...list(locals), ...code, 0x0b]);

function compile({ types, imports = [], functions, exports, code }) {
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].concat(
    section(1, types),
    section(2, imports.map(([from, what, kind]) => [...name(from), ...name(what), ...kind])),
    section(3, functions),
    section(7, exports.map(([as, index]) => [...name(as), 0, index])),
    section(10, code),
  );
  return new WebAssembly.Module(new Uint8Array(bytes));
}

/** `trap(lwp, nr, a0..a5) -> i64`: the sum of its first two arguments. */
const trapType = type([I32, I32, I64, I64, I64, I64, I64, I64], [I64]);
const kernel = () =>
  compile({
    types: [trapType],
    functions: [[0]],
    exports: [["trap", 0]],
    code: [body([], [0x20, 0, 0x20, 1, 0x6a, 0xac])],
  });

/** `getppid() -> i32`: calls `trap(1, 110, 0...)`. */
const stub = () =>
  compile({
    types: [trapType, type([], [I32])],
    imports: [["k", "trap", [0, 0]]],
    functions: [[1]],
    exports: [["getppid", 1]],
    code: [body([], [0x41, 1, 0x41, 0xee, 0, ...Array(6).fill([0x42, 0]).flat(), 0x10, 0, 0xa7])],
  });

/** `run(n) -> i32`: calls its import n times. */
const user = () =>
  compile({
    types: [type([], [I32]), type([I32], [I32])],
    imports: [["s", "call", [0, 0]]],
    functions: [[1]],
    exports: [["run", 1]],
    // loop { sum += call(); if (--n) continue }; sum
    code: [body([[1, I32]], [0x03, 0x40, 0x10, 0, 0x20, 1, 0x6a, 0x21, 1, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 1])],
  });

const instance = (module, imports = {}) => new WebAssembly.Instance(module, imports).exports;

/** A function that makes n of the barest calls: user wasm, stub wasm, trivial wasm. */
export function bareCalls() {
  const k = instance(kernel());
  const s = instance(stub(), { k });
  // On a stack of its own, as all programs run.
  return WebAssembly.promising(instance(user(), { s: { call: s.getppid } }).run);
}

/**
 * A function that makes n round trips between two stacks: each call of the import resumes the other stack and suspends
 * its own.
 */
export function bareSwitches() {
  let resume;
  const call = new WebAssembly.Suspending(() => {
    const { promise, resolve } = Promise.withResolvers();
    const other = resume;
    resume = resolve;
    other?.(1);
    return promise;
  });
  const module = user();
  const stack = () => WebAssembly.promising(instance(module, { s: { call } }).run);
  const [a, b] = [stack(), stack()];
  return async (n) => {
    resume = undefined;
    // The last call of the one stack waits for nobody: it is resumed by hand.
    const first = a(n);
    const second = b(n);
    await Promise.race([first, second]);
    resume?.(1);
    await Promise.all([first, second]);
  };
}
