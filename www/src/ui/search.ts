/** The search in a terminal's scrollback. Its addon is fetched when it is first opened. */
import type { SearchAddon } from "@xterm/addon-search";
import { byId } from "./dom.js";
import { currentTheme } from "./theme.js";
import type { TerminalView } from "./terminal.js";

export class Search {
  readonly #form = byId<HTMLFormElement>("search");
  readonly #text = byId<HTMLInputElement>("search-text");
  readonly #count = byId("search-count");
  readonly #addons = new WeakMap<TerminalView, SearchAddon>();

  constructor(private readonly view: () => TerminalView | undefined) {
    this.#form.addEventListener("submit", (e) => {
      e.preventDefault();
      void this.#find(1);
    });
    this.#text.addEventListener("input", () => void this.#find(1, true));
    this.#form.addEventListener("keydown", (e) => {
      if (e.key === "Escape") this.close();
      else if (e.key === "Enter" && e.shiftKey) void this.#find(-1);
      else return;
      e.preventDefault();
    });
    byId("search-up").addEventListener("click", () => void this.#find(-1));
    byId("search-close").addEventListener("click", () => this.close());
  }

  open(): void {
    this.#form.hidden = false;
    const selected = this.view()?.xterm.getSelection();
    if (selected && !selected.includes("\n")) this.#text.value = selected;
    this.#text.focus();
    this.#text.select();
  }

  close(): void {
    this.#form.hidden = true;
    this.#count.textContent = "";
    const view = this.view();
    if (!view) return;
    this.#addons.get(view)?.clearDecorations();
    view.focus();
  }

  async #find(by: 1 | -1, incremental = false): Promise<void> {
    const view = this.view();
    const term = this.#text.value;
    if (!view) return;
    const addon = await this.#addon(view);
    if (term !== this.#text.value) return; // more was typed while the addon came
    if (term === "") {
      addon.clearDecorations();
      this.#count.textContent = "";
      return;
    }
    const dark = currentTheme() === "dark";
    const decorations = {
      matchBackground: dark ? "#4a4320" : "#f5e9a8",
      matchOverviewRuler: "#b99a2e",
      activeMatchBackground: dark ? "#8a6d00" : "#ffcf3f",
      activeMatchColorOverviewRuler: "#e0b830",
    };
    if (by > 0) addon.findNext(term, { decorations, incremental });
    else addon.findPrevious(term, { decorations });
  }

  async #addon(view: TerminalView): Promise<SearchAddon> {
    const { SearchAddon } = await import("@xterm/addon-search");
    let addon = this.#addons.get(view);
    if (!addon) {
      addon = new SearchAddon({ highlightLimit: 2000 });
      view.xterm.loadAddon(addon);
      addon.onDidChangeResults(({ resultIndex, resultCount }) => {
        this.#count.textContent = resultCount === 0 ? "none" : `${resultIndex + 1} of ${resultCount}`;
      });
      this.#addons.set(view, addon);
    }
    return addon;
  }
}
