/**
 * Terminals and streams as `init` serves them: sessions, keys, job control, hangups.
 *
 *     node --test-reporter=spec terminals.mjs [chromium|firefox] [isolated|plain]
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine, suite, until } from "./lib/suite.mjs";

suite();

/** A line that was edited has ended, and the keys are its command's: the shell marks pastes only while it edits. */
const DONE = "\x1b[?2004l\r\n";
const PROMPT = "\x1b[?2004h/home/user # ";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("a shell with a prompt, echo, editing and Ctrl-C", async (t) => {
  const vk = await machine(t);
  await vk.start("a", undefined, { cols: 80, rows: 24 });
  await vk.until("a", "# ");
  await vk.write("a", "ech\x7f\x7f\x7fecho li\x15echo one two\x17three\r");
  await vk.until("a", "\r\none three\r\n");
  // At the prompt: a new one at once.
  await vk.write("a", "garbage\x03");
  await vk.until("a", `garbage^C${DONE}${PROMPT}`);
  await vk.write("a", "sleep 1000\r");
  await vk.until("a", `sleep 1000${DONE}`);
  await pause(300);
  await vk.write("a", "\x03");
  await vk.until("a", `^C\r\n${PROMPT}`);
  await vk.write("a", "tty; stty size; echo $((6*7))\r");
  await vk.until("a", "/dev/tty");
  await vk.until("a", "24 80\r\n42\r\n");
  await vk.write("a", "while :; do :; done\r");
  await vk.until("a", `while :; do :; done${DONE}`);
  await pause(300);
  await vk.write("a", "\x03");
  await vk.write("a", "echo alive\r");
  // The echo of what was typed ahead may come before the prompt.
  await vk.until("a", `alive\r\n${PROMPT}`);
  await vk.write("a", "exit 3\r");
  assert.equal(await vk.exited("a"), 3);
});

test("job control: stop, background, foreground", async (t) => {
  const vk = await machine(t);
  await vk.start("a", undefined);
  await vk.until("a", "# ");
  await vk.write("a", "cat\r");
  // What is typed while the shell still edits is cat's, too, but nobody echoes it.
  await vk.until("a", `cat${DONE}`);
  await vk.write("a", "hello\r");
  await vk.until("a", "hello\r\nhello\r\n");
  await vk.write("a", "\x1a");
  await vk.until("a", "Stopped");
  await vk.write("a", "echo shell\r");
  await vk.until("a", "\r\nshell\r\n");
  await vk.write("a", "fg\r");
  await vk.until("a", `fg${DONE}`);
  await vk.write("a", "again\r");
  await vk.until("a", "again\r\nagain\r\n");
  await vk.write("a", "\x04");
  await vk.write("a", "echo back\r");
  await vk.until("a", "\r\nback\r\n");
});

test("several terminals at once, each its own session", async (t) => {
  const vk = await machine(t);
  for (const n of ["a", "b", "c"]) await vk.start(n, undefined);
  for (const n of ["a", "b", "c"]) await vk.until(n, "# ");
  for (const n of ["a", "b", "c"]) await vk.write(n, `sleep 1000; echo ${n}-is-$?\r`);
  await until("three who sleep", async () => (await vk.ok("ps")).match(/sleep 1000$/gm)?.length === 3);
  await vk.write("b", "\x03");
  await vk.until("b", "^C\r\n");
  assert.ok(!(await vk.text("a")).includes("a-is-1"));
  await vk.write("b", "tty\r");
  await vk.until("b", "/dev/tty");
  assert.equal((await vk.ok("ps")).match(/sleep 1000$/gm)?.length, 2);
});

test("what cannot be run says so", async (t) => {
  const vk = await machine(t);
  const missing = await vk.run(["no-such-program"], { tty: true });
  assert.equal(missing.status, 127);
  assert.match(missing.output, /init: cannot run no-such-program: .*\r\n/);
  const denied = await vk.run(["/etc/passwd"]);
  assert.equal(denied.status, 126);
});

test("a page that hangs up takes the session with it", async (t) => {
  const vk = await machine(t);
  await vk.start("a", undefined);
  await vk.until("a", "# ");
  await vk.write("a", "sleep 12345\r");
  await vk.until("a", `12345${DONE}`);
  await vk.page.evaluate(() => vkt.tasks.get("a").task.close());
  await until("it is gone", async () => !/12345/.test(await vk.ok("ps")));
  // At once, before anything could start.
  await vk.page.evaluate(() => {
    for (let i = 0; i < 10; i++) vkt.state.vk.spawn({ argv: ["sh"], tty: i % 2 === 0, onoutput() {} }).close();
  });
  await pause(1000);
  assert.equal(await vk.ok("echo fine"), "fine\n");
});

test("many at once come and go", { timeout: 120_000 }, async (t) => {
  const vk = await machine(t);
  const results = await vk.page.evaluate(() =>
    Promise.all(Array.from({ length: 30 }, (_, i) => vkt.run(["sh", "-c", `echo ${i}; exit ${i}`], { tty: i % 2 === 0 }))),
  );
  assert.deepEqual(results.map((r) => r.status), Array.from({ length: 30 }, (_, i) => i));
  results.forEach((r, i) => assert.equal(r.output.trim(), String(i)));
});

test("all that was written is shown before the end", async (t) => {
  const vk = await machine(t);
  const { status, output } = await vk.run(["sh", "-c", "seq 1 20000"], { tty: true });
  assert.equal(status, 0);
  assert.equal(output, Array.from({ length: 20000 }, (_, i) => `${i + 1}\r\n`).join(""));
});

test("download hands a file over, stty sets, reads are raw", async (t) => {
  const vk = await machine(t);
  const { output } = await vk.run(["sh", "-c", "echo hello >/tmp/f.txt; download /tmp/f.txt"], { tty: true });
  assert.ok(output.includes("\x1b]1337;File=name=Zi50eHQ=;size=6;inline=0:aGVsbG8K\x07"), JSON.stringify(output));
  await vk.start("a", ["sh", "-c", "stty -icanon -echo min 3; echo ready; dd bs=10 count=1 2>/dev/null; echo; stty sane; stty"]);
  await vk.until("a", "ready");
  await vk.write("a", "a\x7fb");
  await vk.until("a", "a\x7fb\r\nrows 24; columns 80;\r\n");
  assert.equal(await vk.exited("a"), 0);
});

test("typing ahead and long input arrive whole", async (t) => {
  const vk = await machine(t);
  await vk.start("a", ["sh", "-c", "stty -echo; echo go; sleep 1; head -n 3000 | sha256sum"], {});
  await vk.until("a", "go");
  const text = Array.from({ length: 3000 }, (_, i) => `line ${i} of what was pasted\n`).join("");
  await vk.write("a", text);
  const { createHash } = await import("node:crypto");
  await vk.until("a", createHash("sha256").update(text).digest("hex"));
});
