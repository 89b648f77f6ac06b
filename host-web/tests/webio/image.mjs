// Makes a deployed image as xtask does: packs, index, manifest.json.
import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const string = (s) => Buffer.concat([u32(Buffer.byteLength(s)), Buffer.from(s)]);

/** A wasm module of about `size` bytes: one function exported as `f`, and a data-like custom section. */
export function wasm(size) {
  const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11];
  const payload = Buffer.concat([Buffer.from([1, 120]), randomBytes(size)]);
  const leb = [];
  for (let n = payload.length; ; n >>>= 7) { leb.push(n < 128 ? n : (n & 127) | 128); if (n < 128) break; }
  return Buffer.concat([Buffer.from(head), Buffer.from([0, ...leb]), payload]);
}

/**
 * `packs`: [{ title, boot, blobs: [{ path, bytes, prepared?: bytes, sha256?: wrong hash }] }].
 * Answers { files: Map(name -> bytes), blobs: [{ path, bytes, number, prepared }], manifest }.
 */
export function image(packs) {
  const files = new Map(), blobs = [], records = [], listed = [];
  for (const [p, pack] of packs.entries()) {
    const parts = [];
    let at = 0;
    const add = (bytes, sha, prepared) => {
      records.push(Buffer.concat([u32(p + 1), u32(at), u32(bytes.length), u32(prepared), sha ?? sha256(bytes)]));
      parts.push(bytes);
      at += bytes.length;
      return records.length + 1;
    };
    for (const blob of pack.blobs) {
      const prepared = blob.prepared ? add(blob.prepared, blob.sha256, 0) : 0;
      const number = add(blob.bytes, blob.prepared ? undefined : blob.sha256, prepared);
      blobs.push({ ...blob, number, preparedNumber: prepared });
    }
    listed.push(file(pack.title, Buffer.concat(parts)));
  }
  const entries = blobs.map((b) => Buffer.concat([
    u32(0o100644), u32(0), u32(0), Buffer.alloc(8), u32(b.bytes.length), u32(0), u32(b.number), string(b.path), string(""),
  ]));
  const index = Buffer.concat(entries);
  listed.unshift(file("index", Buffer.concat([u32(index.length), index, ...records])));
  const manifest = {
    version: 1, index: listed[0].name, packs: listed,
    boot: listed.slice(1).filter((_, i) => packs[i].boot).map((p) => p.name),
  };
  files.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  return { files, blobs, index, manifest, pack: (title) => listed.find((p) => p.title === title) };

  function file(title, raw) {
    const bytes = gzipSync(raw);
    const name = sha256(bytes).toString("hex").slice(0, 32);
    files.set("packs/" + name, bytes);
    return { name, title, bytes: bytes.length, raw: raw.length };
  }
}
