/** The terminals of the page: which there are, which is shown. Values in, values out. */
import { titleText } from "./names.js";

export interface Tab {
  readonly id: number;
  /** Its number for the user, from 1; the smallest that was free. */
  readonly number: number;
  readonly title: string;
  /** "starting" until the machine is there; a code once its program has ended. */
  readonly state: "starting" | "running" | { readonly exited: number };
  /** Something was written, or the bell rang, while another was shown. */
  readonly attention: "none" | "output" | "bell";
}

export interface Tabs {
  readonly list: readonly Tab[];
  readonly active: number | undefined;
  readonly nextId: number;
}

export const noTabs: Tabs = { list: [], active: undefined, nextId: 1 };

/** Each is a session in a machine that has room for some tens of processes. */
export const TABS_LIMIT = 16;

export function open(t: Tabs): Tabs {
  if (t.list.length >= TABS_LIMIT) return t;
  const numbers = new Set(t.list.map((x) => x.number));
  let number = 1;
  while (numbers.has(number)) number++;
  const tab: Tab = { id: t.nextId, number, title: "", state: "starting", attention: "none" };
  return { list: [...t.list, tab], active: tab.id, nextId: t.nextId + 1 };
}

/** Without tab `id`. If it was shown, its right neighbour is, else its left one. */
export function close(t: Tabs, id: number): Tabs {
  const at = t.list.findIndex((x) => x.id === id);
  if (at < 0) return t;
  const list = t.list.filter((x) => x.id !== id);
  if (t.active !== id) return { ...t, list };
  const next = list[Math.min(at, list.length - 1)];
  return select({ ...t, list, active: next?.id }, next?.id);
}

export function select(t: Tabs, id: number | undefined): Tabs {
  if (id === undefined || !t.list.some((x) => x.id === id)) return t;
  return { ...change(t, id, { attention: "none" }), active: id };
}

/** The next (1) or the previous (-1), around the ends. */
export function step(t: Tabs, by: 1 | -1): Tabs {
  const at = t.list.findIndex((x) => x.id === t.active);
  if (at < 0) return t;
  return select(t, t.list[(at + by + t.list.length) % t.list.length]!.id);
}

export function change(t: Tabs, id: number, what: Partial<Omit<Tab, "id" | "number">>): Tabs {
  return { ...t, list: t.list.map((x) => (x.id === id ? { ...x, ...what } : x)) };
}

/** Output came in `id`; a bell counts for more. */
export function notify(t: Tabs, id: number, what: "output" | "bell"): Tabs {
  const tab = t.list.find((x) => x.id === id);
  if (!tab || t.active === id || tab.attention === what || tab.attention === "bell") return t;
  return change(t, id, { attention: what });
}

export function label(tab: Tab): string {
  return titleText(tab.title, `Terminal ${tab.number}`);
}

/** The label and what a sighted user sees by its look. */
export function spoken(tab: Tab): string {
  const exited = typeof tab.state === "object" ? `, ended with status ${tab.state.exited}` : "";
  const attention = tab.attention === "bell" ? ", bell" : tab.attention === "output" ? ", new output" : "";
  return label(tab) + exited + attention;
}

/** Whether closing it would end a program. */
export function needsConfirmation(tab: Tab): boolean {
  return tab.state === "running";
}
