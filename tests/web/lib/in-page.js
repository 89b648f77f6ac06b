/**
 * The part of the tests that runs in a bare page: boots a machine through the page's API and runs
 * commands in it. `lib/machine.mjs` is the other half.
 */
const state = { vk: undefined, console: "", notices: [], ended: undefined, progress: [] };

/** Boots; answers what the machine says of itself. */
async function boot(options = {}) {
  const base = new URL(options.base ?? "/vk/", location.href).href;
  const { default: init, boot } = await import(base + "host_web.js");
  await init();
  const started = performance.now();
  state.vk = await boot({
    persist: false,
    ...options,
    base,
    onconsole: (text) => (state.console += text.endsWith("\n") ? text : `${text}\n`),
    onnotice: (text) => state.notices.push(text),
    onended: (e) => (state.ended = e),
    onprogress: (p) => state.progress.push(p),
  });
  return { cpus: state.vk.cpus, isolated: state.vk.isolated, machine: state.vk.machine, ms: performance.now() - started };
}

/** All of a stream of bytes as text. */
function collector(limit) {
  const decoder = new TextDecoder();
  let text = "";
  return {
    add(bytes) {
      const more = decoder.decode(bytes, { stream: true });
      if (text.length < limit) text += more;
    },
    get text() {
      return text;
    },
  };
}

/**
 * Runs `argv` to its end. `input` is its standard input, `inputFrom` an address to fetch it from.
 * After `timeout` ms it is hung up on, and `status` is "timeout".
 */
async function run(argv, { input, inputFrom, tty = false, env, cwd, timeout = 60_000, limit = 4_000_000 } = {}) {
  const out = collector(limit);
  const started = performance.now();
  const task = state.vk.spawn({
    argv,
    ...(env && { env }),
    ...(cwd && { cwd }),
    tty,
    onoutput: (bytes) => {
      out.add(bytes);
      task.ack(bytes.length);
    },
  });
  if (inputFrom !== undefined) await feed(task, inputFrom);
  else if (input !== undefined) task.write(new TextEncoder().encode(input));
  if (!tty) task.end();
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, timeout, "timeout")));
  const status = await Promise.race([task.exited, late]);
  clearTimeout(timer);
  if (status === "timeout") task.close();
  return { status, output: out.text, ms: performance.now() - started };
}

async function feed(task, address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  for (let at = 0; at < bytes.length; at += 65536) task.write(bytes.slice(at, at + 65536));
}

/** A task that stays: `tasks.get(name)` has what it wrote so far. */
const tasks = new Map();
function start(name, argv, options = {}) {
  const out = collector(options.limit ?? 4_000_000);
  const task = state.vk.spawn({
    tty: true,
    ...options,
    argv,
    onoutput: (bytes) => {
      out.add(bytes);
      task.ack(bytes.length);
    },
  });
  const entry = { task, status: undefined, text: () => out.text, write: (text) => task.write(new TextEncoder().encode(text)) };
  void task.exited.then((status) => (entry.status = status));
  tasks.set(name, entry);
}

/** Resolves when `name` has written `text`, with the time it took; rejects after `timeout` ms. */
async function until(name, text, timeout = 20_000) {
  const started = performance.now();
  const entry = tasks.get(name);
  while (!entry.text().includes(text)) {
    if (performance.now() - started > timeout) throw new Error(`waited for ${JSON.stringify(text)}, got ${JSON.stringify(entry.text().slice(-2000))}`);
    if (entry.status !== undefined && !entry.text().includes(text)) throw new Error(`ended with ${entry.status} before ${JSON.stringify(text)}: ${JSON.stringify(entry.text().slice(-2000))}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - started;
}

/** Resolves with the exit status of `name`, or "timeout". */
async function exited(name, timeout = 20_000) {
  return Promise.race([tasks.get(name).task.exited, new Promise((resolve) => setTimeout(resolve, timeout, "timeout"))]);
}

globalThis.vkt = { state, boot, run, start, until, exited, tasks };
