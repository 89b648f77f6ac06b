/** Small programs, byte by byte: what no compiler of ours would make of a source. */

const leb = (n) => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...leb(n >>> 7)]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const name = (text) => [text.length, ...Buffer.from(text)];

/** A command whose `_start` is `code`; it imports nothing. */
function command(code, { pages = 1, locals = [] } = {}) {
  const body = [...locals, ...code, 0x0b];
  return Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...leb(pages)]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("_start"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}
const NO_LOCALS = [0];

/** Computes for ever and asks for nothing: `(loop (br 0))`. */
export const spin = command([0x03, 0x40, 0x0c, 0x00, 0x0b], { locals: NO_LOCALS });

/** Traps at once. */
export const trap = command([0x00], { locals: NO_LOCALS });

/** Takes a page of memory at a time until there is no more, and ends: `(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))`. */
export const grow = command([0x03, 0x40, 0x41, 0x10, 0x40, 0x00, 0x41, 0x7f, 0x47, 0x0d, 0x00, 0x0b], { locals: NO_LOCALS });

/** Calls itself until there is no stack. */
export const recurse = command([0x10, 0x00], { locals: NO_LOCALS });
