// Random programs, as wasm: all ways to branch, loops with parameters and results, calls of every kind,
// exceptions, moves of memory. Each loop and each function takes from a global, so that each program ends,
// by a trap if need be; what it did is in a global, in a hash of every step.

const I32 = 0x7f;
const FUEL = 0, HASH = 1;

export class Random {
  constructor(seed) {
    this.state = (seed * 2654435761 + 1) >>> 0 || 1;
  }
  below(n) {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }
}

export const uleb = (n) => {
  const out = [];
  do {
    const byte = n & 127;
    n >>>= 7;
    out.push(n ? byte | 128 : byte);
  } while (n);
  return out;
};
export const sleb = (n) => {
  const out = [];
  for (;;) {
    const byte = n & 127;
    n >>= 7;
    if ((n === 0 && !(byte & 64)) || (n === -1 && byte & 64)) return [...out, byte];
    out.push(byte | 128);
  }
};
export const list = (items) => [...uleb(items.length), ...items.flat()];
export const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
export const text = (s) => list([...new TextEncoder().encode(s)]);

// Types: 0 () -> (), 1 (i32) -> i32, 2 (i32 i32) -> i32, 3 (i32 i32) -> (i32 i32), 4 () -> (i32 i32), 5 (i32) -> ()
const TYPES = [[0, 0], [1, 1], [2, 1], [2, 2], [0, 2], [1, 0]];
const FUNCTIONS = 6;
const LOCALS = 4;

class Body {
  constructor(random, params, results, features) {
    this.r = random;
    this.code = [];
    this.params = params;
    this.labels = [results];
    this.results = results;
    this.features = features;
    this.budget = 25;
  }
  emit(...bytes) {
    this.code.push(...bytes);
  }
  local() {
    return this.r.below(this.params + LOCALS);
  }
  constant(n) {
    this.emit(0x41, ...sleb(n));
  }
  fuel() {
    // 1 / --fuel
    this.emit(0x23, FUEL, 0x41, 0x7f, 0x6a, 0x24, FUEL, 0x41, 1, 0x23, FUEL, 0x6e, 0x1a);
  }
  values(n) {
    for (let i = 0; i < n; i++) this.value();
  }
  value() {
    const choice = this.budget-- > 0 ? this.r.below(12) : this.r.below(4);
    if (choice < 1) this.constant(this.r.below(300) - 100);
    else if (choice < 3) this.emit(0x20, this.local());
    else if (choice < 4) this.emit(0x23, HASH);
    else if (choice < 7) {
      this.values(2);
      this.emit([0x6a, 0x6b, 0x6c, 0x71, 0x73, 0x48][this.r.below(6)]);
    } else if (choice < 8) {
      this.value();
      this.emit(0x41, ...sleb(0xffff), 0x71, 0x28, 2, 0);
    } else if (choice < 9) this.call(1 + this.r.below(2));
    else if (choice < 10) this.block(0x02, 0, 1);
    else if (choice < 11) this.block(0x03, 0, 1);
    else {
      this.value();
      this.if(1);
    }
  }
  call(params) {
    // Functions 0..2 take one, 3..5 two.
    this.values(params);
    const own = this.own !== undefined && this.params === params;
    const which = own ? this.own : (params - 1) * 3 + this.r.below(3);
    if (own || this.r.below(3)) this.emit(0x10, which);
    else {
      this.constant(which);
      this.emit(0x11, params, 0);
    }
  }
  type(params, results) {
    if (params === 0 && results < 2) this.emit(results ? I32 : 0x40);
    else this.emit(TYPES.findIndex(([p, r]) => p === params && r === results));
  }
  // The parameters are on the stack already.
  block(opcode, params, results) {
    this.emit(opcode);
    this.type(params, results);
    this.labels.push(opcode === 0x03 ? params : results);
    for (let i = 0; i < params; i++) this.emit(0x21, this.local());
    if (opcode === 0x03) this.fuel();
    if (!this.statements()) this.values(results);
    this.labels.pop();
    this.emit(0x0b);
  }
  if(results) {
    this.emit(0x04);
    this.type(0, results);
    this.labels.push(results);
    if (!this.statements()) this.values(results);
    if (results || this.r.below(2)) {
      this.emit(0x05);
      if (!this.statements()) this.values(results);
    }
    this.labels.pop();
    this.emit(0x0b);
  }
  /** True if the end of them is not reached. */
  statements() {
    for (let n = this.r.below(4); n >= 0; n--) if (this.statement()) return true;
    return false;
  }
  statement() {
    if (this.budget-- <= 0) return false;
    const choice = this.r.below(24);
    if (choice < 5) {
      this.value();
      this.emit(0x23, HASH, 0x41, 33, 0x6c, 0x6a, 0x24, HASH);
    } else if (choice < 7) {
      this.value();
      this.emit(0x21, this.local());
    } else if (choice < 8) this.grow();
    else if (choice < 9) this.branch();
    else if (choice < 11) this.block(0x02, 0, 0);
    else if (choice < 14) {
      this.block(0x03, 0, 0);
    } else if (choice < 15) {
      this.values(2);
      const results = 1 + this.r.below(2);
      this.block(this.r.below(2) ? 0x03 : 0x02, 2, results);
      for (let i = 0; i < results; i++) this.emit(0x21, this.local());
    } else if (choice < 17) {
      this.value();
      this.if(0);
    } else if (choice < 18) this.move();
    else if (choice < 19 && this.features.exceptions) this.try();
    else if (choice < 20) return this.leave();
    else if (choice < 22) {
      // Back to a loop, mostly.
      const loops = this.labels.map((arity, at) => [arity, at]).filter(([arity, at]) => arity === 0 && at > 0);
      if (!loops.length) return false;
      const [, at] = loops[this.r.below(loops.length)];
      this.value();
      this.emit(0x0d, this.labels.length - 1 - at);
    } else {
      this.values(1);
      this.emit(0x41, ...sleb(0xfffc), 0x71);
      this.value();
      this.emit(0x36, 2, 0);
    }
    return false;
  }
  branch() {
    const depth = this.r.below(this.labels.length);
    const arity = this.labels.at(-1 - depth);
    this.values(arity);
    this.value();
    this.emit(0x0d, depth);
    for (let i = 0; i < arity; i++) this.emit(0x1a);
  }
  /** Goes away for good. */
  leave() {
    const depth = this.r.below(this.labels.length);
    const arity = this.labels.at(-1 - depth);
    switch (this.r.below(this.features.tailCalls && this.results === 1 ? 5 : 4)) {
      case 0:
        this.values(arity);
        this.emit(0x0c, depth);
        return true;
      case 1: {
        this.values(arity);
        this.value();
        const same = this.labels.flatMap((a, at) => (a === arity ? [this.labels.length - 1 - at] : []));
        const targets = Array.from({ length: this.r.below(4) }, () => same[this.r.below(same.length)]);
        this.emit(0x0e, ...list(targets), depth);
        return true;
      }
      case 2:
        this.values(this.results);
        this.emit(0x0f);
        return true;
      case 3:
        if (!this.features.exceptions) return false;
        this.value();
        this.emit(0x08, 0);
        return true;
      default:
        this.value();
        if (this.r.below(2)) this.emit(0x12, this.r.below(3));
        else {
          this.constant(this.r.below(3));
          this.emit(0x13, 1, 0);
        }
        return true;
    }
  }
  grow() {
    this.value();
    if (this.r.below(4)) this.emit(0x41, 1, 0x71);
    this.emit(0x40, 0, 0x21, this.local());
  }
  move() {
    const large = this.r.below(3) === 0;
    this.values(2);
    if (this.r.below(2)) {
      for (let i = 0; i < 2; i++) this.emit(0x41, ...sleb(0x3fffff), 0x71, 0x21, this.params + i);
      this.emit(0x20, this.params, 0x20, this.params + 1);
      this.size(large);
      this.emit(0xfc, 10, 0, 0);
    } else {
      this.emit(0x21, this.params, 0x41, ...sleb(0x3fffff), 0x71, 0x20, this.params);
      this.size(large);
      this.emit(0xfc, 11, 0);
    }
  }
  size(large) {
    if (this.r.below(3) === 0) return this.constant(this.r.below(10_000));
    this.value();
    this.emit(0x41, ...sleb(large ? 0x5fffff : 0x3ff), 0x71);
  }
  try() {
    // (block (result i32) (try_table (catch $tag 0) (catch_all $outer?) ...) (i32.const 0)), then keep the value.
    this.emit(0x02, I32);
    this.labels.push(1);
    const back = this.labels.findIndex((arity, at) => arity === 0 && at > 0);
    const catches = [[0x00, 0, 0]];
    if (back >= 0 && this.r.below(2)) catches[this.r.below(2) ? "push" : "unshift"]([0x02, this.labels.length - 1 - back]);
    this.emit(0x1f, 0x40, ...list(catches));
    this.labels.push(0);
    this.statements();
    this.labels.pop();
    this.emit(0x0b);
    this.value();
    this.labels.pop();
    this.emit(0x0b, 0x21, this.local());
  }
}

