/** Base64 as terminals send it: blanks inside, padding or none. */

const VALUE = new Int8Array(128).fill(-1);
for (const [i, c] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].entries()) {
  VALUE[c.charCodeAt(0)] = i;
}

/**
 * Decodes base64 that comes in pieces; a piece may end anywhere, within a quartet too, or be padded
 * itself. After a character that is none of the alphabet `push` answers null, then and ever after.
 */
export class Base64Decoder {
  #bits = 0;
  #count = 0;
  #padding = 0;
  #bad = false;

  push(text: string): Uint8Array | null {
    const out = new Uint8Array(Math.ceil((text.length * 3) / 4) + 3);
    let n = 0;
    for (let i = 0; i < text.length && !this.#bad; i++) {
      const code = text.charCodeAt(i);
      if (code === 10 || code === 13 || code === 32 || code === 9) continue;
      if (code === 61) {
        n += this.#pad(out, n);
        continue;
      }
      const value = code < 128 ? VALUE[code]! : -1;
      if (value < 0 || this.#padding > 0) {
        this.#bad = true;
        break;
      }
      this.#bits = ((this.#bits << 6) | value) & 0xffffff;
      if (++this.#count === 4) {
        out[n++] = this.#bits >> 16;
        out[n++] = (this.#bits >> 8) & 255;
        out[n++] = this.#bits & 255;
        this.#count = this.#bits = 0;
      }
    }
    return this.#bad ? null : out.subarray(0, n);
  }

  /** The bytes of the last, shortened quartet; null if the text was not base64. */
  end(): Uint8Array | null {
    if (this.#bad || this.#count === 1) return null;
    const out = new Uint8Array(2);
    return out.subarray(0, this.#flush(out, 0));
  }

  /** One `=`. It is the end of a piece when it fills the quartet; answers how many bytes it set free. */
  #pad(out: Uint8Array, at: number): number {
    this.#padding++;
    if (this.#count < 2) this.#bad = true;
    if (this.#bad || this.#count + this.#padding < 4) return 0;
    return this.#flush(out, at);
  }

  #flush(out: Uint8Array, at: number): number {
    const n = this.#count === 2 ? 1 : this.#count === 3 ? 2 : 0;
    const bits = this.#bits << (6 * (4 - this.#count));
    if (n > 0) out[at] = (bits >> 16) & 255;
    if (n > 1) out[at + 1] = (bits >> 8) & 255;
    this.#bits = this.#count = this.#padding = 0;
    return n;
  }
}

export function decodeBase64(text: string): Uint8Array | null {
  const decoder = new Base64Decoder();
  const head = decoder.push(text);
  const tail = decoder.end();
  if (!head || !tail) return null;
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}
