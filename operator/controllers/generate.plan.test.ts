// When the operator asks for values, what it takes for applied, and what it says of a rotation.
import t from "tap";
import type { GeneratedEntry, ZoppSecret } from "../../crds/types.gen.js";
import { generating, madeAt, PASSWORD, withGenerated } from "../../hack/fixtures.generated.js";
import { NOW } from "../../hack/fixtures.js";
import { ours, READY, situation } from "../../hack/situations.js";
import { againInMs, isDue, valuesDigest } from "./generate.plan.js";
import { contentDigest } from "./restart.plan.js";
import { happenings } from "./secret.events.js";
import { decide } from "./secret.plan.js";
import type { Outcome } from "./secret.status.js";

const HOUR = 3_600_000;
const SECRET = generating();
const FIRST = madeAt(SECRET, NOW);
const SECOND = madeAt(SECRET, new Date(NOW.getTime() + HOUR));
const later = (ms: number) => new Date(NOW.getTime() + ms);
const values = (TOKEN: GeneratedEntry) => ({ TOKEN });

t.test("the keyring is asked for what is missing, of another rule, or over", async (t) => {
  const due = (secret: ZoppSecret, at: Date) => isDue(secret, secret.status, at);
  t.equal(due(SECRET, NOW), true);
  t.equal(due(withGenerated(SECRET, values(FIRST)), later(HOUR - 1)), false);
  t.equal(due(withGenerated(SECRET, values(FIRST)), later(HOUR)), true);
  const other = generating({ ...PASSWORD, version: PASSWORD.version + 1 });
  t.equal(due(withGenerated(other, values(FIRST)), NOW), true);
  t.equal(due(generating({ version: 1, kind: "uuid" }), NOW), true);
});

t.test(
  "the bundle is looked at again when a value is over, and not at once where the keyring says it is early",
  async (t) => {
    t.equal(againInMs(SECRET, { generated: values(FIRST) }, later(HOUR / 2)), HOUR / 2);
    t.ok((againInMs(SECRET, { generated: values(FIRST) }, later(2 * HOUR)) ?? 0) >= 10_000);
    const forever = { version: 1, kind: "uuid" } as const;
    const secret = generating(forever);
    t.equal(againInMs(secret, { generated: values(madeAt(secret, NOW, { rule: forever })) }, NOW), undefined);
  },
);

t.test("a bundle rests only while its Secret holds exactly the values of its status", async (t) => {
  const keys = ["DB_USER", "OLD_TOKEN", "TOKEN"];
  const target = ours({ writers: { ours: keys, others: [], managers: [] } });
  const given = (applied: GeneratedEntry, now: GeneratedEntry) => {
    const status = { ...READY, generated: values(now), applied: valuesDigest(SECRET, values(applied)) };
    return situation({ bundle: SECRET, target, status });
  };
  t.equal(decide(given(FIRST, FIRST)).do, "rest");
  t.equal(decide({ ...given(FIRST, FIRST), due: true }).do, "open");
  t.equal(decide(given(FIRST, SECOND)).do, "open", "it ended between keeping a value and writing the Secret");
});

t.test("a rotation restarts workloads, and is no repair of somebody else's change", async (t) => {
  const [one, other] = [valuesDigest(SECRET, values(FIRST)), valuesDigest(SECRET, values(SECOND))];
  t.not(contentDigest(SECRET.spec, new Map(), one), contentDigest(SECRET.spec, new Map(), other));
  const written = (resourceVersion: string) => ({ name: "api", uid: "u1", resourceVersion });
  const before = { ...READY, applied: one, target: written("100") };
  const after = { ...READY, applied: other, target: written("101") };
  const outcome: Outcome = {
    kind: "synced",
    digest: READY.digest ?? "",
    policy: [],
    target: written("101"),
    entries: 1,
    applied: other,
  };
  const said = happenings(before, after, outcome, []).map(({ type, reason }) => [type, reason]);
  t.strictSame(said, [["Normal", "Rotated"]]);
});
