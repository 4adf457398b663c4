import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import t from "tap";
import { sightings } from "./canary.js";

const TEXT = Buffer.from(`"quoted" \\ and\nbroken, ünïcode ${randomBytes(8).toString("hex")}`);
const BINARY = randomBytes(48);

/** What a careless program might write of a value, by how it is seen. */
const WRITTEN: Record<string, (value: Buffer) => string | Uint8Array> = {
  "as it is": (value) => Buffer.concat([Buffer.from("error: "), value, Buffer.from("!")]),
  "in base64": (value) => JSON.stringify({ data: value.toString("base64") }),
  "in base64 of base64": (value) => Buffer.from(value.toString("base64")).toString("base64"),
  "in hex": (value) => `key=${value.toString("hex")}`,
  "as a buffer is printed": (value) => inspect(value),
  "as a list of numbers": (value) => JSON.stringify(value),
};
for (const [how, write] of Object.entries(WRITTEN)) {
  for (const [name, value] of Object.entries({ TEXT, BINARY })) {
    t.test(`a value is seen ${how} (${name})`, async (t) => {
      t.ok(sightings({ [name]: value }, { log: write(value) }).includes(`${name} ${how} in log`), "whole");
      const part = value.subarray(7, 7 + 20);
      t.ok(sightings({ [name]: value }, { log: write(part) }).includes(`${name} ${how} in log`), "cut");
    });
  }
}

t.test("a text is seen escaped in JSON, also twice, and in a URL", async (t) => {
  const text = TEXT.toString();
  const seen = (written: string) => sightings({ TEXT }, { log: written });
  t.ok(seen(JSON.stringify({ message: text })).includes("TEXT escaped in JSON in log"));
  t.ok(seen(JSON.stringify(JSON.stringify({ message: text }))).includes("TEXT escaped in JSON in log"));
  t.ok(seen(`/path?value=${encodeURIComponent(text)}`).includes("TEXT escaped in a URL in log"));
});

t.test("base64 is seen wherever it begins in its group of three", async (t) => {
  for (const before of ["", "a", "ab"]) {
    const log = Buffer.concat([Buffer.from(before), BINARY]).toString("base64url");
    t.strictSame(sightings({ BINARY }, { log }), ["BINARY in base64 in log"]);
  }
});

t.test("another value of the same kind is not seen", async (t) => {
  const others = Object.values(WRITTEN).map((write) => Buffer.from(write(randomBytes(4096))));
  t.strictSame(sightings({ BINARY, TEXT }, { log: Buffer.concat(others) }), []);
});

t.test("what is too short to be told from chance is refused", async (t) => {
  t.throws(() => sightings({ SHORT: Buffer.from("hunter2") }, { log: "" }), { message: /at least 12 bytes/ });
});
