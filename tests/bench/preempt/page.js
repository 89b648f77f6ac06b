// Runs in the page: times each kernel in each module, in turns, so that whatever else the machine does
// hits all of them alike.

const BUDGET = 4; // offset in the bell page

/**
 * So many times is each module compiled, and the best of them counts: Firefox puts what a table's functions do in line, or
 * does not, by what it has seen when it comes to optimise a loop, so that one module's interpreter is 2.5 times as fast
 * as the same module's beside it.
 */
const COPIES = 3;

async function instance(url, stub, budget) {
  const module = await WebAssembly.compile(await (await fetch(url)).arrayBuffer());
  const bell = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const words = new Int32Array(bell.buffer);
  const asked = { times: 0 };
  const preempt = () => {
    asked.times++;
    words[BUDGET / 4] = budget;
    return 0;
  };
  words[BUDGET / 4] = budget;
  const lwp = new WebAssembly.Global({ value: "i32", mutable: true }, 1);
  const machine = new WebAssembly.Instance(stub, { k: { trap: () => 0n, signal: () => 0n, lwp }, vk: { bell, preempt } });
  machine.exports.pages.value = 65536;
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = from === "vk" ? machine.exports[name] : machine.exports[`${from}:${name}`];
  }
  return { exports: new WebAssembly.Instance(module, imports).exports, asked };
}

function time(run, n) {
  const begin = performance.now();
  const answer = run(n);
  return [performance.now() - begin, answer];
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rest = () => new Promise((done) => setTimeout(done, 0));

/** Finds how often a kernel must run to take `ms`, running it until the engine has optimised it. */
function calibrate(run, ms) {
  let n = 1;
  const until = performance.now() + 300;
  for (;;) {
    const [took] = time(run, n);
    if (performance.now() > until && took > ms / 2) return Math.max(1, Math.round((n * ms) / took));
    if (took < ms) n *= 2;
  }
}

globalThis.measure = async ({ modules, runs, ms, budget, only }) => {
  const stub = await WebAssembly.compile(await (await fetch("stub.wasm")).arrayBuffer());
  const instances = [];
  for (let copy = 0; copy < COPIES; copy++) for (const { url } of modules) instances.push(await instance(url, stub, budget));
  const names = Object.keys(instances[0].exports).filter((name) => name.startsWith("k_") && (!only || only.includes(name.slice(2))));
  const kernels = {};
  for (const name of names) {
    const all = instances.map((i) => i.exports[name]);
    const n = calibrate(all[0], ms);
    for (const run of all) for (const until = performance.now() + 300; performance.now() < until; ) run(n);
    const times = all.map(() => []);
    for (let round = 0; round < runs; round++) {
      await rest();
      const answers = all.map((_, i) => {
        const which = (i + round) % all.length;
        const [took, answer] = time(all[which], n);
        times[which].push(took);
        return answer;
      });
      if (new Set(answers).size !== 1) throw new Error(`${name}: answers differ: ${answers}`);
    }
    const found = times.map((t) => ({ median: median(t), least: Math.min(...t) }));
    const best = (which, of) => Math.min(...found.filter((_, i) => i % modules.length === which).map((f) => f[of]));
    kernels[name.slice(2)] = modules.map((_, which) => ({ median: best(which, "median"), least: best(which, "least") }));
  }
  return { kernels, isolated: crossOriginIsolated, asked: instances.slice(0, modules.length).map((i) => i.asked.times) };
};
