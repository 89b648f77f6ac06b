// Random programs that fork, as wasm: values of all types on the operand stack around calls, blocks and loops, all ways
// to branch, calls of every kind, exceptions. Each loop and each function takes from a global, so that each program ends, by
// a trap if need be. What it does it says by `t.log`.
import { Random } from "../prepare/random.mjs";

const [I32, I64, F32, F64, V128] = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b];
const TYPES = [I32, I32, I64, F64, F32, V128];
const FORK = 0, LOG = 1, IMPORTS = 2;
const FUEL = 0;

const uleb = (n) => {
  const out = [];
  do {
    const byte = n & 127;
    n >>>= 7;
    out.push(n ? byte | 128 : byte);
  } while (n);
  return out;
};
const sleb = (n) => {
  const out = [];
  for (;;) {
    const byte = n & 127;
    n >>= 7;
    if ((n === 0 && !(byte & 64)) || (n === -1 && byte & 64)) return [...out, byte];
    out.push(byte | 128);
  }
};
const list = (items) => [...uleb(items.length), ...items.flat()];
const section = (id, bytes) => [id, ...uleb(bytes.length), ...bytes];
const text = (s) => list([...new TextEncoder().encode(s)]);

class Program {
  constructor(seed, features) {
    this.r = new Random(seed);
    this.features = features;
    this.types = [];
    this.functions = [];
    this.globals = [[I32, 400], [I32, 7], [I64, 9], [F64, 3], [V128, 0]];
  }
  type(params, results) {
    const key = JSON.stringify([params, results]);
    let at = this.types.indexOf(key);
    if (at < 0) at = this.types.push(key) - 1;
    return at;
  }
  some(n) {
    return Array.from({ length: this.r.below(n + 1) }, () => TYPES[this.r.below(TYPES.length)]);
  }
  write() {
    this.type([], [I32]);
    this.type([I32], []);
    const count = 3 + this.r.below(5);
    for (let i = 0; i < count; i++) this.functions.push({ params: this.some(3), results: this.some(this.r.below(3)) });
    this.functions.push({ params: [], results: [] });
    const bodies = this.functions.map((f, i) => new Body(this, f, i === count).write());
    const functions = this.functions.map((f) => [...uleb(this.type(f.params, f.results))]);
    const all = this.functions.slice(0, count).map((_, i) => [...uleb(i + IMPORTS)]);
    const types = this.types.map((key) => JSON.parse(key)).map(([p, r]) => [0x60, ...list(p.map((t) => [t])), ...list(r.map((t) => [t]))]);
    const globals = this.globals.map(([t, v]) => [t, 1, ...constant(t, v), 0x0b]);
    return new Uint8Array(
      [
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        section(1, list(types)),
        section(2, list([[...text("vkernel"), ...text("fork"), 0, 0], [...text("t"), ...text("log"), 0, 1]])),
        section(3, list(functions)),
        section(4, list([[0x70, 0, ...uleb(count)]])),
        section(5, list([[0, 1]])),
        this.features.exceptions ? section(13, list([[0, 1]])) : [],
        section(6, list(globals)),
        section(7, list([[...text("_start"), 0, ...uleb(count + IMPORTS)], [...text("memory"), 2, 0]])),
        section(9, list([[0, 0x41, 0, 0x0b, ...list(all)]])),
        section(10, list(bodies.map((b) => [...uleb(b.length), ...b]))),
      ].flat(),
    );
  }
}

