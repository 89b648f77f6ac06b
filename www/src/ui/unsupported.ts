/** The page of an engine that cannot run the machine: what is missing, and where to go. */
import { sentence, type Missing } from "../lib/support.js";
import { byId, el, framed } from "./dom.js";

export function showUnsupported(lacks: readonly Missing[]): void {
  const main = el(
    "main",
    { class: "plain", role: "main" },
    el("h1", {}, "vkernel"),
    el("p", { id: "missing", "data-missing": lacks.map((m) => m.id).join(" ") }, sentence(lacks, framed)),
    el("p", {}, "It runs in Chromium-based browsers from version 137 and in Firefox from version 152; in Safari where the server isolates the page (COOP and COEP headers)."),
  );
  if (framed) {
    // A link, not window.open: it works in a sandboxed frame that allows popups, and says where it goes.
    const a = el("a", { class: "button primary", href: location.href, target: "_blank", rel: "noopener" }, "Open in a tab of its own");
    main.append(el("p", {}, a));
  }
  byId("app").replaceChildren(main);
  document.title = "vkernel: this browser cannot run it";
}
