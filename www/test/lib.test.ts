import { describe, expect, it, vi } from "vitest";
import { Base64Decoder, decodeBase64 } from "../src/lib/base64.js";
import { Flow } from "../src/lib/flow.js";
import { SaveGuard, BURST, BURST_MS, WANTED_MS } from "../src/lib/guard.js";
import { controlOf, encodeKey, StickyKeys, withModifiers } from "../src/lib/keys.js";
import { linkTarget } from "../src/lib/links.js";
import { byteText, downloadName, titleText, uploadRefusal } from "../src/lib/names.js";
import { CLIPBOARD_LIMIT, parseOsc52 } from "../src/lib/osc52.js";
import { mayRunUnasked, parseParams, RUN_LIMIT } from "../src/lib/params.js";
import { pasteText } from "../src/lib/paste.js";
import { Board } from "../src/lib/progress.js";
import { backoffMs, errorText, isNetworkError } from "../src/lib/retry.js";
import { actionOf, type Key } from "../src/lib/shortcuts.js";
import { missing, sentence } from "../src/lib/support.js";
import * as tabs from "../src/lib/tabs.js";
import { palettes, resolveTheme, themeChoice, toggled } from "../src/lib/theme.js";

const text = (b: Uint8Array | null): string | null => (b ? new TextDecoder().decode(b) : null);
const b64 = (s: string): string => Buffer.from(s).toString("base64");

describe("base64", () => {
  it("decodes every length, with padding and without", () => {
    for (let n = 0; n < 40; n++) {
      const s = "The quick brown fox jumps over the lazy dog".slice(0, n);
      expect(text(decodeBase64(b64(s)))).toBe(s);
      expect(text(decodeBase64(b64(s).replace(/=/g, "")))).toBe(s);
    }
  });
  it("takes pieces cut anywhere", () => {
    const all = b64("a somewhat longer text, to be cut");
    for (let cut = 0; cut <= all.length; cut++) {
      const d = new Base64Decoder();
      const parts = [d.push(all.slice(0, cut)), d.push(all.slice(cut)), d.end()].map(text);
      expect(parts.join("")).toBe("a somewhat longer text, to be cut");
    }
  });
  it("takes pieces that are each padded", () => {
    const d = new Base64Decoder();
    expect([d.push(b64("a") + "\n"), d.push(b64("bc")), d.push(b64("def")), d.end()].map(text).join("")).toBe("abcdef");
  });
  it("refuses what is not base64", () => {
    for (const s of ["a", "ab=c", "=abc", "ab*d", "äbcd", "abcd=", "a==="]) expect(decodeBase64(s), s).toBeNull();
    const d = new Base64Decoder();
    expect(d.push("!")).toBeNull();
    expect(d.push("YWJj")).toBeNull();
  });
});

describe("names", () => {
  it("makes download names harmless", () => {
    expect(downloadName("../../etc/passwd")).toBe("passwd");
    expect(downloadName("C:\\x\\y.txt")).toBe("y.txt");
    expect(downloadName(".bashrc")).toBe("bashrc");
    expect(downloadName("con.txt")).toBe("_con.txt");
    expect(downloadName("")).toBe("download");
    expect(downloadName("...")).toBe("download");
    expect(downloadName("/")).toBe("download");
    expect(downloadName("<img src=x onerror=1>.png")).toBe("_img src=x onerror=1_.png");
    expect(downloadName("gpj.\u202eexe")).toBe("gpj._exe");
    expect(downloadName("a\nb\0c")).toBe("a_b_c");
    expect(downloadName("é世界.txt")).toBe("é世界.txt");
    const long = downloadName("x".repeat(500) + ".tar.gz");
    expect(long.length).toBeLessThanOrEqual(200);
    expect(long.endsWith(".tar.gz")).toBe(true);
    expect(downloadName("x" + "😀".repeat(300)).isWellFormed()).toBe(true);
  });
  it("refuses upload paths that lead elsewhere", () => {
    for (const p of ["", "a//b", "..", "a/../b", "./a", "a/.", "/a", "a/", "a\0b", "ä".repeat(128)]) expect(uploadRefusal(p), p).toBeTypeOf("string");
    for (const p of ["a", "a/b c/d", "-rf", "...", "ä".repeat(127), "$(x)"]) expect(uploadRefusal(p), p).toBeUndefined();
  });
  it("makes titles one line", () => {
    expect(titleText("vi\n a\tb\u202e", "T")).toBe("vi a b");
    expect(titleText(" \u0007 ", "T")).toBe("T");
    expect([...titleText("😀".repeat(100), "T")].length).toBe(80);
  });
  it("writes sizes", () => {
    expect([0, 999, 1000, 9940, 9960, 999_400, 999_600, 1.5e9].map(byteText)).toEqual(["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.5 GB"]);
  });
});

