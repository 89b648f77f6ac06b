/** The status line, its bar, and the card that stands in the terminal's place while booting. */
import { Board, type Step } from "../lib/progress.js";
import { byId } from "./dom.js";

const FRESH_MS = 4000;

export class Status {
  readonly #board = new Board();
  readonly #text = byId("status");
  readonly #bar = byId<HTMLProgressElement>("bar");
  readonly #boot = byId("boot");
  readonly #bootText = byId("boot-text");
  readonly #bootBar = byId<HTMLProgressElement>("boot-bar");
  readonly #bootError = byId("boot-error");
  readonly #retry = byId<HTMLButtonElement>("boot-retry");
  #booting = true;
  #said = { text: "", until: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    // A boot that is quick shows no card at all.
    setTimeout(() => this.#booting && (this.#boot.hidden = false), 200);
    this.#bootText.textContent = "Loading the page's parts…";
    this.#bootBar.removeAttribute("value");
  }

  step(s: Step): void {
    this.#board.step(s, performance.now());
    this.#later(s.total > 0 && s.done >= s.total ? 0 : 130);
  }

  end(what: string, title: string): void {
    this.#board.end(what, title);
    this.#later(0);
  }

  /** Says something for a moment; work that goes on takes the line again afterwards. */
  say(text: string, ms = FRESH_MS): void {
    this.#said = { text, until: performance.now() + ms };
    this.#draw();
    this.#later(ms + 10);
  }

  booted(): void {
    this.#booting = false;
    this.#boot.hidden = true;
    this.#board.clear();
    this.#draw();
  }

  /** Booting failed. Resolves when it is to be tried again. */
  async failed(error: string, waitMs: number | undefined): Promise<void> {
    this.#boot.hidden = false;
    this.#boot.classList.add("failed");
    this.#bootError.textContent = error;
    this.#retry.hidden = false;
    await new Promise<void>((resolve) => {
      let left = waitMs === undefined ? Infinity : Math.ceil(waitMs / 1000);
      const go = (): void => {
        clearInterval(timer);
        this.#retry.removeEventListener("click", go);
        removeEventListener("online", go);
        resolve();
      };
      const tick = (): void => {
        this.#bootText.textContent = left === Infinity ? "" : `Trying again in ${left} s`;
        if (left-- <= 0) go();
      };
      const timer = setInterval(tick, 1000);
      tick();
      this.#retry.addEventListener("click", go);
      if (waitMs !== undefined) addEventListener("online", go);
    });
    this.#boot.classList.remove("failed");
    this.#bootError.textContent = "";
    this.#retry.hidden = true;
    this.#bootText.textContent = "Trying again…";
    this.#board.clear();
  }

  #later(ms: number): void {
    if (this.#timer !== undefined && ms > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
      if (this.#board.size > 0) this.#later(130);
    }, ms);
  }

  #draw(): void {
    const now = performance.now();
    const line = this.#board.line(now, this.#booting ? 0 : undefined);
    if (this.#booting) {
      if (line) {
        put(this.#bootText, line.text);
        setBar(this.#bootBar, line.part);
      }
      return;
    }
    put(this.#text, line?.text ?? (now < this.#said.until ? this.#said.text : ""));
    this.#bar.hidden = !line;
    if (line) setBar(this.#bar, line.part);
  }
}

function put(e: HTMLElement, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

function setBar(bar: HTMLProgressElement, part: number | undefined): void {
  if (part === undefined) bar.removeAttribute("value");
  else bar.value = part;
}
