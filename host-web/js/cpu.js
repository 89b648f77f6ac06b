// A CPU's worker: starts the Rust code, without waiting to be told what for.
import init, { cpu_ahead, cpu_main } from "./host_web.js";

// The page gives this name to the worker that it starts before its own code is there. As it comes, it tells it what it has asked
// for, each as { ahead: name, value }: `host`, the module of this code; `kernel`, the kernel's; `manifest`, the server's list
// of files; `kept`, what the browser's cache has of the last boot. What comes without a value is asked for again.
const ahead = self.name === "ahead";
const told = {};
const coming = (name) => (told[name] ??= Promise.withResolvers());
const asked = (...names) => Object.fromEntries(names.map((name) => [name, coming(name).promise]));

const base = new URL(".", import.meta.url).href;
const ready = ahead ? coming("host").promise.then((host) => init(host && { module_or_path: host })) : init();
if (ahead) ready.then(() => cpu_ahead(base, asked("kernel", "manifest", "kept"))).catch(() => {});
// Told below, to whoever listens by then.
ready.catch(() => {});

let begun = false;
addEventListener("message", async ({ data }) => {
  if (data.ahead) return coming(data.ahead).resolve(data.value);
  // What comes after the first message is not for us.
  if (begun) return;
  begun = true;
  try {
    await ready;
    cpu_main(data);
  } catch (e) {
    // To whoever made this worker: engines keep it to themselves otherwise.
    reportError(e);
  }
});
