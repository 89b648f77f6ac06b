/** A worker of `bare.js`: does as it is told, and answers with the milliseconds that it took. */
import { bareCalls, bareSwitches } from "./wasm.js";
import { runUnderShim } from "./shim.js";

const works = {
  calls: bareCalls(),
  switches: bareSwitches(),

  /** `n` times: sets a word, and waits for the other one. */
  ping(n, words) {
    for (let i = 0; i < n; i++) {
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
      while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0);
      Atomics.store(words, 1, 0);
    }
  },
  pong(n, words) {
    for (let i = 0; i < n; i++) {
      while (Atomics.load(words, 0) === 0) Atomics.wait(words, 0, 0);
      Atomics.store(words, 0, 0);
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
    }
  },
  shim: (_, args) => runUnderShim(args),
};

addEventListener("message", async ({ data: { work, n, with: given } }) => {
  try {
    const begin = performance.now();
    const answer = await works[work](n, given);
    postMessage({ ms: performance.now() - begin, answer });
  } catch (e) {
    postMessage({ error: String(e.stack ?? e) });
  }
});
postMessage({ ready: true });
