/**
 * The service worker: the page without a network, and the news that there is a newer one.
 *
 * Everything works without it; a browser that refuses it (a frame, plain http, private browsing)
 * loses just that. Registered after the first prompt, so its downloads are in nobody's way.
 */
import type { Notices } from "./notices.js";

export async function goOffline(notices: Notices): Promise<void> {
  const sw = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!sw) return;
  let registration: ServiceWorkerRegistration;
  try {
    registration = await sw.register(new URL("./sw.js", document.baseURI), { scope: "./", updateViaCache: "none" });
  } catch {
    return;
  }
  const offer = (): void => {
    notices.show({
      key: "update",
      text: "A new version of this page is ready.",
      actions: [
        {
          label: "Reload",
          run: () => {
            sw.addEventListener("controllerchange", () => location.reload(), { once: true });
            if (registration.waiting) registration.waiting.postMessage("take over");
            else location.reload();
          },
        },
      ],
    });
  };
  if (registration.waiting && sw.controller) offer();
  registration.addEventListener("updatefound", () => {
    const fresh = registration.installing;
    fresh?.addEventListener("statechange", () => fresh.state === "installed" && sw.controller && offer());
  });
}
