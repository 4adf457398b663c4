// PAE: an unambiguous encoding of a list of parts, for contexts and digests (docs/format.md, "Encodings").
// Statements use DSSE's encoding instead (dsse.ts).
import { utf8 } from "./primitives.js";

/**
 * label, 0x0A, LE64(n), then LE64(length) and bytes of each part; integers are written in decimal ASCII. Throws
 * TypeError for other numbers and for lone surrogates, since two of those would have the same bytes.
 */
export function pae(label: string, ...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  const head = utf8(`${label}\n`);
  const bodies = parts.map((part) => (part instanceof Uint8Array ? part : utf8(textOf(part))));
  const size = head.length + 8 + bodies.reduce((sum, body) => sum + 8 + body.length, 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  out.set(head);
  let at = head.length;
  const writeLength = (length: number): void => {
    view.setUint32(at, length, true);
    at += 8;
  };
  writeLength(bodies.length);
  for (const body of bodies) {
    writeLength(body.length);
    out.set(body, at);
    at += body.length;
  }
  return out;
}

function textOf(part: string | number): string {
  if (typeof part === "number" ? !Number.isSafeInteger(part) : !part.isWellFormed()) {
    throw new TypeError("a part of a PAE is an integer, well-formed text or bytes");
  }
  return String(part);
}