function constant(type, n) {
  switch (type) {
    case I32: return [0x41, ...sleb(n)];
    case I64: return [0x42, ...sleb(n)];
    case F32: return [0x43, ...new Uint8Array(new Float32Array([n]).buffer)];
    case F64: return [0x44, ...new Uint8Array(new Float64Array([n]).buffer)];
    default: return [0xfd, 12, ...new Uint8Array(new Int32Array([n, n + 1, 3, n]).buffer)];
  }
}
const SUM = { [I32]: [0x6a], [I64]: [0x7c], [F32]: [0x92], [F64]: [0xa0], [V128]: [0xfd, 0xae, 1] };
const OTHER = { [I32]: [0x73], [I64]: [0x85], [F32]: [0x93], [F64]: [0xa1], [V128]: [0xfd, 0x51] };
const FROM_I32 = { [I32]: [], [I64]: [0xac], [F32]: [0xb2], [F64]: [0xb7], [V128]: [0xfd, 0x11] };
const TO_I32 = { [I32]: [], [I64]: [0xa7], [F32]: [0xfc, 0], [F64]: [0xfc, 2], [V128]: [0xfd, 0x1b, 1] };
const same = (a, b) => a.length === b.length && a.every((t, i) => t === b[i]);

class Body {
  constructor(program, { params, results }, is_start) {
    Object.assign(this, { program, params, results, is_start, r: program.r, code: [], budget: 40 });
    // One local of each type at least.
    this.locals = [...params, I32, I64, F32, F64, V128, ...program.some(3)];
    this.labels = [{ arity: results }];
  }
  write() {
    this.fuel();
    if (this.is_start) for (let i = 0; i < 4; i++) this.statement();
    if (!this.statements()) this.values(this.results);
    const own = this.locals.slice(this.params.length).map((t) => [1, t]);
    return [...list(own), ...this.code, 0x0b];
  }
  emit(...bytes) {
    this.code.push(...bytes);
  }
  fuel() {
    // 1 / --fuel
    this.emit(0x23, FUEL, 0x41, 0x7f, 0x6a, 0x24, FUEL, 0x41, 1, 0x23, FUEL, 0x6e, 0x1a);
  }
  local(type) {
    const fitting = this.locals.flatMap((t, at) => (t === type ? [at] : []));
    return uleb(fitting[this.r.below(fitting.length)]);
  }
  values(types) {
    for (const type of types) this.value(type);
  }
  /** Stores what is on the operand stack. */
  store(types) {
    for (const type of [...types].reverse()) this.emit(...(this.r.below(4) ? [0x21, ...this.local(type)] : [0x1a]));
  }
  value(type) {
    const choice = this.budget-- > 0 ? this.r.below(14) : this.r.below(3);
    if (choice < 1) this.emit(...constant(type, this.r.below(60) - 30));
    else if (choice < 3) this.emit(0x20, ...this.local(type));
    else if (choice < 4 && type === I32) this.fork();
    else if (choice < 7) {
      this.value(type);
      this.value(type);
      this.emit(...(this.r.below(2) ? SUM : OTHER)[type]);
    } else if (choice < 8) {
      this.value(I32);
      this.emit(...FROM_I32[type]);
    } else if (choice < 10) this.call_for(type);
    else if (choice < 13) this.construct(this.program.some(2), [type]);
    else {
      const global = this.program.globals.findIndex(([t], at) => t === type && at > 0);
      this.emit(...(global > 0 ? [0x23, global] : [0x20, ...this.local(type)]));
    }
  }
  fork() {
    this.emit(0x10, FORK);
  }
  /** A call that leaves a value of this type at last. */
  call_for(type) {
    const fitting = this.program.functions.flatMap((f, at) => (f.results[0] === type ? [at] : []));
    if (!fitting.length) return this.emit(0x20, ...this.local(type));
    const at = fitting[this.r.below(fitting.length)];
    this.call(at);
    this.store(this.program.functions[at].results.slice(1));
  }
  call(at, tail = 0) {
    const { params, results } = this.program.functions[at];
    this.values(params);
    if (this.r.below(3)) return this.emit(0x10 + tail, ...uleb(at + IMPORTS));
    this.emit(...constant(I32, at), 0x11 + tail, ...uleb(this.program.type(params, results)), 0);
  }
  block_type(params, results) {
    if (params.length === 0 && results.length === 0) this.emit(0x40);
    else if (params.length === 0 && results.length === 1) this.emit(results[0]);
    else this.emit(...sleb(this.program.type(params, results)));
  }
  /** A block, loop, `if` or `try_table` with these parameters (which are made) and results. */
  construct(params, results) {
    this.values(params);
    const kind = this.r.below(this.program.features.exceptions ? 5 : 4);
    if (kind === 4) return this.try(params, results);
    if (kind >= 2) this.value(I32);
    this.emit([0x02, 0x03, 0x04, 0x04][kind]);
    this.block_type(params, results);
    this.labels.push({ arity: kind === 1 ? params : results });
    const arm = () => {
      this.store(params);
      if (kind === 1) this.fuel();
      if (!this.statements()) this.values(results);
    };
    arm();
    if (kind >= 2 && (kind === 3 || !same(params, results))) {
      this.emit(0x05);
      arm();
    }
    this.labels.pop();
    this.emit(0x0b);
  }
  try(params, results) {
    // A number that was thrown becomes the results.
    this.store(params);
    this.emit(0x02);
    this.block_type([], results);
    this.labels.push({ arity: results });
    this.emit(0x02, I32);
    this.labels.push({ arity: [I32] });
    this.emit(0x1f, 0x40, ...list([[0x00, 0, 0]]));
    this.labels.push({ arity: [] });
    this.statements();
    this.labels.pop();
    this.emit(0x0b);
    this.values(results);
    this.emit(0x0c, 1);
    this.labels.pop();
    this.emit(0x0b, 0x10, LOG);
    this.values(results);
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
    const choice = this.r.below(22);
    if (choice < 5) {
      const type = TYPES[this.r.below(TYPES.length)];
      this.value(type);
      this.emit(...TO_I32[type], 0x10, LOG);
    } else if (choice < 8) {
      const type = TYPES[this.r.below(TYPES.length)];
      this.value(type);
      this.emit(0x21, ...this.local(type));
    } else if (choice < 9) {
      const global = 1 + this.r.below(this.program.globals.length - 1);
      this.value(this.program.globals[global][0]);
      this.emit(0x24, global);
    } else if (choice < 10) {
      this.emit(...constant(I32, this.r.below(1000)));
      this.value(I32);
      this.emit(0x36, 2, 0);
    } else if (choice < 11) {
      this.fork();
      this.emit(0x10, LOG);
    } else if (choice < 13) {
      const at = this.r.below(this.program.functions.length - 1);
      this.call(at);
      this.store(this.program.functions[at].results);
    } else if (choice < 17) {
      const results = this.program.some(2);
      this.construct(this.program.some(2), results);
      this.store(results);
    } else if (choice < 19) {
      const depth = this.r.below(this.labels.length);
      const { arity } = this.labels.at(-1 - depth);
      this.values(arity);
      this.value(I32);
      this.emit(0x0d, ...uleb(depth));
      this.store(arity);
    } else if (choice < 20) return this.leave();
    else if (choice < 21 && this.program.features.exceptions) {
      this.value(I32);
      this.emit(0x04, 0x40);
      this.labels.push({ arity: [] });
      this.value(I32);
      this.labels.pop();
      this.emit(0x08, 0, 0x0b);
    } else this.emit(0x01);
    return false;
  }
  /** Goes away for good. */
  leave() {
    const depth = this.r.below(this.labels.length);
    const { arity } = this.labels.at(-1 - depth);
    switch (this.r.below(4)) {
      case 0:
        this.values(arity);
        this.emit(0x0c, ...uleb(depth));
        return true;
      case 1: {
        this.values(arity);
        this.value(I32);
        const fitting = this.labels.flatMap((l, at) => (same(l.arity, arity) ? [this.labels.length - 1 - at] : []));
        const targets = Array.from({ length: this.r.below(4) }, () => uleb(fitting[this.r.below(fitting.length)]));
        this.emit(0x0e, ...list(targets), ...uleb(depth));
        return true;
      }
      case 2:
        this.values(this.results);
        this.emit(0x0f);
        return true;
      default: {
        const fitting = this.program.functions.flatMap((f, at) => (same(f.results, this.results) ? [at] : []));
        this.call(fitting[this.r.below(fitting.length)], 2);
        return true;
      }
    }
  }
}

export function program(seed, features) {
  return new Program(seed, features).write();
}
