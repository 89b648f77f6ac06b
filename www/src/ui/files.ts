/** Files in both directions: dropped or picked ones into the machine, handed out ones to the browser. */
import type { ReceivedFile } from "../lib/osc1337.js";
import type { Source } from "../lib/upload.js";
import { byId, el } from "./dom.js";

/** A folder with more is not what somebody meant to drop. */
const COUNT_LIMIT = 20_000;

function source(path: string, file: File): Source {
  return {
    path,
    size: file.size,
    read: async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()),
  };
}

async function walk(entry: FileSystemEntry, prefix: string, into: Source[]): Promise<void> {
  if (into.length >= COUNT_LIMIT) throw new Error(`more than ${COUNT_LIMIT} files`);
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no));
    into.push(source(path, file));
  } else if (entry.isDirectory) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // Answers in batches; an empty one is the end.
      const batch = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
      if (batch.length === 0) break;
      for (const e of batch) await walk(e, path + "/", into);
    }
  }
}

/** Takes drops on the whole page and what the two buttons pick. */
export function takeFiles(add: (sources: Source[]) => void, failed: (text: string) => void): void {
  const veil = byId("drop");
  let depth = 0;
  const hasFiles = (e: DragEvent): boolean => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (e) => {
    if (!hasFiles(e)) return;
    depth++;
    veil.hidden = false;
  });
  addEventListener("dragleave", (e) => {
    if (hasFiles(e) && --depth <= 0) veil.hidden = true;
  });
  addEventListener("dragover", (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    e.dataTransfer!.dropEffect = "copy";
  });
  addEventListener("drop", (e) => {
    depth = 0;
    veil.hidden = true;
    if (!hasFiles(e)) return;
    e.preventDefault();
    // The entries must be taken before the first await: the list is emptied after the event.
    const into: Source[] = [];
    const entries: FileSystemEntry[] = [];
    for (const item of e.dataTransfer!.items) {
      const entry = item.webkitGetAsEntry();
      const file = entry ? null : item.getAsFile();
      if (entry) entries.push(entry);
      else if (file) into.push(source(file.name, file));
    }
    void (async () => {
      for (const entry of entries) await walk(entry, "", into);
      add(into);
    })().catch((err: unknown) => failed(`The files could not be read: ${err instanceof Error ? err.message : String(err)}`));
  });
  pick("pick-files", {}, add);
  pick("pick-folder", { webkitdirectory: true }, add);
}

function pick(buttonId: string, attrs: Record<string, boolean>, add: (sources: Source[]) => void): void {
  byId(buttonId).addEventListener("click", () => {
    byId("add-menu").hidePopover();
    const input = el("input", { type: "file", multiple: true, ...attrs });
    input.addEventListener("change", () => {
      add([...(input.files ?? [])].map((f) => source(f.webkitRelativePath || f.name, f)));
    });
    input.click();
  });
}

/** Hands a file to the browser, which stores it as it does with any download. */
export function save(file: ReceivedFile): void {
  // Never a type the browser would show: the machine's files are data.
  const url = URL.createObjectURL(new Blob(file.parts, { type: "application/octet-stream" }));
  const a = el("a", { href: url, download: file.name, hidden: true });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
