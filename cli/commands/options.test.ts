import t from "tap";
import { expiryOf, kemOf, oneOf, pairsOf } from "./options.js";

const NOW = new Date("2026-11-23T10:11:12Z");

t.test("ends are read as spans, days and times, in seconds of UTC", (t) => {
  const cases: [string, string][] = [
    ["90d", "2027-02-21T10:11:12Z"],
    ["12h", "2026-11-23T22:11:12Z"],
    ["2w", "2026-12-07T10:11:12Z"],
    ["2027-02-18", "2027-02-18T00:00:00Z"],
    ["2027-02-18T01:02:03Z", "2027-02-18T01:02:03Z"],
  ];
  for (const [text, expected] of cases) t.equal(expiryOf(text, NOW), expected, text);
  t.equal(expiryOf(undefined, NOW), undefined);
  for (const text of [
    "",
    "soon",
    "1y",
    "6m",
    "30s",
    "-1d",
    "0d",
    "2020-01-01",
    "2026-11-23T10:11:12Z",
    "2027-02-30T00:00:00+01:00",
    "2027-13-01",
  ]) {
    t.throws(() => expiryOf(text, NOW), { code: "Usage" }, text);
  }
  t.end();
});

t.test("kinds, words and pairs are read strictly", (t) => {
  t.equal(kemOf(undefined), "xwing");
  t.equal(kemOf("x25519"), "x25519");
  t.throws(() => kemOf("rsa"), { code: "Usage" });
  t.equal(oneOf("--restart", "auto", ["auto", "none"]), "auto");
  t.throws(() => oneOf("--restart", "sometimes", ["auto", "none"]), {
    code: "Usage",
    message: "--restart is one of auto, none",
  });
  t.same(pairsOf("--label", ["a=b", "c=d=e", "f="]), { a: "b", c: "d=e", f: "" });
  t.throws(() => pairsOf("--label", ["=b"]), { code: "Usage" });
  t.throws(() => pairsOf("--label", ["secret"]), { code: "Usage", message: "--label reads NAME=VALUE" });
  t.end();
});
