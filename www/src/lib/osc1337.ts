/**
 * Files that a program hands to the page: OSC 1337, as iTerm2 defines it.
 *
 *     File = key=value;... : base64                   a whole file
 *     MultipartFile = key=value;...                   a file in pieces
 *     FilePart = base64
 *     FileEnd
 *
 * Keys are `name` (base64 of the name), `size` (bytes) and `inline` (1: an image to show; such a
 * file is not for saving and is left alone). One parser per terminal; a program that writes
 * nonsense gets nothing, and the terminal goes on. Specification: iterm2.com/documentation-images.
 */
import { Base64Decoder, decodeBase64 } from "./base64.js";
import { downloadName } from "./names.js";

export interface ReceivedFile {
  name: string;
  parts: Uint8Array<ArrayBuffer>[];
  size: number;
}

export type FileEvent =
  | { kind: "file"; file: ReceivedFile }
  | { kind: "progress"; name: string; done: number; total: number }
  | { kind: "error"; name: string; text: string };

interface Head {
  name: string;
  size: number | undefined;
  inline: boolean;
}

interface Open {
  head: Head;
  decoder: Base64Decoder;
  parts: Uint8Array<ArrayBuffer>[];
  size: number;
}

/** Held in memory until it is complete; a machine's disk can hold more than a tab. */
export const FILE_LIMIT = 1024 * 1024 * 1024;

function parseHead(text: string): Head {
  const head: Head = { name: "download", size: undefined, inline: false };
  for (const pair of text.split(";")) {
    const at = pair.indexOf("=");
    if (at < 0) continue;
    const [key, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (key === "name") {
      const bytes = decodeBase64(value);
      if (bytes) head.name = downloadName(new TextDecoder().decode(bytes));
    } else if (key === "size" && /^\d{1,15}$/.test(value)) head.size = Number(value);
    else if (key === "inline") head.inline = value === "1";
  }
  return head;
}

export class FileReceiver {
  #open: Open | undefined;

  constructor(
    private readonly emit: (e: FileEvent) => void,
    private readonly limit = FILE_LIMIT,
  ) {}

  /** The payload of one OSC 1337. Other uses of that number are ignored. */
  handle(payload: string): void {
    if (payload.startsWith("File=")) {
      const colon = payload.indexOf(":");
      if (colon < 0) return;
      this.#begin(payload.slice(5, colon));
      this.#part(payload.slice(colon + 1));
      this.#end();
    } else if (payload.startsWith("MultipartFile=")) {
      this.#begin(payload.slice(14));
    } else if (payload.startsWith("FilePart=")) {
      this.#part(payload.slice(9));
    } else if (payload === "FileEnd" || payload.startsWith("FileEnd=")) {
      this.#end();
    }
  }

  /** The terminal is gone: what is incomplete stays so. */
  abandon(): void {
    if (this.#open) this.#fail("the terminal was closed before the file was complete");
  }

  #begin(text: string): void {
    if (this.#open) this.#fail("another file was begun before it was complete");
    const head = parseHead(text);
    this.#open = { head, decoder: new Base64Decoder(), parts: [], size: 0 };
    if (head.size !== undefined && head.size > this.limit) this.#fail("it is too large to be handed over");
  }

  #part(text: string): void {
    const open = this.#open;
    if (!open || open.head.inline) return;
    const bytes = open.decoder.push(text);
    if (!bytes) return this.#fail("it was not sent as base64");
    this.#keep(open, bytes);
    if (!this.#open || open.head.size === undefined) return;
    this.emit({ kind: "progress", name: open.head.name, done: open.size, total: open.head.size });
  }

  #keep(open: Open, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (open.size + bytes.length > this.limit) return this.#fail("it is too large to be handed over");
    open.size += bytes.length;
    open.parts.push(bytes.slice());
  }

  #end(): void {
    const open = this.#open;
    if (!open) return;
    if (open.head.inline) {
      this.#open = undefined;
      return;
    }
    const rest = open.decoder.end();
    if (!rest) return this.#fail("it was not sent as base64");
    this.#keep(open, rest);
    if (!this.#open) return;
    if (open.head.size !== undefined && open.head.size !== open.size) {
      return this.#fail(`${open.size} bytes of ${open.head.size} came`);
    }
    this.#open = undefined;
    this.emit({ kind: "file", file: { name: open.head.name, parts: open.parts, size: open.size } });
  }

  #fail(text: string): void {
    const name = this.#open?.head.name ?? "download";
    this.#open = undefined;
    this.emit({ kind: "error", name, text });
  }
}
