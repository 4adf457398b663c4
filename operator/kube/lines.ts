// Cuts a stream of bytes into lines of JSON, as a watch sends them.
// Does not know what the lines mean; a last line without its end is dropped, since a cut connection leaves one.

const NEWLINE = 0x0a;

/** Thrown for a line longer than the limit, or one that is not JSON: the stream cannot be trusted any further. */
export class BrokenStream extends Error {
  override readonly name = "BrokenStream";
}

/**
 * Yields the parsed lines of `chunks`. Empty lines are skipped, and so is whatever follows the last newline.
 * Throws BrokenStream for a line that is not JSON or is longer than `maxBytes`.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<unknown> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString("utf8");
      parts = [];
      held = 0;
      start = end + 1;
      if (line.trim() !== "") yield parseLine(line);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > maxBytes) throw new BrokenStream("line too long");
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BrokenStream("not JSON"); // the parser's message quotes the line
  }
}
