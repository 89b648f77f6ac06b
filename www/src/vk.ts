/**
 * The machine as the page sees it: the shapes of `vk/host_web.js`, and how that module is found.
 *
 * It is not bundled. It lies beside the page, was built by another tool, and finds its own
 * WebAssembly and workers relative to itself.
 */

export interface Progress {
  /** "fetch", "compile", "boot"; others are shown as they come. */
  what: string;
  title: string;
  done: number;
  /** 0 when it is not known. */
  total: number;
}

export interface Ended {
  status?: number;
  panic?: string;
}

export interface BootOptions {
  /** A worker of `cpu.js` that was started already. */
  first?: Worker;
  base: string;
  cpus?: number;
  init?: string[];
  env?: string[];
  persist?: boolean;
  /** For tests; without it the engine's features decide. */
  machine?: "stacks" | "threads";
  onprogress?: (p: Progress) => void;
  onconsole?: (text: string) => void;
  onended?: (e: Ended) => void;
  onnotice?: (text: string) => void;
}

export interface SpawnOptions {
  argv?: string[];
  env?: string[];
  cwd?: string;
  tty?: boolean;
  cols?: number;
  rows?: number;
  onoutput: (bytes: Uint8Array) => void;
}

/** A program and the device it runs on. */
export interface Task {
  write(bytes: Uint8Array): void;
  /** End of file; for a task that has no terminal. */
  end(): void;
  resize(cols: number, rows: number): void;
  /** `n` bytes of output were shown: flow control. */
  ack(n: number): void;
  /** Hang up. */
  close(): void;
  readonly exited: Promise<number>;
}

export interface Machine {
  spawn(options: SpawnOptions): Task;
  readonly cpus: number;
  readonly isolated: boolean;
  report(): Promise<string>;
  shutdown(): void;
}

export interface HostModule {
  default: () => Promise<unknown>;
  boot: (options: BootOptions) => Promise<Machine>;
}

/** The directory `vk/` beside the page. */
export function machineBase(): string {
  return new URL("./vk/", document.baseURI).href;
}

let first: Worker | undefined;

/** Starts the first CPU's worker, which loads what it needs beside the page. */
export function startFirst(): void {
  const worker = new Worker(machineBase() + "cpu.js", { type: "module" });
  first = worker;
  // One that could not be loaded is of no use; the machine starts another.
  worker.addEventListener("error", () => (first = first === worker ? undefined : first));
}

/** The worker that was started, once. */
export function takeFirst(): { first?: Worker } {
  const worker = first;
  first = undefined;
  return worker ? { first: worker } : {};
}

/**
 * Loads the host's module and its WebAssembly.
 *
 * `attempt` is which try this is: engines remember that a module could not be fetched, so another
 * try needs another address.
 */
export async function loadHost(attempt: number): Promise<HostModule> {
  const url = machineBase() + "host_web.js" + (attempt > 0 ? `?try=${attempt}` : "");
  const host = (await import(/* @vite-ignore */ url)) as HostModule;
  await host.default();
  return host;
}
