/**
 * The part of the benchmarks that runs in the page, without the machine: what the engine takes for the mechanisms.
 * `globalThis.bare` has functions that answer nanoseconds for one operation, a number for each sample.
 */
const here = new URL(".", import.meta.url);

/** A worker that does one thing after another. */
async function worker() {
  const w = new Worker(new URL("worker.js", here), { type: "module" });
  const answer = () =>
    new Promise((resolve, reject) => {
      w.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      w.onerror = (e) => reject(new Error(e.message || "a worker failed"));
    });
  await answer();
  return {
    do(order) {
      const answered = answer();
      w.postMessage(order);
      return answered;
    },
    end: () => w.terminate(),
  };
}

/** Samples of `run(n)`, which answers milliseconds for n operations; n is found so that it takes about `ms`. */
async function sample(run, samples, ms) {
  let n = 100;
  for (;;) {
    const took = Math.min(await run(n), await run(n));
    if (took >= ms / 4 || n >= 1e9) {
      n = Math.max(1, Math.ceil((n * ms) / Math.max(took, 0.01)));
      break;
    }
    n *= took < ms / 40 ? 8 : 2;
  }
  const out = [];
  for (let i = 0; i < samples; i++) out.push(((await run(n)) * 1e6) / n);
  return out;
}

let one;
async function single(work, samples, ms) {
  one ??= await worker();
  return sample(async (n) => (await one.do({ work, n })).ms, samples, ms);
}

let pair;
/** Round trips between two workers that wait for each other: `Atomics.wait` and `notify`. */
async function waits(samples, ms) {
  pair ??= [await worker(), await worker()];
  const words = new Int32Array(new SharedArrayBuffer(8));
  const run = async (n) => {
    const order = { n, with: words };
    const [took] = await Promise.all([pair[0].do({ work: "ping", ...order }), pair[1].do({ work: "pong", ...order })]);
    return took.ms;
  };
  return sample(run, samples, ms);
}

/** What the benchmark program writes under the WASI of JavaScript. */
async function shim(args) {
  one ??= await worker();
  return (await one.do({ work: "shim", with: args })).answer;
}

globalThis.bare = {
  shim,
  calls: (samples, ms) => single("calls", samples, ms),
  switches: (samples, ms) => single("switches", samples, ms),
  waits,
};
