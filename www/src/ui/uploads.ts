/** Uploads as the user sees them: progress in the status line, one notice for what went wrong. */
import { byteText } from "../lib/names.js";
import { UploadQueue, type Source, type UploadEvent } from "../lib/upload.js";
import type { Machine } from "../vk.js";
import type { Notices } from "./notices.js";
import type { Status } from "./status.js";

const CANCEL_FROM = 2_000_000;

export class Uploads {
  readonly #queue: UploadQueue;
  #done = 0;
  #bytes = 0;
  #failed: string[] = [];

  constructor(
    vk: Machine,
    private readonly status: Status,
    private readonly notices: Notices,
  ) {
    this.#queue = new UploadQueue(
      (argv, onoutput) => vk.spawn({ argv, tty: false, onoutput }),
      (e) => this.#event(e),
    );
  }

  add(sources: readonly Source[]): void {
    if (sources.length === 0) return;
    const bytes = sources.reduce((n, s) => n + s.size, 0);
    if (bytes >= CANCEL_FROM || sources.length > 50) {
      this.notices.show({
        key: "upload",
        text: `Writing ${sources.length === 1 ? sources[0]!.path : `${sources.length} files`}, ${byteText(bytes)}, to the home directory.`,
        actions: [{ label: "Stop", run: () => this.#queue.cancel() }],
      });
    }
    void this.#queue.add(sources).then(() => this.#queue.waiting === 0 && this.#summary());
  }

  #event(e: UploadEvent): void {
    if (e.kind === "progress") {
      this.status.step({ what: "upload", title: e.path, done: e.done, total: e.total });
    } else {
      this.status.end("upload", e.path);
      if (e.kind === "done") {
        this.#done++;
        this.#bytes += e.size;
      } else this.#failed.push(`${e.path}: ${e.text}`);
    }
  }

  #summary(): void {
    this.notices.close("upload");
    const files = (n: number): string => (n === 1 ? "1 file" : `${n} files`);
    if (this.#done > 0) this.status.say(`${files(this.#done)} (${byteText(this.#bytes)}) written to the home directory`, 6000);
    if (this.#failed.length > 0) {
      const shown = this.#failed.slice(0, 10);
      const more = this.#failed.length - shown.length;
      this.notices.show({
        key: "upload",
        kind: "error",
        text: `${files(this.#failed.length)} could not be written:`,
        code: shown.join("\n") + (more > 0 ? `\nand ${more} more` : ""),
      });
    }
    this.#done = this.#bytes = 0;
    this.#failed = [];
  }
}
