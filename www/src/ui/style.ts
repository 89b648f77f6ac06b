/**
 * <vk-style>: what a <style> element is, but lawful under `style-src 'self'`.
 *
 * xterm.js writes its colours and metrics as the text of a style element; the build puts this
 * element in its place (vite.config.ts). The text becomes a constructed style sheet, adopted by
 * the document as long as the element is in it.
 */
class StyleElement extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();

  override get textContent(): string {
    return "";
  }

  override set textContent(css: string) {
    this.#sheet.replaceSync(css);
  }

  connectedCallback(): void {
    const adopted = document.adoptedStyleSheets;
    if (!adopted.includes(this.#sheet)) adopted.push(this.#sheet);
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== this.#sheet);
  }
}

export function defineStyleElement(): void {
  if (!customElements.get("vk-style")) customElements.define("vk-style", StyleElement);
}
