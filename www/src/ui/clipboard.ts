/** The clipboard: copying, pasting by button, what programs ask for, and the menu of a long press. */
import { titleText } from "../lib/names.js";
import { button, el } from "./dom.js";
import type { Notices } from "./notices.js";
import type { TerminalView } from "./terminal.js";

export class Clipboard {
  #menu: HTMLElement | undefined;

  constructor(
    private readonly notices: Notices,
    private readonly toTerminal: (text: string) => void,
  ) {}

  async copy(view: TerminalView | undefined): Promise<void> {
    const text = view?.xterm.getSelection();
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without the permission (a frame): the selection of the terminal's own text field is copied.
      view!.focus();
      document.execCommand("copy");
    }
  }

  /** By a button; the keys let the browser paste by itself. */
  async paste(): Promise<void> {
    try {
      this.toTerminal(await navigator.clipboard.readText());
    } catch {
      this.notices.show({
        key: "paste",
        text: "The browser does not let the page read the clipboard. Paste with Ctrl-Shift-V, or with the browser's own menu.",
        ms: 8000,
      });
    }
  }

  /** OSC 52. Each time the user is asked: what a program puts there, the next paste may run elsewhere. */
  requested(text: string): void {
    this.notices.show({
      key: "osc52",
      text: `A program asks to put ${[...text].length} characters on the clipboard: “${titleText(text, "")}”`,
      actions: [
        {
          label: "Allow",
          run: () => {
            navigator.clipboard.writeText(text).catch(() => {
              this.notices.show({ key: "osc52", text: "The browser refused to write to the clipboard.", kind: "error" });
            });
          },
        },
      ],
    });
  }

  /** The menu of a long press, at a place on the screen. */
  menu(view: TerminalView, x: number, y: number): void {
    this.#menu?.remove();
    const menu = el("div", { class: "menu touch", popover: "auto", role: "group", "aria-label": "Selection" });
    const item = (label: string, run: () => void): HTMLButtonElement => button(label, () => (menu.hidePopover(), run()));
    menu.append(
      item("Copy", () => void this.copy(view).then(() => view.xterm.clearSelection())),
      item("Paste", () => void this.paste()),
      item("Select all", () => view.xterm.selectAll()),
    );
    menu.addEventListener("toggle", (e) => (e as ToggleEvent).newState === "closed" && menu.remove());
    document.body.append(menu);
    this.#menu = menu;
    menu.showPopover();
    const box = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(4, Math.min(x - box.width / 2, innerWidth - box.width - 4))}px`;
    menu.style.top = `${y > box.height + 16 ? y - box.height - 12 : y + 24}px`;
  }
}
