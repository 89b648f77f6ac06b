// The worker that has the disks: starts the Rust code, which the page has compiled already.
import init, { disk_ahead, disk_main } from "./host_web.js";

// The page gives this name to a worker that it starts before its own code is there, and tells it what it has asked for as it
// comes: `host`, the module of this code, and `directory`, where the files are. What comes without a value it looks for itself.
const told = {};
const coming = (name) => (told[name] ??= Promise.withResolvers());
const start = async () => {
  const host = await coming("host").promise;
  await init(host && { module_or_path: host });
  disk_ahead(coming("directory").promise);
};
const ready = self.name === "ahead" ? start() : undefined;
ready?.catch(() => {});

addEventListener("message", async ({ data }) => {
  if (data.ahead) return coming(data.ahead).resolve(data.value);
  await (ready ?? init({ module_or_path: data.host }));
  disk_main(data);
});
