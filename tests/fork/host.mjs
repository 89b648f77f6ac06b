// A host of programs that fork, and of the same programs as they were. A child is run when its parent has ended.
//
// A *trace* is the list of what a process said by `t.log`, its parent's before the fork included.

const EAGAIN = -6;

/** Runs `module` and all its children. Answers what each process said, got from fork, and came to. */
export function family(module, { processes = 12, imports = () => ({}), refuse = () => false } = {}) {
  const done = [];
  const waiting = [{ frames: 0, trace: [], answers: [], memory: null }];
  let pid = 1;
  while (waiting.length) {
    const self = waiting.shift();
    const fork_at = (frames) => {
      if (pid >= processes || refuse(self)) {
        self.answers.push(EAGAIN);
        return EAGAIN;
      }
      pid++;
      const memory = new Uint8Array(self.instance.exports.memory.buffer).slice();
      waiting.push({ frames, trace: [...self.trace], answers: [...self.answers, 0], memory, host: self.state?.() });
      self.answers.push(pid);
      return pid;
    };
    const log = (n) => self.trace.push(n);
    self.instance = new WebAssembly.Instance(module, {
      vkernel: { fork_at, frames: () => self.frames },
      t: { log },
      ...imports(self),
    });
    const { memory } = self.instance.exports;
    if (self.memory) {
      const pages = (self.memory.length - memory.buffer.byteLength) >> 16;
      if (pages > 0) memory.grow(pages);
      new Uint8Array(memory.buffer).set(self.memory);
      self.memory = null;
    }
    self.end = end(self.instance);
    done.push(self);
  }
  return done;
}

/** Runs a program as it was, with these answers of fork. */
export function original(module, answers, imports = () => ({})) {
  const self = { trace: [] };
  let next = 0;
  self.instance = new WebAssembly.Instance(module, {
    vkernel: { fork: () => answers[next++] ?? EAGAIN },
    t: { log: (n) => self.trace.push(n) },
    ...imports(self),
  });
  self.end = end(self.instance);
  self.used = next;
  return self;
}

function end(instance) {
  try {
    instance.exports._start();
    return "returned";
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return error.message;
    if (error instanceof WebAssembly.Exception) return "exception";
    if (error.exit !== undefined) return `exit ${error.exit}`;
    throw error;
  }
}

/** Says what is wrong with a family, compared with the program as it was. */
export function compare(module, processes) {
  for (const [number, self] of processes.entries()) {
    const other = original(module, self.answers);
    // How deep the stack may be is not a program's business.
    if (/stack/.test(self.end) || /stack/.test(other.end)) continue;
    if (other.used !== self.answers.length) return `process ${number} forked ${self.answers.length} times instead of ${other.used}`;
    if (other.end !== self.end) return `process ${number} came to "${self.end}" instead of "${other.end}"`;
    for (let i = 0; i < Math.max(self.trace.length, other.trace.length); i++)
      if (self.trace[i] !== other.trace[i])
        return `process ${number} said ${self.trace[i]} instead of ${other.trace[i]} (${i} of ${other.trace.length})`;
    const [a, b] = [self, other].map((process) => new Uint32Array(process.instance.exports.memory.buffer));
    for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return `process ${number} has ${a[i]} instead of ${b[i]} at ${4 * i}`;
  }
}
