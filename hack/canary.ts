// Looks for values that must be nowhere: whole or in part, and in whatever way a program may have written them.
// Where to look is the test's business.

/** How many bytes in a row are a sighting: fewer could stand there by chance, more would miss a cut value. */
const FRAGMENT_BYTES = 12;

const hex = (bytes: Buffer): string => bytes.toString("hex");
const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
const asLatin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** The bytes inside a longer base64 text, by how many bytes stand before them in their group of three. */
function base64At(shift: number): (bytes: Buffer) => string {
  return (bytes) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    const first = Math.ceil((shift * 8) / 6);
    return text.slice(first, Math.floor(((shift + bytes.length) * 8) / 6));
  };
}
const urlSafe = (text: string): string => text.replaceAll("+", "-").replaceAll("/", "_");
const base64: readonly ((bytes: Buffer) => string)[] = [0, 1, 2].map(base64At);

/** What a run of bytes looks like, by the way it was written; undefined where it cannot be written so. */
const FORMS: Readonly<Record<string, (bytes: Buffer) => readonly (string | undefined)[]>> = {
  "as it is": (bytes) => [bytes.toString("latin1")],
  "in base64": (bytes) => base64.flatMap((form) => [form(bytes), urlSafe(form(bytes))]),
  "in base64 of base64": (bytes) => base64.flatMap((form) => base64.map((again) => again(Buffer.from(form(bytes))))),
  "in hex": (bytes) => [hex(bytes), hex(bytes).toUpperCase()],
  "as a buffer is printed": (bytes) => [hex(bytes).match(/../g)?.join(" ")],
  "as a list of numbers": (bytes) => [[...bytes].join(","), [...bytes].join(", "), [...bytes].join(" ")],
  "escaped in JSON": (bytes) => {
    const text = bytes.toString("utf8");
    // a run that begins or ends within a character is no text
    if (!Buffer.from(text, "utf8").equals(bytes)) return [];
    const ascii = escaped(text).replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
    return [escaped(text), escaped(escaped(text)), ascii].map(asLatin1);
  },
  "escaped in a URL": (bytes) => {
    const text = bytes.toString("utf8");
    return Buffer.from(text, "utf8").equals(bytes) ? [encodeURIComponent(text)] : [];
  },
};

/**
 * Says which of the canaries are seen where, and how: nothing when there are none. Runs of 12 bytes count, so a value
 * that was cut is seen too. Throws TypeError for a canary that is too short to be told from chance.
 */
export function sightings(
  canaries: Readonly<Record<string, Uint8Array>>,
  places: Readonly<Record<string, string | Uint8Array>>,
): readonly string[] {
  const texts = Object.entries(places).map(
    ([place, content]) => [place, Buffer.from(content).toString("latin1")] as const,
  );
  const seen = new Set<string>();
  for (const [name, canary] of Object.entries(canaries)) {
    if (canary.length < FRAGMENT_BYTES) throw new TypeError(`${name}: a canary has at least ${FRAGMENT_BYTES} bytes`);
    for (let at = 0; at + FRAGMENT_BYTES <= canary.length; at += 1) {
      const run = Buffer.from(canary.subarray(at, at + FRAGMENT_BYTES));
      for (const [how, forms] of Object.entries(FORMS)) {
        const needles = forms(run).filter((needle) => needle !== undefined);
        for (const [place, text] of texts) {
          if (needles.some((needle) => text.includes(needle))) seen.add(`${name} ${how} in ${place}`);
        }
      }
    }
  }
  return [...seen];
}
