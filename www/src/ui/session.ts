/**
 * One terminal of the page and the program on it. Made when a tab is opened, before the machine is
 * there too; started when it is; gone when the tab is closed.
 */
import { Flow } from "../lib/flow.js";
import { SaveGuard } from "../lib/guard.js";
import { FileReceiver, type FileEvent } from "../lib/osc1337.js";
import { parseOsc52 } from "../lib/osc52.js";
import type { Machine, SpawnOptions, Task } from "../vk.js";
import { el } from "./dom.js";
import { TerminalView } from "./terminal.js";
import { Touch } from "./touch.js";

export interface SessionEvents {
  title(s: Session, text: string): void;
  output(s: Session, what: "output" | "bell"): void;
  exited(s: Session, status: number): void;
  /** The first output came: a prompt, most likely. */
  ready(s: Session): void;
  link(url: string): void;
  file(s: Session, e: FileEvent, wanted: boolean): void;
  clipboard(text: string): void;
  shortcut(e: KeyboardEvent): boolean;
  typed(text: string): string;
  menu(s: Session, x: number, y: number): void;
}

export class Session {
  readonly panel: HTMLElement;
  readonly view: TerminalView;
  #task: Task | undefined;
  #typedEarly: Uint8Array[] = [];
  #ready = false;
  readonly #files: FileReceiver;
  readonly #guard = new SaveGuard();

  constructor(
    readonly id: number,
    parent: HTMLElement,
    private readonly events: SessionEvents,
    options: { screenReader: boolean; fontSize: number },
  ) {
    this.panel = el("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, class: "panel" });
    parent.append(this.panel);
    this.#files = new FileReceiver((e) => {
      this.events.file(this, e, e.kind === "file" && document.visibilityState === "visible" && this.#guard.allows(performance.now()));
    });
    this.view = new TerminalView(
      this.panel,
      {
        input: (bytes) => this.#input(bytes),
        resized: (cols, rows) => this.#task?.resize(cols, rows),
        title: (t) => events.title(this, t),
        link: (url) => events.link(url),
        osc1337: (payload) => this.#files.handle(payload),
        osc52: (payload) => {
          const r = parseOsc52(payload);
          if (r.kind === "write") events.clipboard(r.text);
        },
        shortcut: (e) => events.shortcut(e),
        bell: () => events.output(this, "bell"),
        typed: (t) => events.typed(t),
      },
      options,
    );
    this.view.open();
    new Touch(this.view.xterm, this.panel, {
      send: (text) => this.send(text),
      menu: (x, y) => events.menu(this, x, y),
    });
  }

  /** What a login shell here is asked for with. */
  options(): SpawnOptions {
    const { xterm } = this.view;
    const flow = new Flow((n) => this.#task?.ack(n));
    return {
      cols: xterm.cols,
      rows: xterm.rows,
      onoutput: (bytes) => {
        flow.received(bytes.length);
        this.view.write(bytes, () => {
          flow.shown(bytes.length);
          this.#shown();
        });
      },
    };
  }

  /** Runs a login shell here. */
  start(vk: Machine): void {
    this.started(vk.spawn(this.options()));
  }

  /** The login shell that runs here, asked for with `options`. */
  started(task: Task): void {
    const { cols, rows } = this.view.xterm;
    this.#task = task;
    // It was asked for a while ago, maybe.
    task.resize(cols, rows);
    for (const bytes of this.#typedEarly.splice(0)) task.write(bytes);
    void task.exited.then((status) => {
      if (this.#task !== task) return; // closed by the user, who knows
      this.#task = undefined;
      this.#files.abandon();
      // After what is still to be shown.
      this.view.write(new TextEncoder().encode(`\r\n\x1b[0m\x1b[2m[ended with status ${status}]\x1b[0m\x1b[?25l`), () => {});
      this.events.exited(this, status);
    });
  }

  get running(): boolean {
    return this.#task !== undefined;
  }

  /** As if the user had typed it. */
  send(text: string): void {
    this.#input(new TextEncoder().encode(text));
  }

  #input(bytes: Uint8Array): void {
    this.#guard.input(bytes, performance.now());
    if (this.#task) this.#task.write(bytes);
    else if (!this.#ready && this.#typedEarly.length < 1000) this.#typedEarly.push(bytes);
  }

  #shown(): void {
    if (!this.#ready) {
      this.#ready = true;
      this.events.ready(this);
    }
    this.events.output(this, "output");
  }

  show(yes: boolean): void {
    this.panel.hidden = !yes;
    if (yes) this.view.fit();
  }

  /** Hangs up and goes. */
  dispose(): void {
    const task = this.#task;
    this.#task = undefined;
    task?.close();
    this.view.dispose();
    this.panel.remove();
  }
}
