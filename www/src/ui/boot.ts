/** Boots the machine, as often as it takes. */
import type { Params } from "../lib/params.js";
import { backoffMs, errorText, isNetworkError } from "../lib/retry.js";
import { loadHost, machineBase, takeAhead, type BootOptions, type HostModule, type Machine } from "../vk.js";
import type { Status } from "./status.js";

/**
 * Answers the machine. A lost network is waited for, with growing pauses; any other failure waits
 * for the user, who sees what it was.
 */
export async function bootMachine(
  first: Promise<HostModule>,
  params: Params,
  status: Status,
  events: Pick<BootOptions, "onconsole" | "onended" | "onnotice" | "session">,
): Promise<Machine> {
  let loading = first;
  for (let attempt = 0; ; attempt++) {
    try {
      const host = await loading;
      return await host.boot({
        base: machineBase(),
        ...takeAhead(),
        persist: params.persist,
        ...(params.cpus ? { cpus: params.cpus } : {}),
        ...events,
        onprogress: (p) => status.step(p),
      });
    } catch (e) {
      console.error(e);
      const network = isNetworkError(e) || !navigator.onLine;
      const text = network
        ? `The network does not answer (${errorText(e)}).`
        : `The machine could not be started: ${errorText(e)}`;
      await status.failed(text, network ? backoffMs(attempt) : undefined);
      // Loaded anew only if that is what failed.
      loading = loading.catch(() => loadHost(attempt + 1));
    }
  }
}
