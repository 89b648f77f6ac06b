/**
 * Flow control of one terminal: tells the machine how much of its output was shown.
 *
 * Every acknowledgement is a message to a worker, so small ones are put together; but whatever is
 * owed is paid as soon as nothing is left to show, or a writer would wait for ever.
 */
export class Flow {
  /** Received and not yet shown. */
  #pending = 0;
  /** Shown and not yet acknowledged. */
  #owed = 0;

  constructor(
    private readonly ack: (n: number) => void,
    private readonly step = 16 * 1024,
  ) {}

  received(n: number): void {
    this.#pending += n;
  }

  shown(n: number): void {
    this.#pending -= n;
    this.#owed += n;
    if (this.#owed > 0 && (this.#pending === 0 || this.#owed >= this.step)) {
      const owed = this.#owed;
      this.#owed = 0;
      this.ack(owed);
    }
  }

  get pending(): number {
    return this.#pending;
  }
}
