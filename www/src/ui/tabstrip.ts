/** The tabs, after the ARIA authoring practices: one stop for Tab, arrows move, Delete closes. */
import { label, spoken, type Tab, type Tabs } from "../lib/tabs.js";
import { byId, el } from "./dom.js";

export interface TabStripHost {
  select(id: number): void;
  close(id: number): void;
  /** Enter on a tab: into its terminal. */
  enter(): void;
}

export class TabStrip {
  readonly #list = byId("tabs");
  readonly #tabs = new Map<number, HTMLElement>();

  constructor(private readonly host: TabStripHost) {
    this.#list.addEventListener("keydown", (e) => this.#key(e));
  }

  draw(tabs: Tabs): void {
    for (const [id, e] of this.#tabs) {
      if (tabs.list.some((t) => t.id === id)) continue;
      e.remove();
      this.#tabs.delete(id);
    }
    for (const tab of tabs.list) {
      const e = this.#tabs.get(tab.id) ?? this.#make(tab);
      const active = tab.id === tabs.active;
      e.setAttribute("aria-selected", String(active));
      e.tabIndex = active ? 0 : -1;
      e.firstElementChild!.textContent = label(tab);
      e.setAttribute("aria-label", spoken(tab));
      e.title = label(tab);
      e.dataset["attention"] = tab.attention;
      e.classList.toggle("ended", typeof tab.state === "object");
      if (active) e.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  focus(): void {
    this.#list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  }

  #make(tab: Tab): HTMLElement {
    // The cross is for pointers; it is no control of its own within the tab (Delete does the same).
    const cross = el("span", { class: "cross", "aria-hidden": "true" }, "×");
    const e = el(
      "div",
      { role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}`, "aria-keyshortcuts": "Delete", class: "tab" },
      el("span", { class: "label" }),
      cross,
    );
    e.addEventListener("click", (ev) => {
      if (ev.target === cross) this.host.close(tab.id);
      else {
        this.host.select(tab.id);
        if (ev.detail > 0) this.host.enter();
      }
    });
    e.addEventListener("auxclick", (ev) => ev.button === 1 && this.host.close(tab.id));
    this.#tabs.set(tab.id, e);
    this.#list.append(e);
    return e;
  }

  #key(e: KeyboardEvent): void {
    const tabs = [...this.#list.children] as HTMLElement[];
    const at = tabs.findIndex((t) => t.getAttribute("aria-selected") === "true");
    const id = (i: number): number => Number(tabs[(i + tabs.length) % tabs.length]!.id.slice(4));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (e.ctrlKey || e.altKey || e.metaKey || at < 0) return;
    if (to !== undefined) {
      this.host.select(id(to));
      this.focus();
    } else if (e.key === "Delete") this.host.close(id(at));
    else if (e.key === "Enter" || e.key === " " || e.key === "ArrowDown") this.host.enter();
    else return;
    e.preventDefault();
  }
}
