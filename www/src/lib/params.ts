/** The page's address: `?cpus=`, `?run=`, `?theme=`, `?persist=0`, `?sr=1`. */
import { isThemeChoice, type ThemeChoice } from "./theme.js";

export interface Params {
  cpus?: number;
  /** A command to offer; never run before somebody agreed (see `mayRunUnasked`). */
  run?: string;
  /** Why `?run=` was not taken. */
  runRefused?: string;
  theme?: ThemeChoice;
  persist: boolean;
  screenReader?: boolean;
}

export const RUN_LIMIT = 2000;

/** C0, DEL, C1; and what changes the order or the look of text without being seen. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/u;

export function parseParams(search: string): Params {
  const q = new URLSearchParams(search);
  const params: Params = { persist: q.get("persist") !== "0" };

  const cpus = q.get("cpus");
  if (cpus !== null && /^[1-9]\d?$/.test(cpus)) params.cpus = Math.min(Number(cpus), 16);

  const theme = q.get("theme");
  if (isThemeChoice(theme)) params.theme = theme;

  const sr = q.get("sr");
  if (sr === "1" || sr === "0") params.screenReader = sr === "1";

  const run = q.get("run")?.trim();
  if (run) {
    if (run.length > RUN_LIMIT) params.runRefused = `The link's command is longer than ${RUN_LIMIT} characters; it was not taken.`;
    else if (UNSEEN.test(run)) params.runRefused = "The link's command contains characters that cannot be seen; it was not taken.";
    else params.run = run;
  }
  return params;
}

/**
 * Whether a command from the address may run without a question.
 *
 * Only when a page of our own origin led here and nobody frames us: such a page can reach the home
 * directory anyway. Everything else, a typed address and a bookmark too, is asked for, because the
 * page cannot tell them from a link in a mail.
 */
export function mayRunUnasked(referrer: string, ownOrigin: string, framed: boolean): boolean {
  if (framed || referrer === "") return false;
  try {
    return new URL(referrer).origin === ownOrigin && ownOrigin !== "null";
  } catch {
    return false;
  }
}