describe("flow control", () => {
  it("puts small amounts together and owes nothing in the end", () => {
    const ack = vi.fn<(n: number) => void>();
    const f = new Flow(ack, 100);
    for (let i = 0; i < 5; i++) f.received(30);
    for (let i = 0; i < 4; i++) f.shown(30);
    expect(ack.mock.calls).toEqual([[120]]);
    f.shown(30);
    expect(ack.mock.calls).toEqual([[120], [30]]);
    expect(f.pending).toBe(0);
  });
  it("answers a lone byte at once", () => {
    const ack = vi.fn<(n: number) => void>();
    const f = new Flow(ack);
    f.received(1);
    f.shown(1);
    expect(ack.mock.calls).toEqual([[1]]);
  });
});

describe("keys", () => {
  const none = { ctrl: false, alt: false };
  it("encodes as xterm does", () => {
    expect(encodeKey("Up", none, false)).toBe("\x1b[A");
    expect(encodeKey("Up", none, true)).toBe("\x1bOA");
    expect(encodeKey("Home", none, true)).toBe("\x1bOH");
    expect(encodeKey("Left", { ctrl: true, alt: false }, true)).toBe("\x1b[1;5D");
    expect(encodeKey("Left", { ctrl: true, alt: true, shift: true }, false)).toBe("\x1b[1;8D");
    expect(encodeKey("Delete", none, false)).toBe("\x1b[3~");
    expect(encodeKey("PageUp", { ctrl: false, alt: true }, false)).toBe("\x1b[5;3~");
    expect(encodeKey("Tab", none, false)).toBe("\t");
    expect(encodeKey("Tab", { ...none, shift: true }, false)).toBe("\x1b[Z");
    expect(encodeKey("Escape", { ctrl: false, alt: true }, false)).toBe("\x1b\x1b");
  });
  it("makes control characters", () => {
    expect(["c", "C", "[", "@", " ", "?", "_", "\\", "8"].map(controlOf)).toEqual(["\x03", "\x03", "\x1b", "\0", "\0", "\x7f", "\x1f", "\x1c", "\x7f"]);
    expect(controlOf("ä")).toBeUndefined();
    expect(controlOf("é")).toBeUndefined();
  });
  it("applies sticky keys to one character and no paste", () => {
    expect(withModifiers("c", { ctrl: true, alt: false })).toBe("\x03");
    expect(withModifiers("x", { ctrl: false, alt: true })).toBe("\x1bx");
    expect(withModifiers("c", { ctrl: true, alt: true })).toBe("\x1b\x03");
    expect(withModifiers("rm", { ctrl: true, alt: false })).toBe("rm");
    expect(withModifiers("ä", { ctrl: true, alt: false })).toBe("ä");
  });
  it("sticks once, locks at the second touch, lets go at the third", () => {
    const s = new StickyKeys();
    s.touch("ctrl");
    expect(s.take()).toEqual({ ctrl: true, alt: false });
    expect(s.active).toBe(false);
    s.touch("ctrl");
    s.touch("ctrl");
    s.take();
    expect(s.take().ctrl).toBe(true);
    s.touch("ctrl");
    expect(s.active).toBe(false);
  });
});

