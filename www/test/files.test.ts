import { describe, expect, it } from "vitest";
import { FileReceiver, type FileEvent } from "../src/lib/osc1337.js";
import { CHUNK, UploadQueue, WINDOW, type Pipe, type Source, type UploadEvent } from "../src/lib/upload.js";

const b64 = (s: string): string => Buffer.from(s).toString("base64");

function receive(payloads: string[], limit?: number): FileEvent[] {
  const seen: FileEvent[] = [];
  const r = new FileReceiver((e) => seen.push(e), limit);
  for (const p of payloads) r.handle(p);
  return seen.filter((e) => e.kind !== "progress");
}

function contents(e: FileEvent | undefined): string {
  if (e?.kind !== "file") throw new Error(JSON.stringify(e));
  return Buffer.concat(e.file.parts).toString();
}

describe("OSC 1337", () => {
  it("receives a whole file", () => {
    const [e] = receive([`File=name=${b64("dir/hello world.txt")};size=5;inline=0:${b64("hello")}`]);
    expect(e).toMatchObject({ kind: "file", file: { name: "hello world.txt", size: 5 } });
    expect(contents(e)).toBe("hello");
  });
  it("receives one in parts", () => {
    const data = "line\n".repeat(5000);
    const all = b64(data);
    const parts = all.match(/.{1,777}/g)!.map((p) => "FilePart=" + p);
    const [e] = receive([`MultipartFile=name=${b64("a")};size=${data.length}`, ...parts, "FileEnd"]);
    expect(contents(e)).toBe(data);
  });
  it("tells how far it is", () => {
    const seen: FileEvent[] = [];
    const r = new FileReceiver((e) => seen.push(e));
    r.handle(`MultipartFile=name=${b64("a")};size=6`);
    r.handle(`FilePart=${b64("abc")}`);
    expect(seen).toEqual([{ kind: "progress", name: "a", done: 3, total: 6 }]);
  });
  it("takes files without a name, a size, or contents", () => {
    expect(contents(receive(["File=:"])[0])).toBe("");
    expect(receive([`File=:${b64("x")}`])[0]).toMatchObject({ file: { name: "download" } });
    expect(receive(["MultipartFile=", "FileEnd"])[0]).toMatchObject({ kind: "file", file: { size: 0 } });
  });
  it("leaves images and other uses of the number alone", () => {
    expect(receive([`File=inline=1:${b64("png")}`, "MultipartFile=inline=1", "FilePart=****", "FileEnd", "CurrentDir=/x", "SetMark", "File=name", "", "FilePart=YQ==", "FileEnd"])).toEqual([]);
  });
  it("refuses what is broken, and goes on", () => {
    const name = `name=${b64("f")}`;
    expect(receive([`File=${name}:***`])).toEqual([{ kind: "error", name: "f", text: "it was not sent as base64" }]);
    expect(receive([`File=${name};size=9:${b64("abc")}`])[0]).toMatchObject({ kind: "error", text: "3 bytes of 9 came" });
    expect(receive([`MultipartFile=${name}`, `MultipartFile=name=${b64("g")}`, "FileEnd"]).map((e) => e.kind)).toEqual(["error", "file"]);
    const after = receive([`MultipartFile=${name}`, "FilePart=*", "FilePart=YQ==", "FileEnd", `File=${name}:${b64("ok")}`]);
    expect(after.map((e) => e.kind)).toEqual(["error", "file"]);
  });
  it("keeps its limit, whatever the size that was named", () => {
    expect(receive([`File=size=100:${b64("x")}`], 10)[0]).toMatchObject({ kind: "error" });
    expect(receive([`File=:${b64("x".repeat(11))}`], 10)[0]).toMatchObject({ kind: "error", text: "it is too large to be handed over" });
    expect(receive(["MultipartFile=", ...Array.from({ length: 9 }, () => "FilePart=" + b64("abc")), "FileEnd"], 10).map((e) => e.kind)).toEqual(["error"]);
    expect(receive(["File=size=99999999999999999999:"])[0]).toMatchObject({ kind: "file" });
  });
  it("gives up with its terminal", () => {
    const seen: FileEvent[] = [];
    const r = new FileReceiver((e) => seen.push(e));
    r.abandon();
    r.handle("MultipartFile=");
    r.abandon();
    expect(seen.length).toBe(1);
  });
});

/** A machine with a file system and nothing else: it runs the two commands of the queue. */
class FakeMachine {
  readonly files = new Map<string, Buffer>();
  readonly dirs: string[] = [];
  most = 0;
  running = 0;
  closed = 0;
  /** What each tee does after this many bytes. */
  fault: { after: number; says: string } | undefined;

