/** The row of keys that an on-screen keyboard lacks. A toolbar: one stop for Tab, arrows within. */
import { encodeKey, StickyKeys, type NamedKey } from "../lib/keys.js";
import { byId, el, memory } from "./dom.js";

export interface KeyRowHost {
  send(text: string): void;
  applicationCursor(): boolean;
  paste(): void;
  focus(): void;
}

const NAMED: readonly (readonly [string, string, NamedKey])[] = [
  ["Esc", "", "Escape"],
  ["Tab", "", "Tab"],
];
const ARROWS: readonly (readonly [string, string, NamedKey])[] = [
  ["←", "Left", "Left"],
  ["↓", "Down", "Down"],
  ["↑", "Up", "Up"],
  ["→", "Right", "Right"],
];
const REST: readonly (readonly [string, string, NamedKey])[] = [
  ["Home", "", "Home"],
  ["End", "", "End"],
  ["PgUp", "", "PageUp"],
  ["PgDn", "", "PageDown"],
  ["Del", "", "Delete"],
];
const SIGNS = ["|", "/", "-", "~", "`", "$", "&", "*"];

export class KeysRow {
  readonly sticky = new StickyKeys();
  readonly #row = byId("keys");
  readonly #toggle = byId("keys-toggle");
  readonly #mods: Record<"ctrl" | "alt", HTMLButtonElement>;

  constructor(private readonly host: KeyRowHost) {
    this.#mods = { ctrl: this.#modifier("Ctrl", "ctrl"), alt: this.#modifier("Alt", "alt") };
    const [esc, tab] = NAMED.map((k) => this.#named(...k));
    this.#row.append(esc!, tab!, this.#mods.ctrl, this.#mods.alt, ...ARROWS.map((k) => this.#named(...k)));
    this.#row.append(...SIGNS.map((s) => this.#key(s, undefined, () => this.host.send(s))));
    this.#row.append(...REST.map((k) => this.#named(...k)));
    this.#row.append(this.#key("Paste", undefined, () => this.host.paste()));
    this.#row.addEventListener("keydown", (e) => this.#walk(e));
    this.#rove(this.#row.firstElementChild as HTMLElement);
    const stored = memory.get("keys");
    this.show(stored === null ? matchMedia("(pointer: coarse)").matches : stored === "1");
    this.#toggle.addEventListener("click", () => {
      this.show(this.#row.hidden === true);
      memory.set("keys", this.#row.hidden ? "0" : "1");
    });
  }

  show(yes: boolean): void {
    this.#row.hidden = !yes;
    this.#toggle.setAttribute("aria-pressed", String(yes));
  }

  /** After a key was typed: those that held for one key only are let go. */
  draw(): void {
    for (const name of ["ctrl", "alt"] as const) {
      this.#mods[name].setAttribute("aria-pressed", String(this.sticky[name] !== "off"));
      this.#mods[name].classList.toggle("locked", this.sticky[name] === "locked");
    }
  }

  #named(text: string, label: string, key: NamedKey): HTMLButtonElement {
    return this.#key(text, label, () => {
      this.host.send(encodeKey(key, this.sticky.take(), this.host.applicationCursor()));
      this.draw();
    });
  }

  #modifier(text: string, name: "ctrl" | "alt"): HTMLButtonElement {
    const b = this.#key(text, undefined, () => {
      this.sticky.touch(name);
      this.draw();
    });
    b.setAttribute("aria-pressed", "false");
    return b;
  }

  #key(text: string, label: string | undefined, run: () => void): HTMLButtonElement {
    const b = el("button", { type: "button", tabindex: "-1", ...(label ? { "aria-label": label } : {}) }, text);
    // The focus stays in the terminal, or the on-screen keyboard would go away at every touch.
    b.addEventListener("pointerdown", (e) => e.preventDefault());
    b.addEventListener("mousedown", (e) => e.preventDefault());
    b.addEventListener("click", run);
    return b;
  }

  #rove(to: HTMLElement): void {
    for (const b of this.#row.children) b.setAttribute("tabindex", b === to ? "0" : "-1");
  }

  #walk(e: KeyboardEvent): void {
    const keys = [...this.#row.children] as HTMLElement[];
    const at = keys.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 }[e.key];
    if (to === undefined) {
      if (e.key === "Escape") this.host.focus();
      return;
    }
    e.preventDefault();
    const next = keys[(to + keys.length) % keys.length]!;
    this.#rove(next);
    next.focus();
  }
}