export function program(seed, features) {
  const random = new Random(seed);
  const bodies = [];
  for (let f = 0; f < FUNCTIONS; f++) {
    const params = f < 3 ? 1 : 2;
    const body = new Body(random, params, 1, features);
    // Some call themselves, mostly.
    if (random.below(3) === 0) body.own = f;
    body.fuel();
    if (!body.statements()) body.value();
    bodies.push([...list([[LOCALS, I32]]), ...body.code, 0x0b]);
  }
  const start = new Body(random, 0, 0, features);
  start.budget = 40;
  for (let i = 0; i < 3; i++) start.block(0x03, 0, 0);
  start.call(1);
  bodies.push([...list([[LOCALS, I32]]), ...start.code, 0x21, 0, 0x0b]);

  const types = TYPES.map(([p, r]) => [0x60, ...list(Array(p).fill([I32])), ...list(Array(r).fill([I32]))]);
  const all = Array.from({ length: FUNCTIONS }, (_, i) => [i]);
  return new Uint8Array(
    [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, list(types)),
      section(3, list([[1], [1], [1], [2], [2], [2], [0]])),
      section(4, list([[0x70, 0, ...uleb(FUNCTIONS)]])),
      section(5, list([[1, ...uleb(64), ...uleb(80)]])),
      features.exceptions ? section(13, list([[0, 5]])) : [],
      section(6, list([[I32, 1, 0x41, ...sleb(60_000), 0x0b], [I32, 1, 0x41, 7, 0x0b]])),
      section(7, list([[...text("_start"), 0, FUNCTIONS], [...text("hash"), 3, HASH], [...text("fuel"), 3, FUEL], [...text("memory"), 2, 0]])),
      section(9, list([[0, 0x41, 0, 0x0b, ...list(all)]])),
      section(10, list(bodies.map((b) => [...uleb(b.length), ...b]))),
    ].flat(),
  );
}
