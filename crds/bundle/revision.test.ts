import t from "tap";
import { good } from "../../hack/fixtures.bundle.js";
import { isRevisionOf, parseRevision, revisionName, revisionObject } from "./revision.js";

const BUNDLE = { name: "api", namespace: "shop-prod", uid: "0b7c-1" };
const DIGEST = "ab".repeat(32);
const OBJECT = revisionObject(BUNDLE, {
  revision: 3,
  digest: DIGEST,
  applied: "2026-11-23T10:11:12Z",
  spec: good.spec,
});

t.test("a state of a bundle has one name, other states, other bundles and the next of that name have others", (t) => {
  const { name } = OBJECT.metadata;
  t.equal(revisionName(BUNDLE, DIGEST), name);
  t.match(name, /^api-[0-9a-f]{16}$/);
  t.not(revisionName(BUNDLE, DIGEST.replace("a", "c")), name);
  t.not(revisionName({ ...BUNDLE, uid: "0b7c-2" }, DIGEST), name);
  t.match(revisionName({ ...BUNDLE, name: `${"a".repeat(235)}.${"b".repeat(17)}` }, DIGEST), /^a{235}-[0-9a-f]{16}$/);
  t.end();
});

t.test("what was kept comes back as it was, with nothing but the sealed spec", (t) => {
  const { secret, ...state } = parseRevision(BUNDLE, JSON.parse(JSON.stringify(OBJECT)));
  t.same(secret.spec, good.spec);
  t.same(secret.metadata, { name: "api", namespace: "shop-prod" }, "the bundle's place, whatever the object says");
  t.match(state, { revision: 3, digest: DIGEST, applied: "2026-11-23T10:11:12Z" });
  t.equal(isRevisionOf(BUNDLE, OBJECT), true);
  t.end();
});

t.test("what has another shape, or is somebody else's, is no state of the bundle", (t) => {
  const wrong: Record<string, unknown> = {
    "a StatefulSet's": { spec: { template: {} } },
    "no data": undefined,
    "unknown fields": { ...OBJECT.data, spec: { ...good.spec, surprise: true } },
    "another kind": { ...OBJECT.data, kind: "ZoppWorkspace" },
  };
  for (const [title, data] of Object.entries(wrong))
    t.throws(() => parseRevision(BUNDLE, { ...OBJECT, data }), { code: "Malformed" }, title);
  const { metadata } = OBJECT;
  t.equal(isRevisionOf(BUNDLE, { metadata: { ...metadata, name: "web-6d5f" } }), false);
  t.equal(isRevisionOf({ ...BUNDLE, uid: "other" }, OBJECT), false);
  t.equal(isRevisionOf(BUNDLE, { metadata: { name: metadata.name } }), false, "that does not say its digest");
  t.end();
});
