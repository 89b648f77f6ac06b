/**
 * The page: boots the machine and shows its terminals. One App a page; it holds the sessions and
 * lets the parts of `ui/` speak to each other. What can be decided without a document is in `lib/`.
 */
import { linkTarget } from "./lib/links.js";
import { byteText } from "./lib/names.js";
import type { FileEvent } from "./lib/osc1337.js";
import { mayRunUnasked, parseParams, type Params } from "./lib/params.js";
import { actionOf, type Action } from "./lib/shortcuts.js";
import * as tabs from "./lib/tabs.js";
import { withModifiers } from "./lib/keys.js";
import { Console, showEnded, showHelp, showReport } from "./ui/about.js";
import { bootMachine } from "./ui/boot.js";
import { Clipboard } from "./ui/clipboard.js";
import { confirm } from "./ui/dialogs.js";
import { byId, el, framed, memory } from "./ui/dom.js";
import { save, takeFiles } from "./ui/files.js";
import { KeysRow } from "./ui/keysrow.js";
import { Notices } from "./ui/notices.js";
import { Search } from "./ui/search.js";
import { Session, type SessionEvents } from "./ui/session.js";
import { Status } from "./ui/status.js";
import { defineStyleElement } from "./ui/style.js";
import { TabStrip } from "./ui/tabstrip.js";
import { onTheme, toggleTheme } from "./ui/theme.js";
import { Uploads } from "./ui/uploads.js";
import { followViewport } from "./ui/viewport.js";
import type { Ended, HostModule, Machine, SpawnOptions, Task } from "./vk.js";

const FONT = { min: 8, max: 32, normal: 14, small: 12 };

class App {
  readonly notices = new Notices(() => this.current?.view.focus());
  readonly clipboard = new Clipboard(this.notices, (text) => this.current?.view.paste(text));
  readonly console = new Console();
  readonly #sessions = new Map<number, Session>();
  readonly #strip: TabStrip;
  readonly #search = new Search(() => this.current?.view);
  readonly #keys: KeysRow;
  #tabs = tabs.noTabs;
  #vk: Machine | undefined;
  #first: Session | undefined;
  #ended = false;
  #asked = false;
  #screenReader: boolean;
  #fontSize = Number(memory.get("font")) || (innerWidth < 600 ? FONT.small : FONT.normal);

