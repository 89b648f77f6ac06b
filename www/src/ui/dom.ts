/** Making elements. Text goes in as text, never as markup. */

type Attrs = Record<string, string | boolean>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attrs: Attrs = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (value === true) e.setAttribute(name, "");
    else if (value !== false) e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}

export function button(label: string, onclick: () => void, attrs: Attrs = {}): HTMLButtonElement {
  const b = el("button", { type: "button", ...attrs }, label);
  b.addEventListener("click", onclick);
  return b;
}

/** An element the page is known to have. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error(`no element #${id}`);
  return e as T;
}

/** Storage that may be refused (cookies blocked, sandboxed frame). */
export const memory = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`vkernel.${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string): void {
    try {
      localStorage.setItem(`vkernel.${key}`, value);
    } catch {
      // Then it is forgotten at the end of the visit.
    }
  },
};

export const framed = ((): boolean => {
  try {
    return window.self !== window.top;
  } catch {
    return true;
  }
})();
