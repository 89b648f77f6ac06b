/** The clipboard, as a program sees it: OSC 52 `selection ; base64`. It may ask to write, never read. */
import { decodeBase64 } from "./base64.js";

export const CLIPBOARD_LIMIT = 1024 * 1024;

export type ClipboardRequest = { kind: "write"; text: string } | { kind: "refused" };

/** `?` would read what the user copied elsewhere: refused, and without an answer, as xterm(1) does by default. */
export function parseOsc52(payload: string): ClipboardRequest {
  const at = payload.indexOf(";");
  const data = at < 0 ? "" : payload.slice(at + 1);
  if (data === "" || data === "?" || data.length > (CLIPBOARD_LIMIT * 4) / 3) return { kind: "refused" };
  const bytes = decodeBase64(data);
  if (!bytes) return { kind: "refused" };
  return { kind: "write", text: new TextDecoder().decode(bytes) };
}