  constructor(
    readonly params: Params,
    readonly status: Status,
  ) {
    this.#strip = new TabStrip({
      select: (id) => this.#update(tabs.select(this.#tabs, id)),
      close: (id) => void this.#close(id),
      enter: () => this.current?.view.focus(),
    });
    this.#keys = new KeysRow({
      send: (text) => this.current?.send(text),
      applicationCursor: () => this.current?.view.xterm.modes.applicationCursorKeysMode ?? false,
      paste: () => void this.clipboard.paste(),
      focus: () => this.current?.view.focus(),
    });
    this.#screenReader = params.screenReader ?? memory.get("sr") === "1";
    this.#wire();
    this.#drawScreenReader();
  }

  get current(): Session | undefined {
    return this.#tabs.active === undefined ? undefined : this.#sessions.get(this.#tabs.active);
  }

  /** Opens the first terminal; answers what its shell is asked for with. */
  begin(): SpawnOptions {
    this.#open();
    if (this.params.runRefused) this.notices.show({ key: "run", text: this.params.runRefused, kind: "error" });
    this.#first = this.current!;
    return this.#first.options();
  }

  /** The machine is there. */
  booted(vk: Machine): void {
    this.#vk = vk;
    this.status.booted();
    byId("machine").textContent = `${vk.cpus} CPU${vk.cpus === 1 ? "" : "s"}${vk.isolated ? "" : ", not isolated"}`;
    byId<HTMLButtonElement>("new").disabled = false;
    byId<HTMLButtonElement>("add").disabled = false;
    const uploads = new Uploads(vk, this.status, this.notices);
    takeFiles((s) => uploads.add(s), (text) => this.notices.show({ key: "files", text, kind: "error" }));
    const running = vk.takeSession?.();
    if (running) this.#started(this.#first, running);
    for (const s of this.#sessions.values()) if (!s.running) this.#startSession(s);
    // A frame never takes the focus from the page around it.
    if (!framed && document.activeElement === document.body) this.current?.view.focus();
  }

  #open(): void {
    const before = this.#tabs.active;
    const next = tabs.open(this.#tabs);
    if (next === this.#tabs) {
      this.notices.show({ key: "tabs", text: `There are ${tabs.TABS_LIMIT} terminals; close one first.`, ms: 6000 });
      return;
    }
    const id = next.active!;
    const session = new Session(id, byId("panels"), this.#events(), {
      screenReader: this.#screenReader,
      fontSize: this.#fontSize,
    });
    this.#sessions.set(id, session);
    this.#update(next);
    if (this.#vk) this.#startSession(session);
    if (before !== undefined) session.view.focus();
  }

  /** The shell that was asked for with the boot runs. Its terminal may be gone by now. */
  #started(session: Session | undefined, task: Task): void {
    if (!session || !this.#sessions.has(session.id)) return task.close();
    session.started(task);
    this.#update(tabs.change(this.#tabs, session.id, { state: "running" }));
  }

  #startSession(session: Session): void {
    if (!this.#vk || this.#ended) return;
    try {
      session.start(this.#vk);
      this.#update(tabs.change(this.#tabs, session.id, { state: "running" }));
    } catch (e) {
      this.notices.show({ key: "spawn", text: `No terminal could be started: ${e instanceof Error ? e.message : String(e)}`, kind: "error" });
    }
  }

  #events(): SessionEvents {
    return {
      title: (s, text) => this.#update(tabs.change(this.#tabs, s.id, { title: text })),
      output: (s, what) => this.#update(tabs.notify(this.#tabs, s.id, what)),
      exited: (s, status) => this.#exited(s, status),
      ready: (s) => this.#ready(s),
      link: (url) => void this.#link(url),
      file: (s, e, wanted) => this.#file(s, e, wanted),
      clipboard: (text) => this.clipboard.requested(text),
      shortcut: (e) => this.#shortcut(e),
      typed: (text) => {
        if (!this.#keys.sticky.active) return text;
        const sent = withModifiers(text, this.#keys.sticky.take());
        this.#keys.draw();
        return sent;
      },
      menu: (s, x, y) => this.clipboard.menu(s.view, x, y),
    };
  }

  #update(next: tabs.Tabs): void {
    if (next === this.#tabs) return;
    const moved = next.active !== this.#tabs.active;
    this.#tabs = next;
    this.#strip.draw(next);
    if (moved) for (const [id, s] of this.#sessions) s.show(id === next.active);
    const active = next.list.find((t) => t.id === next.active);
    document.title = active ? `${tabs.label(active)} – vkernel` : "vkernel";
  }

  async #close(id: number): Promise<void> {
    const tab = this.#tabs.list.find((t) => t.id === id);
    if (!tab) return;
    if (tabs.needsConfirmation(tab) && !this.#ended) {
      const yes = await confirm(`Close “${tabs.label(tab)}”?`, "The programs in it are hung up on.", "Close it");
      if (!yes) return;
    }
    this.#sessions.get(id)?.dispose();
    this.#sessions.delete(id);
    this.#update(tabs.close(this.#tabs, id));
    if (this.#tabs.list.length === 0) this.#open();
    this.current?.view.focus();
  }

  #exited(s: Session, status: number): void {
    this.#update(tabs.change(this.#tabs, s.id, { state: { exited: status } }));
    // A shell left with `exit` has said what it had to; others stay to be read.
    const others = this.#tabs.list.length > 1;
    if (status === 0 && others && this.#sessions.has(s.id)) void this.#close(s.id);
    else if (!this.#ended) this.status.say(`${tabs.label(this.#tabs.list.find((t) => t.id === s.id)!)} ended with status ${status}`);
    if (!others && !this.#ended && status === 0) {
      this.notices.show({ key: "ended-shell", text: "The shell has ended.", actions: [{ label: "New terminal", run: () => (this.#open(), void this.#close(s.id)) }] });
    }
  }

  #ready(s: Session): void {
    if (!this.#asked) {
      this.#asked = true;
      performance.mark("vkernel-prompt");
      this.#offerRun(s);
      void import("./ui/offline.js").then((m) => m.goOffline(this.notices));
    }
    const idle = globalThis.requestIdleCallback ?? ((f: () => void) => setTimeout(f, 200));
    idle(() => void s.view.enrich().catch(() => {})); // without the network it stays plain
  }

  /** `?run=`: see `mayRunUnasked` for who is asked. The command is typed, so the user sees it and keeps the shell. */
  #offerRun(s: Session): void {
    const command = this.params.run;
    if (!command) return;
    const run = (): void => {
      s.send(command + "\r");
      s.view.focus();
    };
    if (mayRunUnasked(document.referrer, location.origin, framed)) return run();
    this.notices.show({
      key: "run",
      text: "The link that led here asks to run this command. It could read and change your files in this machine.",
      code: command,
      actions: [{ label: "Run it", run }],
    });
  }

  async #link(text: string): Promise<void> {
    const url = linkTarget(text);
    if (!url) return this.status.say("The link leads neither to http nor to https; it is not opened.");
    if (await confirm("Open this link?", "A program wrote it. It opens in a tab of its own.", "Open", url.href)) {
      open(url.href, "_blank", "noopener,noreferrer");
    }
  }

  #file(s: Session, e: FileEvent, wanted: boolean): void {
    if (e.kind === "progress") {
      this.status.step({ what: "download", title: e.name, done: e.done, total: e.total });
    } else if (e.kind === "error") {
      this.status.end("download", e.name);
      this.notices.show({ key: `file:${s.id}`, text: `${e.name} was not saved: ${e.text}.`, kind: "error" });
    } else {
      this.status.end("download", e.file.name);
      const size = byteText(e.file.size);
      if (wanted) {
        save(e.file);
        return this.status.say(`Saved ${e.file.name}, ${size}`);
      }
      this.notices.show({
        key: `save:${e.file.name}`,
        text: `A program offers the file ${e.file.name}, ${size}.`,
        actions: [{ label: "Save", run: () => save(e.file) }],
      });
    }
  }

  end(e: Ended): void {
    if (this.#ended) return;
    this.#ended = true;
    byId<HTMLButtonElement>("new").disabled = true;
    byId<HTMLButtonElement>("add").disabled = true;
    this.status.booted();
    const again = byId("status-action");
    again.textContent = "Restart";
    again.hidden = false;
    again.onclick = () => location.reload();
    byId("machine").textContent = "ended";
    showEnded(e, this.console);
  }

  #shortcut(e: KeyboardEvent): boolean {
    const action = actionOf(e);
    if (!action) return false;
    if (e.type !== "keydown") return true;
    // The browser pastes by itself at these keys, and needs no permission for it.
    if (action === "paste") return true;
    e.preventDefault();
    this.#act(action);
    return true;
  }

  #act(action: Action): void {
    const { current } = this;
    switch (action) {
      case "copy": return void this.clipboard.copy(current?.view);
      case "paste": return void this.clipboard.paste();
      case "search": return this.#search.open();
      case "new": return void (this.#vk && !this.#ended && this.#open());
      case "close": return void (current && this.#close(current.id));
      case "next": return this.#turn(1);
      case "previous": return this.#turn(-1);
      case "leave": return this.#strip.focus();
      case "help": return showHelp();
      case "larger": return this.#font(1);
      case "smaller": return this.#font(-1);
    }
  }

  #turn(by: 1 | -1): void {
    this.#update(tabs.step(this.#tabs, by));
    this.current?.view.focus();
  }

  #font(by: number): void {
    this.#fontSize = Math.max(FONT.min, Math.min(FONT.max, this.#fontSize + by));
    memory.set("font", String(this.#fontSize));
    for (const s of this.#sessions.values()) {
      s.view.xterm.options.fontSize = this.#fontSize;
      s.view.fit();
    }
  }

  #drawScreenReader(): void {
    for (const id of ["sr", "sr-skip"]) byId(id).setAttribute("aria-pressed", String(this.#screenReader));
    for (const s of this.#sessions.values()) s.view.xterm.options.screenReaderMode = this.#screenReader;
  }

  #wire(): void {
    const click = (id: string, run: () => void): void => byId(id).addEventListener("click", run);
    const item = (id: string, run: () => void): void => click(id, () => (byId("more-menu").hidePopover(), run()));
    click("new", () => this.#open());
    click("theme", toggleTheme);
    click("search-open", () => this.#search.open());
    item("close-tab", () => this.#act("close"));
    click("larger", () => this.#font(1));
    click("smaller", () => this.#font(-1));
    item("help", showHelp);
    item("log", () => this.console.show());
    item("report", () => void showReport(this.#vk));
    for (const id of ["sr", "sr-skip"]) {
      click(id, () => {
        this.#screenReader = !this.#screenReader;
        memory.set("sr", this.#screenReader ? "1" : "0");
        this.#drawScreenReader();
        this.status.say(`Screen reader mode is ${this.#screenReader ? "on" : "off"}`);
      });
    }
    // Shortcuts with the focus elsewhere on the page; the terminal has its own way to `#shortcut`.
    addEventListener("keydown", (e) => {
      if (e.defaultPrevented || e.target instanceof HTMLTextAreaElement || e.target instanceof HTMLInputElement) return;
      if (document.querySelector("dialog[open]")) return;
      const action = actionOf(e);
      if (!action || action === "paste" || action === "copy") return;
      e.preventDefault();
      this.#act(action);
    });
    onTheme((t) => this.#sessions.forEach((s) => s.view.setTheme(t)));
    addEventListener("beforeunload", (e) => {
      // A program other than an idle shell cannot be told from one; more than one terminal is a sign of work.
      if (!framed && !this.#ended && this.#tabs.list.filter((t) => t.state === "running").length > 1) e.preventDefault();
    });
  }
}

/** Boots the machine; builds the first terminal meanwhile, when it is `turn` for that. */
export async function start(loading: Promise<HostModule>, turn: Promise<void>): Promise<void> {
  defineStyleElement();
  followViewport();
  if (framed) {
    document.documentElement.classList.add("framed");
    const out = el("a", { class: "out", href: location.href, target: "_blank", rel: "noopener" }, "Own tab");
    byId("machine").after(out);
  }
  let app: App | undefined;
  // For tests, and for scripts of a page around this one on the same origin.
  Object.assign(globalThis, { playground: { text: () => app?.current?.view.text() ?? "", send: (text: string) => app?.current?.send(text) } });
  const params = parseParams(location.search);
  const status = new Status();
  const built = turn.then(() => (app = new App(params, status)));
  const vk = await bootMachine(loading, params, status, {
    onconsole: (text) => void built.then((a) => a.console.add(text)),
    onended: (e) => void built.then((a) => a.end(e)),
    onnotice: (text) => void built.then((a) => a.notices.show({ key: `machine:${text}`, text })),
    session: built.then((a) => a.begin()),
  });
  (await built).booted(vk);
}
