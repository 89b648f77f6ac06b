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
  /** Workers of `cpu.js` and `disk.js` that were started already, by the name "ahead". */
  first?: Worker;
  disk?: Worker;
  /** What is to run as soon as it can, maybe not known yet; `takeSession` answers it. */
  session?: SpawnOptions | Promise<SpawnOptions>;
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
  /** What was asked for with the boot, once. */
  takeSession?(): Task | undefined;
  readonly cpus: number;
  readonly isolated: boolean;
  report(): Promise<string>;
  shutdown(): void;
}

export interface HostModule {
  default: (from?: { module_or_path: WebAssembly.Module }) => Promise<unknown>;
  boot: (options: BootOptions) => Promise<Machine>;
}

/** The directory `vk/` beside the page. */
export function machineBase(): string {
  return new URL("./vk/", document.baseURI).href;
}

type Ahead = { first?: Worker; disk?: Worker };

/** What the page's head (`ahead.js`) has begun, and the host's WebAssembly; whatever failed of it, the machine does itself. */
type Begun = Ahead & { host?: Promise<WebAssembly.Module>; told?: Promise<unknown> };
const { host: compiled, told, ...begun } = (globalThis as { vkAhead?: Begun }).vkAhead ?? {};
let ahead: Ahead = begun;
for (const name of ["first", "disk"] as const) {
  ahead[name]?.addEventListener("error", () => delete ahead[name]);
}

/** The workers that were started, once. */
export function takeAhead(): Ahead {
  const taken = ahead;
  ahead = {};
  return taken;
}

/** The page waits so long at most with its own work. */
const TURN_MS = 150;

/**
 * Kept when the first workers have been told all that they wait for, or that takes long. Until then the main thread had better
 * be free: to build a terminal keeps it busy, and the first look at the page's own storage waits for the browser's busiest thread.
 */
export async function ourTurn(host: Promise<HostModule>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, TURN_MS));
  await Promise.race([Promise.allSettled([host, told]), late]);
  // What is ready to be told goes first.
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** They are of no use: nothing will be booted. */
export function endAhead(): void {
  for (const worker of Object.values(takeAhead())) worker.terminate();
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
  const module = await compiled?.catch(() => undefined);
  await host.default(module && { module_or_path: module });
  return host;
}
