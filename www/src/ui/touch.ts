/**
 * Fingers on a terminal. xterm.js knows the mouse and the wheel only; here a drag scrolls, and a
 * long press selects the word under the finger, more if it moves, and offers what to do with it.
 */
import type { Terminal } from "@xterm/xterm";

const PRESS_MS = 450;
const SLOP = 8;

interface Cell {
  col: number;
  /** In the buffer, scrollback included. */
  row: number;
}

export interface TouchHost {
  /** A program on the alternate screen gets arrow keys for a drag, as it does for the wheel. */
  send(text: string): void;
  menu(x: number, y: number): void;
}

export class Touch {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #from: { x: number; y: number } | undefined;
  #lastY = 0;
  #rest = 0;
  #mode: "none" | "scroll" | "select" = "none";
  #anchor: [Cell, Cell] | undefined;

  constructor(
    private readonly xterm: Terminal,
    private readonly element: HTMLElement,
    private readonly host: TouchHost,
  ) {
    element.addEventListener("touchstart", (e) => this.#start(e), { passive: true });
    element.addEventListener("touchmove", (e) => this.#move(e), { passive: false });
    element.addEventListener("touchend", (e) => this.#end(e), { passive: false });
    element.addEventListener("touchcancel", () => this.#reset());
    element.addEventListener("contextmenu", (e) => this.#mode !== "none" && e.preventDefault());
  }

  #start(e: TouchEvent): void {
    this.#reset();
    const t = e.touches[0];
    if (!t || e.touches.length > 1) return;
    this.#from = { x: t.clientX, y: t.clientY };
    this.#lastY = t.clientY;
    this.#timer = setTimeout(() => this.#press(), PRESS_MS);
  }

  #press(): void {
    const cell = this.#from && this.#cell(this.#from.x, this.#from.y);
    if (!cell) return;
    this.#mode = "select";
    this.#anchor = this.#word(cell);
    this.#select(cell);
  }

  #move(e: TouchEvent): void {
    const t = e.touches[0];
    if (!t || !this.#from) return;
    const far = Math.hypot(t.clientX - this.#from.x, t.clientY - this.#from.y) > SLOP;
    if (this.#mode === "none" && far) {
      clearTimeout(this.#timer);
      this.#mode = "scroll";
    }
    if (this.#mode === "none") return;
    e.preventDefault(); // nor does the page scroll, or pull to refresh
    if (this.#mode === "scroll") this.#scroll(t.clientY);
    else {
      const cell = this.#cell(t.clientX, t.clientY);
      if (cell) this.#select(cell);
    }
  }

  #end(e: TouchEvent): void {
    if (this.#mode === "select" && this.#from) {
      const t = e.changedTouches[0];
      this.host.menu(t?.clientX ?? this.#from.x, t?.clientY ?? this.#from.y);
    }
    if (this.#mode !== "none" && e.cancelable) e.preventDefault(); // no click follows
    this.#reset();
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#mode = "none";
    this.#from = this.#anchor = undefined;
    this.#rest = 0;
  }

  #scroll(y: number): void {
    const height = this.element.clientHeight / this.xterm.rows;
    this.#rest += (this.#lastY - y) / height;
    this.#lastY = y;
    const lines = Math.trunc(this.#rest);
    if (lines === 0) return;
    this.#rest -= lines;
    if (this.xterm.buffer.active.type === "normal") this.xterm.scrollLines(lines);
    else {
      const lead = this.xterm.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[";
      this.host.send((lead + (lines > 0 ? "B" : "A")).repeat(Math.abs(lines)));
    }
  }

  #cell(x: number, y: number): Cell | undefined {
    const box = this.xterm.element?.querySelector(".xterm-screen")?.getBoundingClientRect();
    if (!box || box.width === 0) return undefined;
    const clamp = (n: number, max: number): number => Math.max(0, Math.min(max, n));
    const col = clamp(Math.floor(((x - box.left) / box.width) * this.xterm.cols), this.xterm.cols - 1);
    const row = clamp(Math.floor(((y - box.top) / box.height) * this.xterm.rows), this.xterm.rows - 1);
    return { col, row: row + this.xterm.buffer.active.viewportY };
  }

  #word(at: Cell): [Cell, Cell] {
    const line = this.xterm.buffer.active.getLine(at.row);
    const solid = (col: number): boolean => /[^\s'"()[\]{}<>|;,]/.test(line?.getCell(col)?.getChars() || " ");
    let [a, b] = [at.col, at.col];
    if (solid(at.col)) {
      while (a > 0 && solid(a - 1)) a--;
      while (b < this.xterm.cols - 1 && solid(b + 1)) b++;
    }
    return [{ col: a, row: at.row }, { col: b, row: at.row }];
  }

  #select(to: Cell): void {
    if (!this.#anchor) return;
    const place = (c: Cell): number => c.row * this.xterm.cols + c.col;
    const start = Math.min(place(this.#anchor[0]), place(to));
    const end = Math.max(place(this.#anchor[1]), place(to));
    this.xterm.select(start % this.xterm.cols, Math.floor(start / this.xterm.cols), end - start + 1);
  }
}
