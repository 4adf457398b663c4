// Padding: lengths are told only as a bucket. ISO/IEC 7816-4 bytes, to powers of two and then to Padmé lengths
// (Nikitin et al., PURBs, 2019).

const SMALLEST = 64;
const LARGEST_POWER = 4096;

/** The padded length of a value of `length` bytes; at least one byte of padding is always there. */
export function paddedLength(length: number): number {
  const needed = length + 1;
  for (let size = SMALLEST; size <= LARGEST_POWER; size *= 2) if (needed <= size) return size;
  return padme(needed);
}

/** Padmé: round up so that only about log2(log2(length)) bits below the top ones stay. */
function padme(length: number): number {
  const exponent = Math.floor(Math.log2(length));
  const kept = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - kept);
  return Math.ceil(length / step) * step;
}

/** The value, 0x80, and zeros up to the padded length. */
export function pad(value: Uint8Array): Uint8Array {
  const padded = new Uint8Array(paddedLength(value.length));
  padded.set(value);
  padded[value.length] = 0x80;
  return padded;
}

/** Takes the padding off; null when it is not exactly what `pad` writes. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end -= 1;
  if (end < 0 || padded[end] !== 0x80 || paddedLength(end) !== padded.length) return null;
  return padded.slice(0, end);
}
