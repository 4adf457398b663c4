// Padding and boxes: what a length tells, and that only what was boxed comes out.
import fc from "fast-check";
import t from "tap";
import nacl from "tweetnacl";
import { encodeHex } from "./encoding.js";
import { concat } from "./labeled.js";
import { pad, paddedLength, unpad } from "./padding.js";
import { randomBytes } from "./primitives.js";
import { openBox, sealBox } from "./secretbox.js";

const LENGTHS: readonly (readonly [value: number, padded: number])[] = [
  [0, 64],
  [63, 64],
  [64, 128],
  [127, 128],
  [128, 256],
  [2047, 2048],
  [4095, 4096],
  // Padmé of 4,097: exponent 12, four bits kept, so steps of 256
  [4096, 4352],
  [4351, 4352],
  [4352, 4608],
  [8191, 8192],
  [8192, 8704],
  // exponent 15, four bits kept
  [40_000, 40_960],
  // exponent 16, five bits kept: the longest value
  [65_536, 67_584],
];
for (const [value, padded] of LENGTHS) {
  t.test(`${value} bytes take ${padded}`, async (t) => {
    t.equal(paddedLength(value), padded);
    t.equal(pad(new Uint8Array(value)).length, padded);
  });
}

t.test("lengths never shrink, grow by at most an eighth from 4 KiB on, and fall into few buckets", async (t) => {
  const buckets = new Set<number>();
  for (let length = 0, before = 0; length <= 65_536; length += 1) {
    const padded = paddedLength(length);
    if (padded <= length || padded < before) t.fail(`${length} bytes take ${padded}`);
    if (length >= 4096 && padded > length * 1.125) t.fail(`${length} bytes take ${padded}: too much`);
    if (paddedLength(padded - 1) !== padded) t.fail(`the bucket of ${length} bytes is not full at ${padded - 1}`);
    buckets.add(padded);
    before = padded;
  }
  t.ok(buckets.size <= 80, `${buckets.size} buckets for 65,537 lengths`);
});

t.test("a padded value comes back, whatever it ends with", async () => {
  const tails = fc.constantFrom([], [0], [0, 0, 0], [0x80], [0x80, 0], [0, 0x80]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), tails, (head, tail) => {
      const value = concat(head, Uint8Array.from(tail));
      const back = unpad(pad(value));
      return back !== null && encodeHex(back) === encodeHex(value);
    }),
  );
});

const BAD_PADDING: Readonly<Record<string, Uint8Array>> = {
  nothing: new Uint8Array(0),
  "zeros alone": new Uint8Array(64),
  "another mark": Uint8Array.from({ length: 64 }, (_, at) => (at === 3 ? 0x81 : 0)),
  "a length that no value has": Uint8Array.from({ length: 65 }, (_, at) => (at === 3 ? 0x80 : 0)),
  "a bucket too large for the value": Uint8Array.from({ length: 128 }, (_, at) => (at === 3 ? 0x80 : 0)),
  "a bucket too small": Uint8Array.of(1, 2, 0x80),
};
for (const [title, padded] of Object.entries(BAD_PADDING)) {
  t.test(`padding is refused: ${title}`, async (t) => t.equal(unpad(padded), null));
}

t.test("a box opens with its key, and tweetnacl finds nonce, box and padding in it", async (t) => {
  const [key, value] = [randomBytes(32), randomBytes(100)];
  const bytes = sealBox(key, value);
  t.equal(bytes.length, 24 + 16 + 128);
  t.strictSame(openBox(key, bytes), value);
  t.strictSame(nacl.secretbox.open(bytes.subarray(24), bytes.subarray(0, 24), key), pad(value));
  t.notSame(sealBox(key, value), bytes, "a new nonce each time");
});

t.test("a box is refused without a word on why", async (t) => {
  const [key, value] = [randomBytes(32), randomBytes(10)];
  const bytes = sealBox(key, value);
  const nonce = randomBytes(24);
  t.equal(openBox(randomBytes(32), bytes), null, "another key");
  t.equal(openBox(key.subarray(1), bytes), null, "a key of 31 bytes");
  t.equal(openBox(key, bytes.subarray(0, 39)), null, "shorter than nonce and tag");
  t.equal(openBox(key, new Uint8Array(0)), null, "nothing");
  t.equal(openBox(key, concat(bytes, Uint8Array.of(0))), null, "a byte more");
  t.equal(openBox(key, concat(nonce, nacl.secretbox(new Uint8Array(64), nonce, key))), null, "whole, but badly padded");
});
