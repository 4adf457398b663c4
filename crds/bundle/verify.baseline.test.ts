// What a baseline does for a bundle that a new keyring would refuse, and what it never does.
import t from "tap";
import { authorOf, type BaselineOptions, baseline, digestOf } from "../../hack/fixtures.baseline.js";
import {
  acme,
  acmeContent,
  bundle,
  identityOf,
  NOW,
  production,
  withValue,
  world,
  writingBy,
} from "../../hack/fixtures.js";
import { newEnvironmentKey } from "../crypto/identity.js";
import { wrapEnvironmentKey } from "../crypto/wrap.js";
import { ZoppError } from "../errors.js";
import { readBaseline } from "../policy/baseline.js";
import type { ZoppSecret } from "../types.gen.js";
import type { BundleCase } from "./case.js";
import { verifyBundle } from "./verify.js";

const BEFORE = world();
/** bob has left since. */
const { principals, grants = [], groups: _, ...rest } = acmeContent();
const NOW_WITHOUT_BOB = world(
  acme({
    ...rest,
    principals: principals.filter(({ name }) => name !== "bob"),
    groups: [],
    grants: grants.filter(({ subject }) => subject !== "bob"),
  }),
);
const LEFT = bundle(BEFORE.environment, { A: "bob's", B: "his too" }, { by: "bob" });
const LATER = new Date(NOW.getTime() + 60_000);

function outcome(secret: ZoppSecret, changes: Partial<BundleCase> = {}): string {
  try {
    const { acceptedEntries, acceptedHeader } = verifyBundle({ ...NOW_WITHOUT_BOB, secret, now: LATER, ...changes });
    return `accepted ${[...acceptedEntries.keys()].join(" ")}${acceptedHeader === undefined ? "" : " header"}`;
  } catch (error) {
    if (error instanceof ZoppError) return error.code;
    throw error;
  }
}

const listing = (secrets: readonly ZoppSecret[], options: BaselineOptions = { authors: ["bob"] }) => ({
  baseline: readBaseline(baseline(NOW_WITHOUT_BOB, secrets, options)),
});

t.test("what somebody wrote who left is accepted when a baseline lists it, with his key", async (t) => {
  t.equal(outcome(LEFT), "UnknownSigner");
  t.equal(outcome(LEFT, listing([LEFT])), "accepted A B header");
  t.equal(outcome(LEFT, listing([LEFT], { authors: [] })), "UnknownSigner", "his signature must still be checked");
  t.equal(outcome(LEFT, listing([])), "UnknownSigner");
});

t.test("what a baseline lists needs no right that has ended, and no approval", async (t) => {
  const ended = world(acme({ grants: grants.filter(({ subject }) => subject !== "bob") }));
  t.equal(outcome(LEFT, ended), "NotAuthorised");
  t.equal(outcome(LEFT, { ...ended, ...listing([LEFT], {}) }), "accepted A B header");
  const environments = [
    {
      name: "shop/production",
      namespaces: ["shop-prod"],
      clusters: ["eu-1"],
      approvals: { required: 1, approvers: ["carol"] },
    },
  ];
  const guarded = world(acme({ environments }));
  t.equal(outcome(LEFT, guarded), "PendingApproval");
  t.equal(outcome(LEFT, { ...guarded, ...listing([LEFT], {}) }), "accepted A B header");
});

t.test("what a baseline lists may be of an older epoch, but of none that the environment does not have", async (t) => {
  const { public: made, privateKey } = newEnvironmentKey("xwing");
  const scope = { workspace: "acme", project: "shop", environment: "production" };
  const cluster = identityOf("cluster eu-1").encryption.publicKey;
  const sealed = [wrapEnvironmentKey(cluster, { ...scope, epoch: 2 }, privateKey)];
  const newest = { epoch: 2, binding: "object", public: made.text, sealed } as const;
  const rekeyed = world(acme(), production({ keys: [...production().spec.keys, newest] }));
  const alices = bundle(BEFORE.environment, { A: "a" });
  t.equal(outcome(alices, rekeyed), "UnknownEpoch");
  t.equal(outcome(alices, { ...rekeyed, ...listing([alices], {}) }), "accepted A header");
  const gone = world(acme(), production({ keys: [newest] }));
  t.equal(outcome(alices, { ...gone, ...listing([alices], {}) }), "UnknownEpoch");
});

