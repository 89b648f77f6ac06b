/**
 * Whether a file that a program hands over may be saved at once.
 *
 * Any output can contain the sequence, a file shown with cat(1) too. So a save needs a sign that
 * the user wants one: a line entered in that terminal a moment ago. And there are not many at once.
 */
export const WANTED_MS = 60_000;
export const BURST = 5;
export const BURST_MS = 10_000;

export class SaveGuard {
  #entered = -Infinity;
  #saves: number[] = [];

  /** The user sent input; what counts is the return key. */
  input(bytes: Uint8Array, now: number): void {
    if (bytes.includes(13)) this.#entered = now;
  }

  /** Asks, and counts what it allowed. */
  allows(now: number): boolean {
    this.#saves = this.#saves.filter((t) => now - t < BURST_MS);
    if (now - this.#entered > WANTED_MS || this.#saves.length >= BURST) return false;
    this.#saves.push(now);
    return true;
  }
}
