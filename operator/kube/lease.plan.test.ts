import t from "tap";
import {
  heldLease,
  LEASE_TIMES,
  type Lease,
  leaseStep,
  releasedLease,
  SHARDS_ANNOTATION,
  type Sighting,
  shardsOf,
  sight,
} from "./lease.plan.js";

const AT = { namespace: "zopp-system", name: "zopp-operator" };
const NOW = new Date("2026-11-23T10:11:12.345Z");
/** For so long a Lease binds that is not there. */
const ABSENT_MS = 4000;
const TIME = "2026-11-23T10:11:12.345000Z";

/** A Lease of this version and holder. */
function lease(resourceVersion: string, holderIdentity: string, more: Lease["spec"] = {}): Lease {
  const spec = { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 4, ...more };
  return { metadata: { ...AT, uid: "u", resourceVersion }, spec };
}

/** What was read, and when; undefined: there was no Lease. */
type Read = readonly [atMs: number, lease: Lease | undefined];

/** What `me` does at a time, after it has read the Lease so often. */
const STEPS: Record<string, { readonly read: readonly Read[]; readonly atMs: number; readonly want: string }> = {
  "there is none: its holder may be about to put it back": {
    read: [[0, undefined]],
    atMs: ABSENT_MS - 1,
    want: "wait",
  },
  "there is none, and nobody put it back": {
    read: [
      [0, undefined],
      [ABSENT_MS - 1, undefined],
    ],
    atMs: ABSENT_MS,
    want: "take",
  },
  "nobody holds it": { read: [[0, lease("1", "")]], atMs: 0, want: "take" },
  "nobody ever held it": { read: [[0, { metadata: AT, spec: {} }]], atMs: 0, want: "take" },
  "nobody held it, and it is gone: somebody may have taken it meanwhile": {
    read: [
      [0, lease("1", "")],
      [2000, undefined],
    ],
    atMs: 2000 + ABSENT_MS - 1,
    want: "wait",
  },
  "another holds it": { read: [[0, lease("1", "you")]], atMs: 14_999, want: "wait" },
  "another did not renew it": { read: [[0, lease("1", "you")]], atMs: 15_000, want: "take" },
  "another renewed it": {
    read: [
      [0, lease("1", "you")],
      [2000, lease("2", "you")],
    ],
    atMs: 16_999,
    want: "wait",
  },
  "another gave it up": {
    read: [
      [0, lease("1", "you")],
      [2000, lease("2", "", { leaseDurationSeconds: 1 })],
    ],
    atMs: 2000,
    want: "take",
  },
  "the same was read again: its time runs on": {
    read: [
      [0, lease("1", "you")],
      [14_000, lease("1", "you")],
    ],
    atMs: 15_000,
    want: "take",
  },
  "it lasts as long as its holder says": {
    read: [[0, lease("1", "you", { leaseDurationSeconds: 60 })]],
    atMs: 59_999,
    want: "wait",
  },
  "another's clock is wrong by a year": {
    read: [[0, lease("1", "you", { renewTime: "2025-11-23T10:11:12.345000Z" })]],
    atMs: 14_999,
    want: "wait",
  },
  "it was deleted while another held it": {
    read: [
      [0, lease("1", "you")],
      [1000, undefined],
    ],
    atMs: 14_999,
    want: "wait",
  },
  "it was deleted, and nobody made it again": {
    read: [
      [0, lease("1", "you")],
      [1000, undefined],
    ],
    atMs: 15_000,
    want: "take",
  },
  "it was deleted and made again by another, with the same version": {
    read: [
      [0, lease("1", "you")],
      [14_000, { ...lease("1", "you"), metadata: { ...AT, uid: "other", resourceVersion: "1" } }],
    ],
    atMs: 15_000,
    want: "wait",
  },
  "I hold it, and the answer was lost": { read: [[0, lease("1", "me")]], atMs: 99_000, want: "renew" },
};

for (const [title, { read, atMs, want }] of Object.entries(STEPS)) {
  t.test(`${title}: ${want}`, async (t) => {
    let seen: Sighting | undefined;
    for (const [readAtMs, found] of read) seen = sight(found, seen, readAtMs, ABSENT_MS);
    t.equal(leaseStep(seen as Sighting, "me", atMs).do, want);
  });
}

t.test("a holder stops before anybody else begins", async (t) => {
  t.ok(LEASE_TIMES.deadlineMs < LEASE_TIMES.durationMs);
  t.strictSame(LEASE_TIMES, { durationMs: 15_000, deadlineMs: 10_000, retryMs: 2_000 });
});

t.test("what is written goes over the version that was seen only", async (t) => {
  const write = (found: Lease | undefined) =>
    heldLease(sight(found, undefined, 0, ABSENT_MS), AT, { me: "me", times: LEASE_TIMES, shards: 1 }, NOW);
  const mine = { holderIdentity: "me", leaseDurationSeconds: 15, renewTime: TIME };
  const old = "2026-11-23T10:00:00.000000Z";
  t.strictSame(
    write(undefined),
    { metadata: { ...AT, resourceVersion: "1" }, spec: { ...mine, acquireTime: TIME, leaseTransitions: 0 } },
    "the first: only if there is none, which a version says that nothing can have",
  );
  t.strictSame(
    write(lease("7", "you", { acquireTime: old })),
    { metadata: { ...AT, resourceVersion: "7" }, spec: { ...mine, acquireTime: TIME, leaseTransitions: 5 } },
    "taken: a transition",
  );
  t.strictSame(
    write(lease("8", "me", { acquireTime: old })),
    { metadata: { ...AT, resourceVersion: "8" }, spec: { ...mine, acquireTime: old, leaseTransitions: 4 } },
    "renewed: none",
  );
  const free = { holderIdentity: "", leaseDurationSeconds: 1, acquireTime: TIME, renewTime: TIME, leaseTransitions: 4 };
  t.strictSame(
    releasedLease(lease("9", "me"), AT, NOW),
    { metadata: { ...AT, resourceVersion: "9" }, spec: free },
    "given up: as client-go does",
  );
});

t.test("a Lease says by how many shards the work is divided, also when nobody holds it", async (t) => {
  t.equal(shardsOf(undefined), 1);
  t.equal(shardsOf(lease("1", "me")), 1);
  const held = heldLease(
    sight(lease("7", "me"), undefined, 0, ABSENT_MS),
    AT,
    { me: "me", times: LEASE_TIMES, shards: 3 },
    NOW,
  );
  t.equal(shardsOf(held), 3);
  t.equal(shardsOf(releasedLease(held, AT, NOW)), 3);
  for (const odd of ["", "two", "-1", "3 ", "1e1", "99999"]) {
    const metadata = { ...AT, annotations: { [SHARDS_ANNOTATION]: odd } };
    t.equal(shardsOf({ metadata }), 0, `${odd}: a number that nobody has`);
  }
});