t.test("a keyring that lost its log accepts what a baseline lists, and nothing else", async (t) => {
  const alices = bundle(BEFORE.environment, { A: "a" });
  const lost = { acceptsNew: false };
  t.equal(outcome(alices, lost), "LedgerLost");
  t.equal(outcome(alices, { ...lost, ...listing([alices]) }), "accepted A header");
  const newer = withValue(alices, "A", "newer", writingBy("alice", BEFORE.environment, LATER));
  t.equal(outcome(newer, { ...lost, ...listing([alices]) }), "LedgerLost");
});

t.test("a bundle mixed from two that are listed is listed nowhere", async (t) => {
  const other = bundle(BEFORE.environment, { A: "another of bob's", B: "and b" }, { by: "bob", now: LATER });
  const second: ZoppSecret = { ...other, metadata: { namespace: "shop-prod", name: "web" } };
  const { A } = other.spec.data ?? {};
  if (A === undefined) throw new Error("no A");
  const mixed = { ...LEFT, spec: { ...LEFT.spec, data: { ...LEFT.spec.data, A } } };
  t.equal(outcome(mixed, listing([LEFT, second])), "UnknownSigner");
});

t.test("a listed digest does not bring a forged entry in: his signature must hold", async (t) => {
  const { A } = LEFT.spec.data ?? {};
  if (A === undefined) throw new Error("no A");
  const forged = bundle(BEFORE.environment, { A: "forged", B: "b" }, { by: "mallory" });
  const by = LEFT.spec.header.by;
  const data = Object.fromEntries(
    Object.entries(forged.spec.data ?? {}).map(([key, entry]) => [key, { ...entry, by }]),
  );
  const claimed = { ...forged, spec: { ...forged.spec, header: { ...forged.spec.header, by }, data } };
  t.equal(outcome(claimed, listing([claimed])), "SignatureInvalid");
  const swapped = {
    ...LEFT,
    spec: { ...LEFT.spec, data: { ...LEFT.spec.data, A: { ...A, signature: LEFT.spec.header.signature } } },
  };
  t.equal(digestOf(swapped, BEFORE), digestOf(LEFT, BEFORE), "a digest says nothing of signatures");
  t.equal(outcome(swapped, listing([LEFT])), "SignatureInvalid");
});

t.test("a baseline never brings back what was followed by something newer", async (t) => {
  const newer = withValue(LEFT, "A", "newer", writingBy("alice", BEFORE.environment, LATER));
  const accepted = verifyBundle({ ...BEFORE, secret: newer, now: LATER });
  if (accepted.acceptedHeader === undefined) throw new Error("no header");
  const ledger = {
    environment: BEFORE.environment.path,
    header: accepted.acceptedHeader,
    entries: accepted.acceptedEntries,
  };
  t.equal(outcome(LEFT, { ...listing([LEFT]), ledger }), "RollbackRefused");
  const { A: _gone, ...data } = LEFT.spec.data ?? {};
  const less = { ...LEFT, spec: { ...LEFT.spec, data } };
  t.equal(outcome(less, { ...listing([less]), ledger }), "EntryMissing");
});

t.test("the keys in a baseline sign nothing that it does not list", async (t) => {
  const bobs = bundle(BEFORE.environment, { A: "new of bob's" }, { by: "bob", now: LATER, name: "web" });
  t.equal(outcome(bobs, listing([LEFT])), "UnknownSigner");
  t.strictSame(listing([LEFT]).baseline.object.spec.authors, [authorOf("bob")]);
});

t.test("namespaces and clusters bind what a baseline lists as everything else", async (t) => {
  const moved = bundle(BEFORE.environment, { A: "a" }, { namespace: "kube-system" });
  t.equal(outcome(moved, listing([moved])), "NamespaceNotAllowed");
  t.equal(outcome(LEFT, { ...listing([LEFT]), cluster: "us-1" }), "ClusterNotNamed");
});
