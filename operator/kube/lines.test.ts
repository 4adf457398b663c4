// Lines out of chunks, wherever the chunks are cut.

import t from "tap";
import { BrokenStream, jsonLines } from "./lines.js";

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size: number, maxBytes = 100): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of jsonLines(chunksOf(text, size), maxBytes)) lines.push(line);
  return lines;
}

t.test("lines come out whole however the bytes are cut, also inside a character", async (t) => {
  for (const size of [1, 2, 3, 7, 1000]) t.same(await read('{"a":"é"}\n\n{"b":2}\n', size), [{ a: "é" }, { b: 2 }]);
});

t.test("a last line without its end is dropped, even when it is valid JSON", async (t) => {
  t.same(await read('{"a":1}\n{"b":2}', 5), [{ a: 1 }]);
  t.same(await read('{"a":1}\n{"b', 5), [{ a: 1 }]);
});

t.test("a line that is not JSON breaks the stream without being quoted", async (t) => {
  await t.rejects(read('{"a":1}\nhunter2\n', 5), BrokenStream);
  const error = await read("hunter2\n", 5).catch((caught: Error) => caught);
  t.notMatch(String(error), /hunter2/);
});

t.test("a line that never ends is not collected for ever", async (t) => {
  await t.rejects(read("x".repeat(500), 50), BrokenStream);
});
