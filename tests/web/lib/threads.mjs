/** What every engine's machine of threads is tried with: `threads.mjs`, `webkit.mjs`. Each has a machine of its own. */
import assert from "node:assert/strict";

export const checks = {
  async "runs commands and pipelines"(vk) {
    assert.equal(vk.machine, "threads");
    assert.equal(await vk.ok("seq 1 20000 | sort -rn | head -1"), "20000\n");
    assert.equal(await vk.ok("yes | head -c 3000000 | wc -c"), "3000000\n");
    assert.equal(await vk.ok("cd /tmp && seq 1 50000 >a && cp a b && wc -l <b"), "50000\n");
    assert.equal((await vk.run("exit 7")).status, 7);
  },

  async "reads and writes user memory in all lengths"(vk) {
    // Around the lengths where one way to copy gives way to another.
    const lengths = "1 2 7 8 9 15 16 17 31 33 64 100 1023 1024 1025 4097 70001";
    const script = `cd /tmp; seq 1 20000 >s; for n in ${lengths}; do
      head -c $n s >a; dd if=a of=b bs=$n 2>/dev/null; [ "$(sha256sum <a)" = "$(sha256sum <b)" ] || echo "differs: $n"; done; echo done`;
    assert.equal(await vk.ok(script), "done\n");
  },

  async "stops, continues and kills a program that spins"(vk) {
    const spin = "(while :; do :; done) & sleep 0.2;";
    assert.equal(await vk.ok(`${spin} kill $!; wait $!; echo $?`), "143\n");
    assert.equal(await vk.ok(`${spin} kill -STOP $!; sleep 0.1; kill -CONT $!; sleep 0.1; kill -KILL $!; wait $!; echo $?`), "137\n");
    assert.equal(await vk.ok(`${spin} kill -STOP $!; sleep 0.1; kill -KILL $!; wait $!; echo $?`), "137\n");
  },

  async "hears Ctrl-C at a terminal while a program spins"(vk) {
    await vk.start("sh", ["sh"], { cols: 80, rows: 24 });
    await vk.until("sh", "# ", 20_000);
    await vk.write("sh", "while :; do :; done\r");
    // The line editor is done: the key is for whoever runs.
    await vk.until("sh", "\x1b[?2004l\r\n");
    await new Promise((resolve) => setTimeout(resolve, 500));
    await vk.write("sh", "\x03");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await vk.write("sh", "echo aft''er\r");
    await vk.until("sh", "after", 5000);
    await vk.write("sh", "exit\r");
    assert.notEqual(await vk.exited("sh", 20_000), "timeout");
  },

  async "says EAGAIN for more processes than there is room for, and goes on"(vk) {
    const { output } = await vk.run('for i in $(seq 1 80); do sleep 1000 & p="$p $!"; done 2>&1; kill $p 2>/dev/null; wait; echo waited', { timeout: 60_000 });
    assert.match(output, /Resource temporarily unavailable/);
    assert.match(output, /waited\n$/);
    assert.equal(await vk.ok("echo on"), "on\n");
  },

  async "uses its workers again"(vk) {
    assert.equal(await vk.ok("for i in $(seq 1 200); do /bin/true || echo failed $i; done; echo done"), "done\n");
  },

  async "ends when it is told to"(vk) {
    await vk.start("sleeper", ["sleep", "1000"]);
    await vk.page.evaluate(() => vkt.state.vk.shutdown());
    for (let i = 0; i < 200 && !(await vk.ended()); i++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(await vk.ended());
  },
};

/** Asserts that all of usertests passed but those of `excused`, which may have. */
export async function passed(vk, output, excused) {
  const lines = output.split("\n");
  const failed = lines.flatMap((l) => l.match(/^not ok \d+ - (\S+)/)?.[1] ?? []);
  const said = lines.filter((l) => /^not ok|^#/.test(l));
  assert.deepEqual(failed.filter((name) => !excused.includes(name)), [], said.join("\n") + (await vk.said()));
  assert.match(output, /^ok \d+ - leaks/m, "it has not come to its end");
}
