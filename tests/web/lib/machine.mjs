/**
 * A machine in a bare page, driven through the page's API (`host_web.js`).
 *
 *     const vk = await boot(page);                    // the page is at server.url("/bare.html")
 *     const { status, output } = await vk.run("ls /");
 *     await vk.put("/tmp/p.wasm", server, path);      // a file of ours as a program of the guest
 */
import { basename } from "node:path";

/** Boots in `page`, which shows `/bare.html`. `options` go to the API's `boot`; it keeps nothing unless `persist` is given. */
export async function boot(page, options = {}) {
  await page.evaluate(async () => {
    for (let i = 0; !globalThis.vkt && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  const info = await page.evaluate((o) => vkt.boot(o), options);
  return new Machine(page, info);
}

export class Machine {
  constructor(page, info) {
    this.page = page;
    Object.assign(this, info);
  }

  /** Runs a command line with `sh -c`, or a list of words as it is, to its end: `{ status, output, ms }`. */
  run(command, options = {}) {
    const argv = typeof command === "string" ? ["sh", "-c", command] : command;
    return this.page.evaluate(([a, o]) => vkt.run(a, o), [argv, options]);
  }

  /** As `run`, and answers the output; anything but success is an error. */
  async ok(command, options) {
    const { status, output } = await this.run(command, options);
    if (status !== 0) throw new Error(`${command}: status ${status}\n${output}${await this.said()}`);
    return output;
  }

  /** Writes a file of this computer to `path` in the guest. */
  async put(path, server, file, mode = "755") {
    const at = `/-/put/${basename(file)}`;
    server.mount(at, file);
    await this.ok(`mkdir -p "$(dirname '${path}')" && cat >'${path}' && chmod ${mode} '${path}'`, { inputFrom: at, timeout: 120_000 });
  }

  /** Starts something that stays, on a terminal unless `tty` is false. */
  start(name, argv, options = {}) {
    return this.page.evaluate(([n, a, o]) => vkt.start(n, a, o), [name, argv, options]);
  }
  write(name, text) {
    return this.page.evaluate(([n, t]) => vkt.tasks.get(n).write(t), [name, text]);
  }
  text(name) {
    return this.page.evaluate((n) => vkt.tasks.get(n).text(), name);
  }
  until(name, text, timeout) {
    return this.page.evaluate(([n, t, ms]) => vkt.until(n, t, ms), [name, text, timeout]);
  }
  exited(name, timeout) {
    return this.page.evaluate(([n, ms]) => vkt.exited(n, ms), [name, timeout]);
  }

  report() {
    return this.page.evaluate(() => vkt.state.vk.report());
  }
  ended() {
    return this.page.evaluate(() => vkt.state.ended);
  }
  notices() {
    return this.page.evaluate(() => vkt.state.notices);
  }
  /** What the kernel wrote to its console, and whether it has ended: for messages. */
  async said() {
    const { console, ended } = await this.page.evaluate(() => ({ console: vkt.state.console, ended: vkt.state.ended }));
    return `${console ? `console:\n${console.slice(-1000)}` : ""}${ended ? `ended: ${JSON.stringify(ended).slice(0, 1000)}\n` : ""}`;
  }
}
