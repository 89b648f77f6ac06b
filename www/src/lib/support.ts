/** What the machine needs of its engine, and a sentence for each thing that is missing. */

/** (module (memory 1) (memory 1)) */
const TWO_MEMORIES = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 5, 2, 0, 1, 0, 1]);

export interface Engine {
  WebAssembly?: unknown;
  Worker?: unknown;
  isSecureContext?: boolean;
  crossOriginIsolated?: boolean;
}

interface Wasm {
  validate?: (bytes: Uint8Array) => boolean;
  Suspending?: unknown;
  promising?: unknown;
  Memory?: new (d: object) => unknown;
}

export interface Missing {
  id: "wasm" | "jspi" | "multi-memory" | "shared-memory" | "workers" | "secure";
  text: string;
}

function can(f: () => unknown): boolean {
  try {
    return Boolean(f());
  } catch {
    return false;
  }
}

export function missing(engine: Engine): Missing[] {
  const found: Missing[] = [];
  const wasm = engine.WebAssembly as Wasm | undefined;
  if (engine.isSecureContext === false) {
    found.push({ id: "secure", text: "The page was not loaded over a secure connection (https, or localhost)." });
  }
  if (typeof engine.Worker !== "function") found.push({ id: "workers", text: "Web workers are missing." });
  if (!wasm || typeof wasm.validate !== "function") {
    found.push({ id: "wasm", text: "WebAssembly is missing or switched off." });
    return found;
  }
  // An isolated page does without both: it gives a worker to each process. The machine decides the same way (host-web, threads).
  const alone = engine.crossOriginIsolated !== true;
  if (alone && (typeof wasm.Suspending !== "function" || typeof wasm.promising !== "function")) {
    found.push({ id: "jspi", text: "JavaScript Promise Integration (JSPI) is missing: programs could not wait for input in a page that is not cross-origin isolated." });
  }
  if (alone && !can(() => wasm.validate!(TWO_MEMORIES))) {
    found.push({ id: "multi-memory", text: "WebAssembly multi-memory is missing: the kernel could not reach a program's memory in a page that is not cross-origin isolated." });
  }
  if (!can(() => new wasm.Memory!({ initial: 1, maximum: 1, shared: true }))) {
    found.push({ id: "shared-memory", text: "Shared WebAssembly memory is missing." });
  }
  return found;
}

/** One sentence that names what is missing. */
export function sentence(missing: readonly Missing[], framed: boolean): string {
  const what = missing.map((m) => m.text).join(" ");
  const where = framed ? " In a frame a browser may withhold it; a tab of its own may do." : "";
  return `This browser cannot run the machine. ${what}${where}`;
}
