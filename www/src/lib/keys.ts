/**
 * What keys send: the row of keys under the terminal on a phone, and the two that stick.
 *
 * Encodings are xterm's (ctlseqs, "PC-Style Function Keys"): with modifiers `CSI 1 ; m X` or
 * `CSI n ; m ~` where m is 1 + shift + 2 alt + 4 ctrl; without, cursor keys follow DECCKM.
 */

export type NamedKey = "Escape" | "Tab" | "Up" | "Down" | "Right" | "Left" | "Home" | "End" | "PageUp" | "PageDown" | "Insert" | "Delete";

export interface Modifiers {
  ctrl: boolean;
  alt: boolean;
  shift?: boolean;
}

const CURSOR: Partial<Record<NamedKey, string>> = { Up: "A", Down: "B", Right: "C", Left: "D", Home: "H", End: "F" };
const TILDE: Partial<Record<NamedKey, number>> = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6 };

export function encodeKey(key: NamedKey, mods: Modifiers, applicationCursor: boolean): string {
  const m = 1 + (mods.shift ? 1 : 0) + (mods.alt ? 2 : 0) + (mods.ctrl ? 4 : 0);
  const cursor = CURSOR[key];
  if (cursor) return m > 1 ? `\x1b[1;${m}${cursor}` : (applicationCursor ? "\x1bO" : "\x1b[") + cursor;
  const number = TILDE[key];
  if (number) return m > 1 ? `\x1b[${number};${m}~` : `\x1b[${number}~`;
  if (key === "Tab" && mods.shift) return "\x1b[Z";
  return (mods.alt ? "\x1b" : "") + (key === "Tab" ? "\t" : "\x1b");
}

/** The control character of a key, or undefined: Ctrl-A is 1, Ctrl-[ is ESC, Ctrl-space NUL, Ctrl-? DEL. */
export function controlOf(char: string): string | undefined {
  const c = char.toUpperCase();
  if (/^[A-Z[\\\]^_@]$/.test(c)) return String.fromCharCode(c.charCodeAt(0) & 31);
  // As the VT220 and xterm map the digits and what shares their keys.
  const other: Record<string, string> = {
    " ": "\0", "2": "\0", "`": "\0", "3": "\x1b", "4": "\x1c", "5": "\x1d", "6": "\x1e", "~": "\x1e", "7": "\x1f", "/": "\x1f", "-": "\x1f", "8": "\x7f", "?": "\x7f",
  };
  return other[c];
}

/** What the user typed, with the sticky keys applied; only to a single character, so not to a paste. */
export function withModifiers(text: string, mods: Modifiers): string {
  if ((!mods.ctrl && !mods.alt) || [...text].length !== 1) return text;
  const ctrl = mods.ctrl ? (controlOf(text) ?? text) : text;
  return (mods.alt ? "\x1b" : "") + ctrl;
}

/**
 * Ctrl and Alt of the key row: touched once they hold for one key, touched twice they are locked,
 * a third touch lets go.
 */
export type Sticky = "off" | "once" | "locked";

export class StickyKeys {
  ctrl: Sticky = "off";
  alt: Sticky = "off";

  touch(key: "ctrl" | "alt"): void {
    this[key] = this[key] === "off" ? "once" : this[key] === "once" ? "locked" : "off";
  }

  /** The modifiers for one key; those that hold for one key only are used up. */
  take(): Modifiers {
    const mods = { ctrl: this.ctrl !== "off", alt: this.alt !== "off" };
    if (this.ctrl === "once") this.ctrl = "off";
    if (this.alt === "once") this.alt = "off";
    return mods;
  }

  get active(): boolean {
    return this.ctrl !== "off" || this.alt !== "off";
  }
}
