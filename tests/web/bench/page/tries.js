/**
 * The part of the benchmarks that measures how long something takes to come back to the page, in milliseconds.
 * Uses the machine of `lib/in-page.js`.
 */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const bytes = (text) => new TextEncoder().encode(text);

/** A session, what it has written, and a way to wait for more of it. */
function session(argv, tty) {
  const decoder = new TextDecoder();
  const of = { text: "", heard: undefined };
  of.task = vkt.state.vk.spawn({
    argv,
    tty,
    onoutput: (b) => {
      of.text += decoder.decode(b, { stream: true });
      of.task.ack(b.length);
      of.heard?.();
    },
  });
  of.until = async (there) => {
    while (!there(of.text)) await new Promise((resolve) => (of.heard = resolve));
  };
  return of;
}

function soon(promise, what, ms = 10_000) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** From a key that interrupts, or from `kill -9` typed into a shell, to the end of a program that spins. */
async function ends(argv, by, count) {
  const killer = by === "kill" ? session(["sh"], false) : undefined;
  const took = [];
  for (let i = 0; i < count; i++) {
    const s = session(argv, true);
    await soon(s.until((text) => /pid (\d+)\r\n(.*\n)*burning\r\n/.test(text)), argv.join(" "));
    // Anywhere in the time slices of the machine.
    await pause(5 + Math.random() * 20);
    const pid = /pid (\d+)/.exec(s.text)[1];
    const begin = performance.now();
    if (killer) killer.task.write(bytes(`kill -9 ${pid}\n`));
    else s.task.write(bytes("\x03"));
    const status = await soon(s.task.exited, `${argv.join(" ")}, ${by}`);
    took.push(performance.now() - begin);
    const signal = killer ? 9 : 2;
    if (status !== 128 + signal) throw new Error(`${argv.join(" ")}: ended with ${status}: ${s.text}`);
  }
  if (killer) {
    killer.task.end();
    await killer.task.exited;
  }
  return took;
}

/** From a key to its echo on a terminal, while as many programs as there are CPUs compute. */
async function echoes(argv, spinners, count) {
  const busy = Array.from({ length: spinners }, () => session(argv, true));
  for (const s of busy) await soon(s.until((text) => text.includes("burning")), argv.join(" "));
  const terminal = session(["cat"], true);
  const took = [];
  for (let i = 0; i < count + 5; i++) {
    await pause(3 + Math.random() * 15);
    const before = terminal.text.length;
    const begin = performance.now();
    terminal.task.write(bytes("x"));
    await soon(terminal.until((text) => text.length > before), "an echo");
    if (i >= 5) took.push(performance.now() - begin);
  }
  for (const s of [...busy, terminal]) s.task.write(bytes("\x03"));
  await Promise.all([...busy, terminal].map((s) => soon(s.task.exited, "the end of it")));
  return took;
}

globalThis.tries = { ends, echoes };
