/** What the machine says of itself: its console, its state, its end. */
import { HELP } from "../lib/shortcuts.js";
import type { Ended, Machine } from "../vk.js";
import { copyButton, message } from "./dialogs.js";
import { button, el } from "./dom.js";

const LINES = 500;

/** The kernel's messages, the last of them. */
export class Console {
  #text = "";

  add(text: string): void {
    this.#text += text.endsWith("\n") ? text : text + "\n";
    if (this.#text.length > LINES * 200) this.#text = this.#text.slice(-LINES * 100);
    console.info(text);
  }

  get text(): string {
    return this.#text;
  }

  show(): void {
    message("Kernel messages", el("pre", { tabindex: "0" }, this.#text || "None."), [copyButton(() => this.#text)]);
  }
}

export async function showReport(vk: Machine | undefined): Promise<void> {
  const text = vk ? await vk.report().catch((e: unknown) => `No answer: ${String(e)}`) : "The machine is not there yet.";
  message("State of the machine", el("pre", { tabindex: "0" }, text), [copyButton(() => text)]);
}

export function showHelp(): void {
  const list = el("dl", {});
  for (const [keys, what] of HELP) list.append(el("dt", {}, keys), el("dd", {}, what));
  message("Keyboard shortcuts", list);
}

export function showEnded(e: Ended, log: Console): void {
  const panicked = e.panic !== undefined;
  const said = e.panic ?? `Status ${e.status ?? 0}`;
  const whole = (): string => `${said}\n\n${log.text}`;
  const content = el("div", {}, el("p", {}, panicked ? "Files that were written to disk are kept. What the kernel said last:" : "The files in it are kept."));
  if (panicked) content.append(el("pre", { tabindex: "0", class: "epitaph" }, said));
  const restart = button("Restart", () => location.reload(), { class: "primary", autofocus: true });
  const d = message(panicked ? "The kernel panicked" : "The machine has ended", content, panicked ? [copyButton(whole), restart] : [restart]);
  d.id = "ended";
}
