import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Child } from "../child.js";
import { eventually } from "../eventually.js";
import { underTest } from "./clock.options.js";

const HOUR_MS = 3_600_000;

t.test("a process believes the clock that it is given, and its timers go on", async (t) => {
  const folder = t.testdir({
    "main.mjs": "setInterval(() => console.log(JSON.stringify([Date.now(), new Date()])), 20);",
  });
  const file = join(folder, "clock");
  const child = new Child({ name: "clock", main: join(folder, "main.mjs"), args: [], env: underTest(file) });
  t.teardown(() => child.stop());
  /** Waits until it says a time that is so many hours from ours, to the minute, in both ways of asking. */
  const isOff = (hours: number) =>
    eventually(
      () => {
        const [now, text] = JSON.parse(child.lines.at(-1) ?? "") as [number, string];
        return [now, Date.parse(text)].every((said) => Math.abs(said - Date.now() - hours * HOUR_MS) < HOUR_MS / 60);
      },
      { message: `it is off by ${hours} hours` },
    );
  await isOff(0);
  for (const hours of [26, -2, 0]) {
    writeFileSync(file, String(hours * HOUR_MS));
    await isOff(hours);
  }
});
