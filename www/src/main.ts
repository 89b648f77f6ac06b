/**
 * The entry: as little as can be. It starts fetching the machine at once and the terminal beside
 * it; whether this engine can run the machine is known before either is there.
 */
import "@xterm/xterm/css/xterm.css";
import "./style.css";
import { applyStoredTheme } from "./ui/theme.js";
import { missing } from "./lib/support.js";
import { endAhead, loadHost, ourTurn } from "./vk.js";

const lacks = missing(globalThis);
if (lacks.length > 0) {
  endAhead();
  applyStoredTheme();
  void import("./ui/unsupported.js").then((m) => m.showUnsupported(lacks));
} else {
  const host = loadHost(0);
  host.catch(() => {}); // the page says it when it gets there
  const turn = ourTurn(host);
  void turn.then(applyStoredTheme);
  void import("./app.js").then((m) => m.start(host, turn));
}
