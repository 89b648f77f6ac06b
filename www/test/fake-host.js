// A machine made of nothing, with the face of vk/host_web.js: a line editor with a few commands.
// It is what the page's own tests and screenshots boot. `?fake=` in the page's address picks a fault.

const te = new TextEncoder();
const td = new TextDecoder();
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const fault = new URLSearchParams(location.search).get("fake") ?? "";
const home = new Map();
globalThis.fakeHome = home;
globalThis.fakeAcks = 0;
globalThis.fakeTasks = [];

export default async function init() {
  if (fault === "slow") await sleep(200);
}

let tries = 0;

export async function boot(o) {
  globalThis.fakeBoot = o;
  tries++;
  if (fault === "offline" && tries < 3) throw new TypeError("Failed to fetch");
  if (fault === "refused") throw new Error("pack 12ab: its contents do not match the hash");
  const steps = fault === "slow" || fault === "hang" ? 60 : 3;
  for (let i = 0; i <= steps; i++) {
    o.onprogress?.({ what: "fetch", title: "base system", done: Math.round((842000 * i) / steps), total: 842000 });
    if (i < steps) await sleep(fault ? 30 : 1);
    if (fault === "hang" && i === steps / 2) await new Promise(() => {});
  }
  o.onprogress?.({ what: "compile", title: "kernel", done: 1, total: 1 });
  o.onprogress?.({ what: "boot", title: "mounting /home", done: 1, total: 1 });
  if (fault === "notice") o.onnotice?.("Another tab uses the home directory; here it is read-only.");
  if (fault === "panic") setTimeout(() => o.onended?.({ panic: "lock order: <b>vnode</b> before proc\nlwp 7, last trap 42" }), 300);
  return new Machine(o);
}

class Machine {
  constructor(o) {
    this.o = o;
    this.cpus = o.cpus ?? 1;
    this.isolated = globalThis.crossOriginIsolated === true;
  }
  spawn(s) {
    const t = s.tty === false ? new Pipe(this, s) : new Shell(this, s);
    globalThis.fakeTasks.push(t);
    return t;
  }
  async report() { return "fake machine, no trouble known\n"; }
  shutdown() { this.o.onended?.({ status: 0 }); }
}

class Task {
  constructor(vk, s) {
    this.vk = vk;
    this.s = s;
    this.exited = new Promise((r) => (this.finish = r));
  }
  out(x) { this.s.onoutput(typeof x === "string" ? te.encode(x) : x); }
  ack(n) { globalThis.fakeAcks += n; }
  close() { this.closed = true; this.finish(129); }
  resize(cols, rows) { this.size = [cols, rows]; }
  end() {}
}

/** What the page runs without a terminal: a shell line that changes to the home directory, then tee or mkdir. */
class Pipe extends Task {
  constructor(vk, s) {
    super(vk, s);
    this.words = s.argv;
    this.parts = [];
    if (/mkdir/.test(this.words[2])) setTimeout(() => this.finish(0));
  }
  write(bytes) {
    const copy = bytes.slice();
    this.parts.push(copy);
    setTimeout(() => {
      if (this.closed) return;
      if (this.words.at(-1) === "full") { this.out("tee: full: No space left on device\n"); this.finish(1); return; }
      this.out(copy);
    }, 1);
  }
  async end() {
    await sleep(5);
    if (this.words.at(-1) === "full") return;
    home.set(this.words.at(-1), new Uint8Array(await new Blob(this.parts).arrayBuffer()));
    this.finish(0);
  }
}

