/** The notice area: things the user should know or decide, none of which stops the terminal. */
import { byId, button, el } from "./dom.js";

export interface Notice {
  /** A notice with the same key takes the place of the older one. */
  key: string;
  text: string;
  /** Shown beneath, as it is: a command, a text to copy. */
  code?: string;
  kind?: "info" | "error";
  actions?: { label: string; run: () => void; keep?: boolean }[];
  /** What else to do when it is put away without an action. */
  dismissed?: () => void;
  /** Goes by itself after this time, unless it is being pointed at. */
  ms?: number;
}

const LIMIT = 4;

export class Notices {
  readonly #area = byId("notices");
  readonly #shown = new Map<string, HTMLElement>();

  constructor(private readonly afterwards: () => void) {}

  show(n: Notice): void {
    this.close(n.key);
    const item = el("div", { class: `notice ${n.kind ?? "info"}`, role: n.kind === "error" ? "alert" : "status", "data-key": n.key });
    // The text is put in after the element is in the document: a live region tells of changes.
    this.#area.append(item);
    this.#shown.set(n.key, item);
    const body = el("div", { class: "body" }, el("p", {}, n.text));
    if (n.code !== undefined) body.append(el("pre", { tabindex: "0" }, el("code", {}, n.code)));
    item.append(body);
    for (const a of n.actions ?? []) {
      item.append(
        button(a.label, () => {
          if (!a.keep) this.#leave(n.key);
          a.run();
        }),
      );
    }
    const x = button("×", () => {
      n.dismissed?.();
      this.#leave(n.key);
    }, { class: "icon", "aria-label": "Dismiss", title: "Dismiss" });
    item.append(x);
    if (n.ms) this.#expire(n.key, item, n.ms);
    while (this.#shown.size > LIMIT) this.close(this.#shown.keys().next().value!);
  }

  close(key: string): void {
    this.#shown.get(key)?.remove();
    this.#shown.delete(key);
  }

  /** Closed by the user: the focus was in it and must go somewhere. */
  #leave(key: string): void {
    const had = this.#shown.get(key)?.contains(document.activeElement) ?? false;
    this.close(key);
    if (had) this.afterwards();
  }

  #expire(key: string, item: HTMLElement, ms: number): void {
    setTimeout(() => {
      if (this.#shown.get(key) !== item) return;
      if (item.matches(":hover, :focus-within")) this.#expire(key, item, 2000);
      else this.close(key);
    }, ms);
  }
}
