/** The page: boots the machine and shows its terminals. */
import { Flow } from "./lib/flow.js";
import { parseParams } from "./lib/params.js";
import { byId, el } from "./ui/dom.js";
import { defineStyleElement } from "./ui/style.js";
import { TerminalView } from "./ui/terminal.js";
import { onTheme } from "./ui/theme.js";
import { machineBase, type HostModule, type Task } from "./vk.js";

export async function start(loading: Promise<HostModule>): Promise<void> {
  defineStyleElement();
  const params = parseParams(location.search);
  const status = el("p", { role: "status", class: "status" }, "Loading…");
  const panel = el("div", { class: "panel" });
  byId("app").replaceChildren(panel, status);

  let task: Task | undefined;
  const view = new TerminalView(panel, {
    input: (bytes) => task?.write(bytes),
    resized: (cols, rows) => task?.resize(cols, rows),
    title: (t) => (document.title = t),
    link: () => {},
    osc1337: () => {},
    osc52: () => {},
    shortcut: () => false,
    bell: () => {},
    typed: (t) => t,
  }, { screenReader: false, small: innerWidth < 600 });
  view.open();
  onTheme((t) => view.setTheme(t));

  const host = await loading;
  const vk = await host.boot({
    base: machineBase(),
    persist: params.persist,
    ...(params.cpus ? { cpus: params.cpus } : {}),
    onprogress: (p) => (status.textContent = `${p.title} ${p.done}/${p.total}`),
    onconsole: (text) => console.info(text),
    onended: (e) => (status.textContent = e.panic ? `panic: ${e.panic}` : `ended: ${e.status ?? 0}`),
    onnotice: (text) => (status.textContent = text),
  });
  const flow = new Flow((n) => task?.ack(n));
  task = vk.spawn({
    cols: view.xterm.cols,
    rows: view.xterm.rows,
    onoutput: (bytes) => {
      flow.received(bytes.length);
      view.write(bytes, () => flow.shown(bytes.length));
    },
  });
  status.textContent = "";
  view.focus();
  const code = await task.exited;
  status.textContent = `exited: ${code}`;
}
