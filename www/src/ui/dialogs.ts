/** Modal dialogs; the element gives them focus trapping, Escape and the way back of the focus. */
import { button, el } from "./dom.js";

function show(title: string, content: Node[], buttons: HTMLButtonElement[], role = "dialog"): HTMLDialogElement {
  const heading = el("h2", { id: `dialog-${crypto.randomUUID()}` }, title);
  const d = el("dialog", { "aria-labelledby": heading.id, role }, heading, ...content, el("div", { class: "buttons" }, ...buttons));
  d.addEventListener("close", () => d.remove());
  document.body.append(d);
  d.showModal();
  return d;
}

/** Asks; the harmless answer has the focus. */
export function confirm(title: string, text: string, yes: string, code?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const no = button("Cancel", () => d.close(), { autofocus: true });
    const ok = button(yes, () => (resolve(true), d.close()), { class: "primary" });
    const content: Node[] = [el("p", {}, text)];
    if (code !== undefined) content.push(el("pre", {}, code));
    const d = show(title, content, [no, ok], "alertdialog");
    d.addEventListener("close", () => resolve(false));
  });
}

export function message(title: string, content: Node, actions: HTMLButtonElement[] = []): HTMLDialogElement {
  const d = show(title, [content], [...actions, button("Close", () => d.close(), { autofocus: true })]);
  return d;
}

export function copyButton(text: () => string): HTMLButtonElement {
  const b = button("Copy", () => {
    navigator.clipboard.writeText(text()).then(
      () => (b.textContent = "Copied"),
      () => (b.textContent = "The browser refused"),
    );
  });
  return b;
}
