/** File names that cross the border, in both directions. */

/** What may not stand in a saved file's name: controls, what reorders text unseen, separators, and what Windows forbids. */
const UNFIT = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb<>:"/\\|?*]/g;
const DEVICES = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;
const MAX = 200;

/** A name for a file that the machine hands to the browser. Its last component, made harmless; never empty. */
export function downloadName(name: string): string {
  const last = name.split(/[/\\]/).filter((s) => s !== "").pop() ?? "";
  // A leading dot hides the file where it lands, a trailing dot or space is lost on Windows.
  let safe = last.replace(UNFIT, "_").replace(/^[.\s]+/, "").replace(/[.\s]+$/, "");
  if (DEVICES.test(safe)) safe = "_" + safe;
  if (safe.length > MAX) {
    const ext = /\.[A-Za-z0-9.]{1,16}$/.exec(safe)?.[0] ?? "";
    safe = [...safe.slice(0, MAX - ext.length)].filter((c) => !/^[\ud800-\udfff]$/.test(c)).join("") + ext;
  }
  return safe === "" ? "download" : safe;
}

/** Why a file of the user's cannot be stored under this path, or undefined. NAME_MAX is 255 bytes. */
export function uploadRefusal(path: string): string | undefined {
  const encoder = new TextEncoder();
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return "its name has no meaning here";
    if (part.includes("\0")) return "its name contains a null character";
    if (encoder.encode(part).length > 255) return "its name is longer than 255 bytes";
  }
  return undefined;
}

/** A program's title as the page shows it: one line, nothing unseen, not too long. */
export function titleText(title: string, fallback: string): string {
  const text = title.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, " ").replace(/\s+/g, " ").trim();
  return text === "" ? fallback : [...text].slice(0, 80).join("");
}

/** 1234567 is "1.2 MB". */
export function byteText(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let i = -1;
  do {
    n /= 1000;
    i++;
  } while (n >= 999.5 && i < units.length - 1);
  return `${n < 9.95 ? n.toFixed(1) : n.toFixed(0)} ${units[i]}`;
}