class Shell extends Task {
  line = "";
  cwd = "~";
  constructor(vk, s) {
    super(vk, s);
    this.size = [s.cols, s.rows];
    setTimeout(() => {
      this.out("vkernel 0.1 (wasm32), 1 cpu\r\n\r\n");
      this.prompt();
    });
  }
  prompt() { this.out((this.titled ? "" : "\x1b]0;sh: ~\x07") + "\x1b[1;32muser@vk\x1b[0m:\x1b[1;34m~\x1b[0m$ \x1b[?2004h"); }
  write(bytes) {
    for (const c of td.decode(bytes).replace(/\x1b\[20[01]~/g, "")) this.key(c);
  }
  key(c) {
    if (c === "\r") {
      this.out("\r\n\x1b[?2004l");
      const line = this.line.trim();
      this.line = "";
      this.run(line);
    } else if (c === "\x7f") {
      if (this.line) { this.line = this.line.slice(0, -1); this.out("\b \b"); }
    } else if (c === "\x03") {
      this.line = "";
      this.stop = true;
      this.out("^C\r\n");
      this.prompt();
    } else if (c === "\x04") {
      this.out("exit\r\n");
      this.finish(0);
    } else {
      this.line += c;
      this.out(c < " " ? "^" + String.fromCharCode(c.charCodeAt(0) + 64) : c);
    }
  }
  async run(line) {
    const [cmd, ...args] = line.split(/\s+/);
    const text = (s) => this.out(s.replace(/\n/g, "\r\n"));
    if (cmd === "ls") text([...home.keys(), "hello.c", "\x1b[1;34msrc\x1b[0m", "\x1b[1;32ma.out\x1b[0m"].join("  ") + "\n");
    else if (cmd === "colours") {
      for (const base of [30, 90]) {
        for (let i = 0; i < 8; i++) text(`\x1b[${base + i}m colour ${i} \x1b[0m`);
        text("\n");
      }
      for (let i = 0; i < 8; i++) text(`\x1b[${40 + i}m colour ${i} \x1b[0m`);
      text("\n\x1b[1mbold\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4munderline\x1b[0m \x1b[7mreverse\x1b[0m \x1b[2mdim\x1b[0m \x1b[38;2;255;120;0mtrue colour\x1b[0m\n");
    } else if (cmd === "echo") text(args.join(" ") + "\n");
    else if (cmd === "size") text(this.size.join("x") + "\n");
    else if (cmd === "seq") { let s = ""; for (let i = 1; i <= Number(args[0]); i++) s += i + "\r\n"; this.out(s); }
    else if (cmd === "title") this.titled = true, this.out(`\x1b]2;${args.join(" ")}\x07`);
    else if (cmd === "link") text(`\x1b]8;;${args[0]}\x1b\\${args[1] ?? "a link"}\x1b]8;;\x1b\\\n`);
    else if (cmd === "osc52") this.out(`\x1b]52;c;${btoa(args.join(" "))}\x07`);
    else if (cmd === "download") this.download(args[0] ?? "file.txt", args[1] === "parts");
    else if (cmd === "python3") await this.fetchPack();
    else if (cmd === "panic") this.vk.o.onended?.({ panic: "the user asked for it" });
    else if (cmd === "exit") return this.finish(Number(args[0] ?? 0));
    else if (cmd === "notice") this.vk.o.onnotice?.(args.join(" "));
    else if (cmd) text(`sh: ${cmd}: not found\n`);
    this.prompt();
  }
  async fetchPack() {
    for (let i = 0; i <= 40; i++) {
      this.vk.o.onprogress?.({ what: "fetch", title: "Python 3.11", done: i * 200000, total: 8000000 });
      await sleep(25);
    }
    this.vk.o.onprogress?.({ what: "compile", title: "python3", done: 0, total: 1 });
    await sleep(200);
    this.vk.o.onprogress?.({ what: "compile", title: "python3", done: 1, total: 1 });
    this.out("Python 3.11 (fake)\r\n");
  }
  download(name, parts) {
    const data = "hello from the machine\n".repeat(parts ? 1000 : 1);
    const head = `name=${btoa(name)};size=${data.length};inline=0`;
    if (!parts) return this.out(`\x1b]1337;File=${head}:${btoa(data)}\x07`);
    this.out(`\x1b]1337;MultipartFile=${head}\x07`);
    const all = btoa(data);
    for (let i = 0; i < all.length; i += 3000) this.out(`\x1b]1337;FilePart=${all.slice(i, i + 3000)}\x07`);
    this.out("\x1b]1337;FileEnd\x07");
  }
}