  start = (argv: string[], onoutput: (b: Uint8Array) => void): Pipe => {
    const name = argv.at(-1)!;
    const make = argv.join(" ").includes("mkdir");
    const parts: Uint8Array[] = [];
    let [got, shown, over] = [0, 0, false];
    let finish = (_: number): void => {};
    const exited = new Promise<number>((r) => (finish = (n) => ((over = true), this.running--, r(n))));
    this.running++;
    return {
      exited,
      ack: () => {},
      close: () => (this.closed++, over || finish(129)),
      end: () => {
        setTimeout(() => {
          if (over) return;
          if (make) this.dirs.push(name);
          else this.files.set(name, Buffer.concat(parts));
          finish(0);
        }, 1);
      },
      write: (b) => {
        parts.push(b.slice());
        got += b.length;
        this.most = Math.max(this.most, got - shown);
        setTimeout(() => {
          if (over) return;
          if (this.fault && got >= this.fault.after) {
            onoutput(Buffer.from(this.fault.says));
            return finish(1);
          }
          shown += b.length;
          onoutput(b);
        }, 1);
      },
    };
  };
}

const source = (path: string, data: Buffer): Source => ({ path, size: data.length, read: async (a, b) => data.subarray(a, b) });

async function upload(m: FakeMachine, sources: Source[]): Promise<UploadEvent[]> {
  const seen: UploadEvent[] = [];
  await new UploadQueue(m.start, (e) => seen.push(e)).add(sources);
  return seen.filter((e) => e.kind !== "progress");
}

describe("uploads", () => {
  it("write files and make directories, once each", async () => {
    const m = new FakeMachine();
    const seen = await upload(m, [source("a/b/x", Buffer.from("1")), source("a/b/y", Buffer.alloc(0)), source("-z", Buffer.from("3"))]);
    expect(seen.map((e) => e.kind)).toEqual(["done", "done", "done"]);
    expect(m.dirs).toEqual(["a/b"]);
    expect([...m.files].map(([n, b]) => `${n}=${b.toString()}`)).toEqual(["a/b/x=1", "a/b/y=", "-z=3"]);
    expect(m.running).toBe(0);
  });
  it("have no more on the way than the window", async () => {
    const m = new FakeMachine();
    const data = Buffer.alloc(5 * WINDOW + 17, "abc");
    const seen: UploadEvent[] = [];
    await new UploadQueue(m.start, (e) => seen.push(e)).add([source("big", data)]);
    expect(m.files.get("big")!.equals(data)).toBe(true);
    expect(m.most).toBeLessThanOrEqual(WINDOW + CHUNK);
    const done = seen.filter((e) => e.kind === "progress").map((e) => e.done);
    expect(done.at(-1)).toBe(data.length);
    expect([...done].sort((a, b) => a - b)).toEqual(done);
  });
  it("say what the machine says, and go on with the next", async () => {
    const m = new FakeMachine();
    m.fault = { after: 3 * CHUNK, says: "tee: big: No space left on device\n" };
    const seen = await upload(m, [source("big", Buffer.alloc(4 * WINDOW)), source("small", Buffer.from("x"))]);
    expect(seen[0]).toEqual({ kind: "error", path: "big", text: "tee: big: No space left on device" });
    expect(seen[1]).toMatchObject({ kind: "done", path: "small" });
  });
  it("refuse names and report files that cannot be read", async () => {
    const m = new FakeMachine();
    const bad: Source = { path: "gone", size: 10, read: () => Promise.reject(new Error("it was removed")) };
    const short: Source = { path: "short", size: 10, read: async (a) => (a === 0 ? Buffer.from("abc") : Buffer.alloc(0)) };
    const seen = await upload(m, [source("../x", Buffer.alloc(1)), bad, short]);
    expect(seen.map((e) => e.kind)).toEqual(["error", "error", "error"]);
    expect(seen[1]).toMatchObject({ text: "it was removed" });
    expect(m.files.size).toBe(0);
    expect(m.running).toBe(0);
  });
  it("can be stopped, and used again", async () => {
    const m = new FakeMachine();
    const ends: string[] = [];
    const queue = new UploadQueue(m.start, (e) => {
      if (e.kind !== "progress") ends.push(`${e.kind} ${e.path}`);
      else if (e.done > WINDOW) queue.cancel();
    });
    await queue.add([source("big", Buffer.alloc(8 * WINDOW)), source("next", Buffer.from("x"))]);
    expect([...m.files.keys()]).toEqual([]);
    expect(m.closed).toBe(1);
    expect(ends).toEqual(["error big"]);
    await queue.add([source("again", Buffer.from("x"))]);
    expect([...m.files.keys()]).toEqual(["again"]);
  });
});