describe("shortcuts", () => {
  const key = (key: string, mods = "", code?: string): Key => ({
    key, ...(code ? { code } : {}), ctrlKey: mods.includes("c"), shiftKey: mods.includes("s"), altKey: mods.includes("a"), metaKey: mods.includes("m"),
  });
  it("knows its keys, in other layouts too", () => {
    expect(actionOf(key("C", "cs", "KeyC"))).toBe("copy");
    expect(actionOf(key("С", "cs", "KeyC"))).toBe("copy"); // Cyrillic
    expect(actionOf(key("F6", "s"))).toBe("leave");
    expect(actionOf(key("Insert", "s"))).toBe("paste");
    expect(actionOf(key("Insert", "c"))).toBe("copy");
    expect(actionOf(key("Enter", "cs", "Enter"))).toBe("new");
  });
  it("leaves the programs theirs", () => {
    for (const k of [key("c", "c", "KeyC"), key("Tab"), key("F6"), key("Enter", "s"), key("C", "csa", "KeyC"), key("ArrowLeft", "c"), key("Insert", "cs"), key("C", "csm", "KeyC")]) expect(actionOf(k)).toBeUndefined();
  });
});

describe("links", () => {
  it("leads to http and https only", () => {
    expect(linkTarget("https://example.org/a?b#c")?.href).toBe("https://example.org/a?b#c");
    for (const s of ["javascript:alert(1)", "data:text/html,x", "file:///etc", "//x", "x", "blob:https://a/b", "https://bank.example@evil.example/", " vbscript:x"]) expect(linkTarget(s), s).toBeUndefined();
  });
});

describe("clipboard", () => {
  it("writes and never reads", () => {
    expect(parseOsc52("c;" + b64("grüße"))).toEqual({ kind: "write", text: "grüße" });
    expect(parseOsc52(";" + b64("x"))).toEqual({ kind: "write", text: "x" });
    for (const s of ["c;?", "c;", "c", "", "c;***", "c;" + "A".repeat(CLIPBOARD_LIMIT * 2)]) expect(parseOsc52(s).kind).toBe("refused");
  });
  it("pastes without what a terminal obeys", () => {
    expect(pasteText("a\r\nb\tc\rd\x1b[201~\x03rm\x00\x9b\x7f")).toBe("a\nb\tc\nd[201~rm");
  });
});

describe("the address", () => {
  it("is read strictly", () => {
    expect(parseParams("?cpus=2&theme=light&persist=0&sr=1")).toEqual({ cpus: 2, theme: "light", persist: false, screenReader: true });
    expect(parseParams("?cpus=99").cpus).toBe(16);
    for (const q of ["cpus=0", "cpus=-1", "cpus=x", "cpus=1e3", "theme=pink", "sr=2"]) expect(parseParams("?" + q)).toEqual({ persist: true });
  });
  it("takes commands that can be seen", () => {
    expect(parseParams("?run=ls%20-l%20%7C%20wc").run).toBe("ls -l | wc");
    expect(parseParams("?run=" + encodeURIComponent("echo é 世界 😀")).run).toBe("echo é 世界 😀");
    for (const c of ["a\nb", "a\rb", "a\x1b[A", "a\u202eb", "a\u200bb", "a\u0085", "x".repeat(RUN_LIMIT + 1)]) {
      const p = parseParams("?run=" + encodeURIComponent(c));
      expect(p.run).toBeUndefined();
      expect(p.runRefused).toBeTypeOf("string");
    }
  });
  it("asks unless a page of ours leads here", () => {
    const own = "https://a.example";
    expect(mayRunUnasked("https://a.example/doc", own, false)).toBe(true);
    expect(mayRunUnasked("https://a.example/doc", own, true)).toBe(false);
    for (const r of ["", "https://b.example/", "https://a.example.evil/", "http://a.example/", "x"]) expect(mayRunUnasked(r, own, false), r).toBe(false);
    expect(mayRunUnasked("null", "null", false)).toBe(false);
  });
});

