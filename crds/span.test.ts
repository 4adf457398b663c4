import t from "tap";
import { spanMs } from "./span.js";

t.test("lengths of time are a number and a unit, and nothing else", async (t) => {
  const cases = { "30s": 30_000, "5m": 300_000, "12h": 43_200_000, "90d": 7_776_000_000, "2w": 1_209_600_000, "0d": 0 };
  for (const [text, ms] of Object.entries(cases)) t.equal(spanMs(text), ms, text);
  for (const text of ["", "90", "d", "-1d", "1.5h", "1y", "123456d", " 1d", "1D", "1d2h"])
    t.equal(spanMs(text), undefined, text);
});
