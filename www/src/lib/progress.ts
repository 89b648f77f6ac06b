/**
 * Long work, and the line that tells of it. The machine reports steps of things by kind and title;
 * several can go on at once.
 */
import { byteText } from "./names.js";

export interface Step {
  what: string;
  title: string;
  done: number;
  total: number;
}

export interface Work extends Step {
  /** When it was first heard of; milliseconds. */
  since: number;
}

export interface Line {
  text: string;
  /** 0..1, or undefined when the end is not known. */
  part: number | undefined;
}

const VERBS: Record<string, string> = { fetch: "Fetching", compile: "Compiling", boot: "Starting", upload: "Writing", download: "Receiving", save: "Saving" };

/** Work shorter than this is not worth a line. */
export const PATIENCE_MS = 120;

export class Board {
  readonly #work = new Map<string, Work>();

  /** A step was taken. Answers whether this work is over with it. */
  step(s: Step, now: number): boolean {
    const key = `${s.what}\0${s.title}`;
    const over = s.total > 0 && s.done >= s.total;
    if (over) this.#work.delete(key);
    else this.#work.set(key, { ...s, since: this.#work.get(key)?.since ?? now });
    return over;
  }

  end(what: string, title: string): void {
    this.#work.delete(`${what}\0${title}`);
  }

  clear(): void {
    this.#work.clear();
  }

  get size(): number {
    return this.#work.size;
  }

  /** What to show now; undefined when nothing has lasted long enough. */
  line(now: number, patience = PATIENCE_MS): Line | undefined {
    const shown = [...this.#work.values()].filter((w) => now - w.since >= patience);
    const first = shown[0];
    if (!first) return undefined;
    const others = shown.length > 1 ? `, and ${shown.length - 1} more` : "";
    const bytes = first.what === "fetch" || first.what === "upload" || first.what === "download";
    const amount = !bytes
      ? ""
      : first.total > 0
        ? `, ${byteText(first.done)} of ${byteText(first.total)}`
        : first.done > 0
          ? `, ${byteText(first.done)}`
          : "";
    const verb = VERBS[first.what] ?? first.what;
    const known = shown.filter((w) => w.total > 0);
    const part = known.length === 0 ? undefined : known.reduce((sum, w) => sum + w.done / w.total, 0) / known.length;
    return { text: `${verb} ${first.title}${amount}${others}`, part };
  }
}
