/**
 * The page's own keys. All take Ctrl and Shift, which no terminal program can tell from Ctrl alone
 * in most cases, and none is one that browsers keep for themselves (Ctrl-Shift-T, -N, -W, Tab).
 */

export type Action =
  | "copy" | "paste" | "search" | "new" | "close" | "next" | "previous" | "leave" | "help" | "larger" | "smaller";

export interface Key {
  key: string;
  code?: string;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

const CTRL_SHIFT: Record<string, Action> = {
  KeyC: "copy",
  KeyV: "paste",
  KeyF: "search",
  Enter: "new",
  NumpadEnter: "new",
  Backspace: "close",
  ArrowRight: "next",
  ArrowLeft: "previous",
  ArrowUp: "larger",
  ArrowDown: "smaller",
  F1: "help",
};

export function actionOf(e: Key): Action | undefined {
  // Shift-F6: the customary key for the previous pane of a window.
  if (e.key === "F6" && e.shiftKey && !e.ctrlKey && !e.altKey && !e.metaKey) return "leave";
  if (e.key === "Insert" && !e.altKey && !e.metaKey) {
    if (e.ctrlKey && !e.shiftKey) return "copy";
    if (e.shiftKey && !e.ctrlKey) return "paste";
  }
  if (e.ctrlKey && e.shiftKey && !e.altKey && !e.metaKey) {
    // By place on the keyboard for the letters, so that they work in every layout that has them elsewhere too.
    const letter = /^[a-z]$/i.test(e.key) ? `Key${e.key.toUpperCase()}` : (e.code ?? e.key);
    return CTRL_SHIFT[letter] ?? CTRL_SHIFT[e.key];
  }
  return undefined;
}

export const HELP: readonly (readonly [string, string])[] = [
  ["Ctrl-Shift-C, Ctrl-Insert", "copy what is selected"],
  ["Ctrl-Shift-V, Shift-Insert", "paste"],
  ["Ctrl-Shift-F", "search in the scrollback"],
  ["Ctrl-Shift-Enter", "new terminal"],
  ["Ctrl-Shift-Backspace", "close this terminal"],
  ["Ctrl-Shift-Left, -Right", "previous, next terminal"],
  ["Ctrl-Shift-Up, -Down", "larger, smaller letters"],
  ["Shift-PageUp, -PageDown", "scroll"],
  ["Shift-F6", "leave the terminal; Tab then walks through the page"],
  ["Ctrl-Shift-F1", "this list"],
];
