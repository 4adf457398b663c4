import t from "tap";
import { unsigned } from "../../hack/fixtures.bundle.js";
import { endingsOf } from "./endings.js";

t.test("the ends of a bundle are those of its values, soonest first; a tombstone has none", async (t) => {
  const data = {
    LATE: { expires: "2027-03-01T00:00:00Z" },
    NONE: {},
    GONE: { expires: "2026-01-01T00:00:00Z", retired: true },
    B: { expires: "2027-02-18T00:00:00Z" },
    A: { expires: "2027-02-18T00:00:00Z" },
  };
  t.strictSame(
    endingsOf(unsigned({ data })).map(({ key }) => key),
    ["A", "B", "LATE"],
  );
  t.strictSame(endingsOf(unsigned({})), []);
});