describe("theme", () => {
  it("follows the address, then the memory, then the system", () => {
    expect(themeChoice("light", "dark")).toBe("light");
    expect(themeChoice(undefined, "dark")).toBe("dark");
    expect(themeChoice(undefined, "x")).toBe("auto");
    expect(resolveTheme("auto", true)).toBe("dark");
  });
  it("switches what is seen, every time", () => {
    for (const choice of ["auto", "dark", "light"] as const) {
      for (const system of [true, false]) expect(resolveTheme(toggled(choice, system), system)).not.toBe(resolveTheme(choice, system));
    }
    expect(toggled("light", true)).toBe("auto");
  });
  it("can be read: 4.5 to 1 for each colour that writes", () => {
    const lum = (hex: string): number => {
      const [r, g, b] = [1, 3, 5].map((i) => parseInt((hex.length === 4 ? hex.replace(/(?<=.)./g, "$&$&") : hex).slice(i, i + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const contrast = (a: string, b: string): number => (Math.max(lum(a), lum(b)) + 0.05) / (Math.min(lum(a), lum(b)) + 0.05);
    for (const p of Object.values(palettes)) {
      expect(contrast(p.foreground, p.background)).toBeGreaterThan(7);
      expect(contrast(p.foreground, p.selectionBackground)).toBeGreaterThan(4.5);
      expect(p.ansi).not.toContain(p.foreground);
      p.ansi.forEach((c, i) => {
        if (p === palettes.dark && i === 0) return;
        expect(contrast(c, p.background), `${i}: ${c}`).toBeGreaterThanOrEqual(4.5);
      });
    }
  });
});

describe("tabs", () => {
  const three = (): tabs.Tabs => tabs.open(tabs.open(tabs.open(tabs.noTabs)));
  it("numbers from one and fills gaps", () => {
    let t = three();
    expect(t.list.map(tabs.label)).toEqual(["Terminal 1", "Terminal 2", "Terminal 3"]);
    t = tabs.open(tabs.close(t, 2));
    expect(t.list.map((x) => x.number)).toEqual([1, 3, 2]);
    expect(t.active).toBe(4);
  });
  it("shows a neighbour of what is closed", () => {
    expect(tabs.close(three(), 3).active).toBe(2);
    expect(tabs.close(tabs.select(three(), 1), 1).active).toBe(2);
    expect(tabs.close(tabs.select(three(), 1), 3).active).toBe(1);
    expect(tabs.close(tabs.open(tabs.noTabs), 1)).toMatchObject({ list: [], active: undefined });
    expect(tabs.close(three(), 99).list.length).toBe(3);
  });
  it("walks around", () => {
    const t = three();
    expect(tabs.step(t, 1).active).toBe(1);
    expect(tabs.step(tabs.select(t, 1), -1).active).toBe(3);
    expect(tabs.step(tabs.noTabs, 1)).toBe(tabs.noTabs);
  });
  it("notes what happens in hidden ones, and forgets it when they are shown", () => {
    let t = tabs.notify(three(), 1, "output");
    expect(tabs.spoken(t.list[0]!)).toBe("Terminal 1, new output");
    t = tabs.notify(t, 1, "bell");
    expect(tabs.notify(t, 1, "output")).toBe(t);
    expect(t.list[0]!.attention).toBe("bell");
    expect(tabs.select(t, 1).list[0]!.attention).toBe("none");
    expect(tabs.notify(t, 3, "bell")).toBe(t);
  });
  it("stops at its limit", () => {
    let t = tabs.noTabs;
    for (let i = 0; i < 40; i++) t = tabs.open(t);
    expect(t.list.length).toBe(tabs.TABS_LIMIT);
  });
  it("confirms what runs", () => {
    const t = three().list[0]!;
    expect(tabs.needsConfirmation({ ...t, state: "running" })).toBe(true);
    expect(tabs.needsConfirmation({ ...t, state: { exited: 1 } })).toBe(false);
    expect(tabs.spoken({ ...t, title: "vi", state: { exited: 1 } })).toBe("vi, ended with status 1");
  });
});

describe("progress", () => {
  it("tells of what lasts", () => {
    const b = new Board();
    b.step({ what: "fetch", title: "Python", done: 0, total: 8_000_000 }, 0);
    expect(b.line(50)).toBeUndefined();
    b.step({ what: "fetch", title: "Python", done: 2_000_000, total: 8_000_000 }, 200);
    expect(b.line(200)).toEqual({ text: "Fetching Python, 2.0 MB of 8.0 MB", part: 0.25 });
    expect(b.step({ what: "fetch", title: "Python", done: 8e6, total: 8e6 }, 300)).toBe(true);
    expect(b.line(9999)).toBeUndefined();
  });
  it("counts several together, and those without an end not", () => {
    const b = new Board();
    b.step({ what: "fetch", title: "a", done: 1, total: 2 }, 0);
    b.step({ what: "compile", title: "b", done: 0, total: 0 }, 0);
    expect(b.line(500)).toEqual({ text: "Fetching a, 1 B of 2 B, and 1 more", part: 0.5 });
    b.end("fetch", "a");
    expect(b.line(500)).toEqual({ text: "Compiling b", part: undefined });
  });
  it("shows what it does not know as it comes", () => {
    const b = new Board();
    b.step({ what: "unfold", title: "maps", done: 0, total: 3 }, 0);
    expect(b.line(500)?.text).toBe("unfold maps");
  });
});

describe("trying again", () => {
  it("waits longer each time, to a limit", () => {
    expect([0, 1, 2, 5, 50].map((n) => backoffMs(n, () => 0))).toEqual([1000, 2000, 4000, 30000, 30000]);
    expect(backoffMs(0, () => 1)).toBe(1250);
  });
  it("knows a lost network", () => {
    for (const m of ["Failed to fetch", "NetworkError when attempting to fetch resource.", "Load failed", "Failed to fetch dynamically imported module: x", "pack 12: status 503", "net: timed out", "cannot fetch Base system (http://x/y): no network"]) expect(isNetworkError(new TypeError(m)), m).toBe(true);
    for (const m of ["pack 12ab: its contents do not match the hash", "pack x: status 404", "no JSPI"]) expect(isNetworkError(new Error(m)), m).toBe(false);
    expect(errorText({ message: "x" })).toBe("x");
    expect(errorText("y")).toBe("y");
  });
});

describe("the guard of downloads", () => {
  const enter = Uint8Array.of(108, 115, 13);
  it("wants a line entered a moment ago, and no flood", () => {
    const g = new SaveGuard();
    expect(g.allows(0)).toBe(false);
    g.input(Uint8Array.of(108), 0);
    expect(g.allows(1)).toBe(false);
    g.input(enter, 0);
    for (let i = 0; i < BURST; i++) expect(g.allows(1)).toBe(true);
    expect(g.allows(2)).toBe(false);
    expect(g.allows(2 + BURST_MS)).toBe(true);
    expect(g.allows(WANTED_MS + 1)).toBe(false);
  });
});

describe("support", () => {
  const memory = class { constructor(d: { shared?: boolean }) { if (!d.shared) throw new Error(); } };
  const wasm = { validate: () => true, Suspending: class {}, promising: () => {}, Memory: memory };
  const Worker = class {};
  it("finds nothing missing where nothing is", () => {
    expect(missing({ WebAssembly: wasm, Worker, isSecureContext: true })).toEqual([]);
  });
  it("names each thing", () => {
    const ids = (e: object): string[] => missing(e).map((m) => m.id);
    expect(ids({})).toEqual(["workers", "wasm"]);
    expect(ids({ WebAssembly: { ...wasm, Suspending: undefined }, Worker })).toEqual(["jspi"]);
    expect(ids({ WebAssembly: { ...wasm, validate: () => false }, Worker })).toEqual(["multi-memory"]);
    expect(ids({ WebAssembly: { ...wasm, Suspending: undefined, validate: () => false }, Worker, crossOriginIsolated: true })).toEqual([]);
    expect(ids({ WebAssembly: { ...wasm, Memory: class { constructor() { throw new Error(); } } }, Worker, isSecureContext: false })).toEqual(["secure", "shared-memory"]);
    expect(sentence(missing({ WebAssembly: { ...wasm, promising: undefined }, Worker }), true)).toMatch(/JSPI.*tab of its own/);
  });
  it("asks a real engine a real question", () => {
    // This Node is one without JSPI or with; multi-memory it either knows or says so. The module itself must be well-formed but for that.
    const seen: Uint8Array[] = [];
    missing({ WebAssembly: { ...wasm, validate: (b: Uint8Array) => (seen.push(b), true) }, Worker });
    expect([...seen[0]!.slice(0, 8)]).toEqual([0, 97, 115, 109, 1, 0, 0, 0]);
    const one = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1);
    expect(WebAssembly.validate(one)).toBe(true);
  });
});
