// The disks: see host-web/src/disk.
import assert from "node:assert/strict";

const SIZE = 1, FLAGS = 2, TRUNCATE = 3, READ_ONLY = 1;
const NOWHERE = /keeps no files here: they live until the page is closed$/;

/** In the worker: does `[what, ...args]` one after the other; answers of reads are text, zeros as dots. */
async function act(w, steps) {
  const { disk } = w.state, answers = [];
  const bytes = (s) => typeof s === "number" ? new Uint8Array(s).fill(120) : new TextEncoder().encode(s);
  for (const [what, ...args] of steps) {
    try {
      if (what === "write") args[2] = bytes(args[2]);
      const answer = await disk[what](...args);
      answers.push(answer instanceof Uint8Array ? new TextDecoder().decode(answer.map((b) => b || 46)) : answer ?? null);
    } catch (e) {
      answers.push(e.message);
    }
  }
  return answers;
}
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export const tests = {
  async "what is written is read, and there after a reload"({ page }) {
    let p = await page();
    assert.deepEqual(await p.disk(), { units: 2, notice: null });
    const done = await p.run(act, [["write", 0, 3, "hello"], ["write", 1, 0, "other"], ["read", 0, 0, 12], ["read", 0, 1 << 30, 3], ["flush", 0], ["flush", 1]]);
    assert.deepEqual(done, [null, null, "...hello....", "...", null, null]);
    for (let i = 0; i < 5; i++) {
      await p.reload();
      assert.deepEqual(await p.disk(), { units: 2, notice: null });
    }
    const after = await p.run(act, [["read", 0, 0, 8], ["read", 1, 0, 5], ["ctl", 0, FLAGS, 0], ["ctl", 0, TRUNCATE, 5], ["read", 0, 0, 9], ["flush", 0]]);
    assert.deepEqual(after, ["...hello", "other", 0, 0, "...he....", null]);
    const [size, unit, command, read] = await p.run(act, [["ctl", 0, SIZE, 0], ["read", 2, 0, 1], ["ctl", 0, 9, 0], ["read", 0, 2 ** 45, 4]]);
    assert.ok(size > 1e7 && size <= 2 ** 40, String(size));
    assert.deepEqual([unit, command, read], ["ENXIO", "ENOTTY", "...."]);
  },

  async "requests in flight are served in order"({ page }) {
    const p = await page();
    await p.disk();
    const wrong = await p.run(async (w) => {
      const { disk } = w.state, reads = [];
      for (let i = 0; i < 500; i++) {
        disk.write(0, 0, new Uint8Array(4096).fill(i));
        disk.write(1, 0, new Uint8Array(4096).fill(i + 1));
        reads.push(disk.read(0, 0, 4096), disk.read(1, 4095, 1));
      }
      const got = await Promise.all(reads);
      return got.filter((bytes, n) => bytes.some((b) => b !== (((n >> 1) + (n & 1)) & 255))).length;
    });
    assert.equal(wrong, 0);
  },

  async "a second tab gets a copy to read"({ page }) {
    const one = await page(), two = await page();
    await one.disk();
    await one.run(act, [["write", 0, 0, "first"], ["flush", 0]]);
    const { units, notice } = await two.disk();
    assert.equal(units, 2);
    assert.match(notice, /^another tab has the files open; here they are read-only/);
    await one.run(act, [["write", 0, 0, "later"], ["flush", 0]]);
    const got = await two.run(act, [["ctl", 0, FLAGS, 0], ["read", 0, 0, 7], ["write", 0, 0, "mine"], ["ctl", 0, TRUNCATE, 0], ["flush", 0]]);
    assert.deepEqual(got, [READ_ONLY, "first..", "EROFS", "EROFS", null]);
    // The writer goes: whoever comes next writes.
    await one.evaluate(() => window.storage.terminate());
    await two.reload();
    assert.deepEqual(await two.disk(), { units: 2, notice: null });
    assert.deepEqual(await two.run(act, [["read", 0, 0, 5]]), ["later"]);
  },

  async "a copy is made at a flush, never between"({ page }) {
    const one = await page(), two = await page();
    await one.disk();
    // Both halves of the disk say the same at every flush, and never between.
    const writing = one.run(async (w) => {
      const { disk } = w.state;
      for (w.state.go = true, w.state.n = 0; w.state.go; w.state.n++) {
        await disk.write(0, 0, new Uint8Array(1 << 16).fill(w.state.n));
        await new Promise((done) => setTimeout(done, 5));
        await disk.write(0, 1 << 20, new Uint8Array(1 << 16).fill(w.state.n));
        await disk.flush(0);
      }
    }).catch(() => {});
    await wait(300);
    for (let i = 0; i < 3; i++) {
      assert.match((await two.disk()).notice, /read-only/);
      const values = await two.run(async (w) => {
        const seen = new Set();
        for (let again = 0; again < 2; again++) {
          for (const at of [0, 1 << 20]) for (const byte of await w.state.disk.read(0, at, 1 << 16)) seen.add(byte);
          await new Promise((done) => setTimeout(done, 100));
        }
        return [...seen];
      });
      assert.equal(values.length, 1);
      await two.reload();
    }
    await one.run((w) => { w.state.go = false; });
    await writing;
  },

  async "a tab killed during writes loses nothing that was flushed"({ page, browser }) {
    for (let round = 0; round < 3; round++) {
      const p = await page();
      assert.deepEqual(await p.disk(), { units: 2, notice: null });
      const dying = p.run(async (w) => {
        const { disk } = w.state;
        // A word n at place n, and behind it a count of those flushed.
        for (let n = 0; ; n++) {
          await disk.write(1, 4096 + 4 * n, new Uint8Array(new Uint32Array([n + 1]).buffer));
          if (n % 8 !== 7) continue;
          await disk.flush(1);
          new BroadcastChannel("flushed").postMessage(n + 1);
        }
      }).catch(() => {});
      await p.evaluate(() => { new BroadcastChannel("flushed").onmessage = (e) => { window.flushed = e.data; }; });
      await wait(400 + 150 * round);
      const flushed = await p.evaluate(() => window.flushed);
      assert.ok(flushed > 8);
      if (browser === "chromium") {
        const session = await p.context().newCDPSession(p);
        session.send("Page.crash").catch(() => {});
        await new Promise((done) => p.once("crash", done));
      } else {
        await p.close();
      }
      const q = await page();
      assert.deepEqual(await q.disk(), { units: 2, notice: null });
      const right = await q.run(async (w, flushed) => {
        const words = new Uint32Array((await w.state.disk.read(1, 4096, 4 * flushed)).buffer);
        return words.every((word, n) => word === n + 1);
      }, flushed);
      assert.ok(right);
      await q.close();
      await Promise.race([dying, wait(100)]);
    }
  },

  async "no more room is ENOSPC, anything else EIO"({ page, browser, server }) {
    let p = await page();
    await p.disk("full");
    assert.deepEqual(await p.run(act, [["write", 0, 0, "x"], ["read", 0, 0, 0]]), ["ENOSPC", ""]);
    await p.reload();
    await p.disk("short");
    assert.deepEqual(await p.run(act, [["write", 0, 0, "xxxx"]]), ["ENOSPC"]);
    await p.reload();
    await p.disk("broken");
    assert.deepEqual(await p.run(act, [["write", 0, 0, "x"], ["flush", 0]]), [null, "EIO"]);
    await p.close();
    if (browser !== "chromium") return;
    // The browser's own limit. What `estimate()` says of it is a constant here: 10 GiB more than is used.
    p = await page();
    const session = await p.context().newCDPSession(p);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 40e6 });
    await p.disk();
    const got = await p.run(async (w) => {
      const { disk } = w.state;
      for (let n = 0; n < 100; n++) {
        const error = await disk.write(0, n << 20, new Uint8Array(1 << 20).fill(n)).then(() => disk.flush(0)).catch((e) => e.message);
        if (error) return { error, n, first: (await disk.read(0, (n - 1) << 20, 1))[0] };
      }
      return "never";
    });
    assert.equal(got.error, "ENOSPC");
    assert.ok(got.n >= 20 && got.n <= 40 && got.first === got.n - 1, JSON.stringify(got));
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
  },

  async "without sync handles a flush writes all or nothing"({ page }) {
    let p = await page();
    assert.deepEqual(await p.disk("nosync"), { units: 2, notice: null });
    const got = await p.run(act, [
      ["write", 0, 2, "abcdef"], ["write", 0, 4, "XY"], ["read", 0, 0, 10], ["ctl", 0, TRUNCATE, 5], ["write", 0, 7, "z"], ["read", 0, 0, 10],
      ["read", 0, 3, 2], ["flush", 0], ["read", 0, 0, 10], ["write", 0, 0, "lost"], ["write", 1, 0, 17e6],
    ]);
    assert.deepEqual(got, [null, null, "..abXYef..", 0, null, "..abX..z..", "bX", null, "..abX..z..", null, null]);
    // A second tab: there is nobody who could make a copy.
    const two = await page();
    const second = await two.disk("nosync");
    assert.equal(second.units, 0);
    assert.match(second.notice, /^another tab has the files open/);
    await p.reload();
    assert.deepEqual(await p.disk("nosync"), { units: 2, notice: null });
    const after = await p.run(act, [["read", 0, 0, 10], ["read", 1, 17e6 - 2, 4]]);
    assert.deepEqual(after, ["..abX..z..", "xx.."]);
  },

  async "without a place for files there are no disks"({ page }) {
    for (const how of ["noopfs", "nothing"]) {
      const p = await page();
      const { units, notice } = await p.disk(how);
      assert.equal(units, 0);
      assert.match(notice, NOWHERE);
      assert.deepEqual(await p.run(act, [["read", 0, 0, 1], ["flush", 1], ["ctl", 0, FLAGS, 0]]), ["ENXIO", "ENXIO", "ENXIO"]);
    }
  },

  async "without locks the handles keep others out"({ page }) {
    const one = await page(), two = await page();
    assert.deepEqual(await one.disk("nolocks"), { units: 2, notice: null });
    const { units, notice } = await two.disk("nolocks");
    assert.equal(units, 0);
    assert.match(notice, NOWHERE);
  },

  async "the page asks that its files be kept"({ page, browser }) {
    // Firefox asks the user, and here is none.
    if (browser !== "chromium") return;
    const p = await page();
    const agreed = await p.evaluate(async () => {
      const host = await import("/host_web.js");
      await host.default({ module_or_path: "/host_web_bg.wasm" });
      return host.persist();
    });
    assert.equal(typeof agreed, "boolean");
  },
};
