/**
 * Files on their way into the machine, one after another.
 *
 * A file is written by a `tee` in the machine: what it was given it writes out again, which tells
 * the page how far it got. That is the progress, and the flow control: no more than a window is
 * on its way at any time, whatever the size of the file.
 */
import { uploadRefusal } from "./names.js";

export interface Source {
  /** Relative to the home directory, with / between its parts. */
  path: string;
  size: number;
  read(from: number, to: number): Promise<Uint8Array>;
}

/** A program in the machine, as far as it is used here. */
export interface Pipe {
  write(bytes: Uint8Array): void;
  end(): void;
  close(): void;
  ack(n: number): void;
  readonly exited: Promise<number>;
}

/** Starts `argv` in the home directory. */
export type Start = (argv: string[], onoutput: (bytes: Uint8Array) => void) => Pipe;

export type UploadEvent =
  | { kind: "progress"; path: string; done: number; total: number }
  | { kind: "done"; path: string; size: number }
  | { kind: "error"; path: string; text: string };

export const WINDOW = 256 * 1024;
export const CHUNK = 64 * 1024;

/** `cd` alone goes home, wherever that is; the name is an argument and never part of the command. */
const WRITE = ["sh", "-c", 'cd && exec tee -- "$1"', "sh"];
const MAKE = ["sh", "-c", 'cd && exec mkdir -p -- "$1"', "sh"];

export class UploadQueue {
  #chain: Promise<void> = Promise.resolve();
  #made = new Set<string>();
  #cancelled = false;
  /** Files not yet done. */
  waiting = 0;

  constructor(
    private readonly start: Start,
    private readonly emit: (e: UploadEvent) => void,
  ) {}

  /** Queues files; answers when the last of them is done or has failed. */
  add(sources: readonly Source[]): Promise<void> {
    if (this.waiting === 0) this.#cancelled = false;
    this.waiting += sources.length;
    for (const source of sources) {
      this.#chain = this.#chain.then(async () => {
        try {
          if (!this.#cancelled) await this.#one(source);
        } catch (e) {
          this.emit({ kind: "error", path: source.path, text: e instanceof Error ? e.message : String(e) });
        } finally {
          this.waiting--;
        }
      });
    }
    return this.#chain;
  }

  /** Gives up what waits and what is being written. */
  cancel(): void {
    this.#cancelled = true;
  }

  async #one(source: Source): Promise<void> {
    const refusal = uploadRefusal(source.path);
    if (refusal) throw new Error(refusal);
    await this.#makeDirectory(source.path.split("/").slice(0, -1).join("/"));
    await this.#write(source);
    this.emit({ kind: "done", path: source.path, size: source.size });
  }

  async #makeDirectory(dir: string): Promise<void> {
    if (dir === "" || this.#made.has(dir)) return;
    const said = new Said();
    const pipe: Pipe = this.start([...MAKE, dir], (b) => (said.add(b), pipe.ack(b.length)));
    pipe.end();
    if ((await pipe.exited) !== 0) throw new Error(said.text || `cannot make the directory ${dir}`);
    this.#made.add(dir);
  }

  async #write(source: Source): Promise<void> {
    const said = new Said();
    let sent = 0;
    let back = 0;
    let over = false;
    let wake = (): void => {};
    const pipe = this.start([...WRITE, source.path], (bytes) => {
      // What comes back is the file itself, and after it, or in its place, what tee has to complain of.
      said.add(bytes);
      back += bytes.length;
      pipe.ack(bytes.length);
      this.emit({ kind: "progress", path: source.path, done: Math.min(back, source.size), total: source.size });
      wake();
    });
    const status = pipe.exited.then((s) => ((over = true), wake(), s));
    while (sent < source.size && !over) {
      if (this.#cancelled) {
        pipe.close();
        throw new Error("it was stopped; a part of it may be there");
      }
      if (sent - back >= WINDOW) {
        await new Promise<void>((r) => (wake = r));
        continue;
      }
      const bytes = await source.read(sent, Math.min(sent + CHUNK, source.size)).catch((e: unknown) => {
        pipe.close();
        throw e;
      });
      if (bytes.length === 0) {
        pipe.close();
        throw new Error("it became shorter while it was read");
      }
      if (over) break;
      pipe.write(bytes);
      sent += bytes.length;
    }
    if (!over) pipe.end();
    const code = await status;
    if (code !== 0 || sent < source.size) throw new Error(said.text || `it could not be written (status ${code})`);
  }
}

/** The last line a program wrote, for a message; a file's contents that happen to be there are cut short. */
class Said {
  #last: Uint8Array = new Uint8Array();

  add(bytes: Uint8Array): void {
    this.#last = bytes.slice(-200);
  }

  get text(): string {
    const line = new TextDecoder().decode(this.#last).trimEnd().split("\n").pop() ?? "";
    return /^(tee|mkdir|sh): /.test(line) ? line : "";
  }
}
