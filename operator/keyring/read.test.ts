// Reading through the keyring: who gets which keys now, what is recorded of it, and everybody who tries to get more.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { amendWorkspace, approveEnvironment, workspaceContent } from "../../crds/policy/edit.js";
import type { Grant, Principal, ZoppWorkspace } from "../../crds/types.gen.js";
import { signedAgain } from "../../hack/fixtures.bundle.js";
import {
  acme,
  acmeContent,
  bundle,
  identityOf,
  production,
  withTombstone,
  withValue,
  world as worldOf,
  writingBy,
} from "../../hack/fixtures.js";
import { LATER, pinned, review, sent } from "../../hack/keyring-world.js";
import { openingKeyring, valuesOf } from "../../hack/opening-keyring.js";
import type { Enrolment } from "./enrol.js";
import { openBundles } from "./open.js";
import type { Caller, Opened } from "./open.types.js";
import { readerOf } from "./readers.js";

const API_POD: Principal = { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-prod/api" };
const ELSEWHERE: Principal = { ...API_POD, name: "api-us", cluster: "us-1", serviceAccount: "shop-prod/other" };
const GRANTS: readonly Grant[] = [
  ...(acmeContent().grants ?? []),
  { subject: "api", role: "read", scope: "shop/production", keys: ["DB_*"] },
  { subject: "api-us", role: "read", scope: "*" },
];

function policy(grants: readonly Grant[] = [], changes: Parameters<typeof acme>[0] = {}): ZoppWorkspace {
  const principals = [...acmeContent().principals, API_POD, ELSEWHERE];
  return acme({ principals, grants: [...GRANTS, ...grants], ...changes });
}

const PRODUCTION = production();
const ENVIRONMENT = worldOf(acme(), PRODUCTION).environment;
const API = bundle(ENVIRONMENT, { DB_USER: "shop", DB_PASSWORD: "hunter2", IMAGE_TAG: "v1" });
const ALL = { DB_USER: "shop", DB_PASSWORD: "hunter2", IMAGE_TAG: "v1" };

/** A device that calls for itself. */
function device(name: string): Caller {
  const { verifyKey } = identityOf(name).signing;
  return { actor: verifyKey.kid, request: "r1", reader: readerOf(verifyKey, null) };
}

/** A pod of an account that has enrolled. */
function pod(account: string, name = "api-7d9f"): Caller {
  const key = newSigningKey().verifyKey;
  const enrolment: Enrolment = { key, role: "workload", account, actor: account, pod: name, podUid: "u", until: 0 };
  return { actor: account, request: "r1", reader: readerOf(key, enrolment) };
}

function outcome(opened: Opened | undefined): string {
  if (opened === undefined) return "nothing";
  return opened.ok ? [...opened.keys.keys()].join(" ") : opened.error.code;
}

t.test("who may read gets the keys, and it is recorded as read by that person before they leave", async (t) => {
  const { openAs, recorded, world } = await openingKeyring(policy(), PRODUCTION);
  const [opened] = await openAs(device("bob"), [sent(API)]);
  t.same(valuesOf(API, opened), ALL);
  const [fact] = recorded();
  t.match(fact, {
    action: "read",
    decision: "released",
    actor: "bob/laptop",
    evidence: "proved",
    object: "shop-prod/api",
    keys: ["DB_USER", "DB_PASSWORD", "IMAGE_TAG"],
    request: "r1",
  });
  t.notMatch(JSON.stringify(recorded()), /hunter2/);
  world.broken = true;
  await t.rejects(openAs(device("bob"), [sent(API)]), { code: "AuditUnavailable" });
});

t.test("reading accepts nothing: the ledger is as it was, and no record brings it more after a restart", async (t) => {
  const { openAs, open, recorded, world } = await openingKeyring(policy(), PRODUCTION);
  t.equal(outcome((await openAs(device("bob"), [sent(API)]))[0]), "DB_USER DB_PASSWORD IMAGE_TAG");
  t.equal(world.ledger.place("shop-prod/api"), undefined);
  t.same(
    recorded().map(({ header, entries }) => [header, entries]),
    [[undefined, undefined]],
  );
  const newer = withValue(API, "DB_USER", "shop2", writingBy("alice", ENVIRONMENT, LATER));
  t.equal((await openAs(device("bob"), [sent(newer)]))[0]?.ok, true);
  t.equal((await open(sent(API)))[0]?.ok, true, "a version that somebody only read is no version that was accepted");
});

t.test("only the keys that are named are released and recorded", async (t) => {
  const { openAs, recorded } = await openingKeyring(policy(), PRODUCTION);
  const [opened] = await openAs(device("bob"), [sent(API, undefined, ["DB_USER"])]);
  t.same(valuesOf(API, opened), { DB_USER: "shop" });
  t.same(recorded()[0]?.keys, ["DB_USER"]);
});

t.test("a grant with key patterns gives those keys, whoever asks for more gets none", async (t) => {
  const carol: Grant = { subject: "carol", role: "read", scope: "shop", keys: ["IMAGE_*"] };
  const { openAs } = await openingKeyring(policy([carol]), PRODUCTION);
  const asked = async (...keys: string[]) => outcome((await openAs(device("carol"), [sent(API, undefined, keys)]))[0]);
  t.equal(await asked(), "IMAGE_TAG");
  t.equal(await asked("IMAGE_TAG"), "IMAGE_TAG");
  t.equal(await asked("IMAGE_TAG", "DB_PASSWORD"), "NotAuthorised");
});

const WHO: readonly (readonly [who: string, grants: readonly Grant[], outcome: string])[] = [
  ["bob, who writes", [], "DB_USER DB_PASSWORD IMAGE_TAG"],
  ["carol, who has no grant", [], "NotAuthorised"],
  ["ci, who submits and cannot read", [], "NotAuthorised"],
  ["carol, who audits", [{ subject: "carol", role: "audit", scope: "*" }], "NotAuthorised"],
  ["carol, who reads another project", [{ subject: "carol", role: "read", scope: "web" }], "NotAuthorised"],
  ["carol, who reads another environment", [{ subject: "carol", role: "read", scope: "shop/dev" }], "NotAuthorised"],
  [
    "carol, whose grant has ended",
    [{ subject: "carol", role: "read", scope: "shop", expires: "2026-11-23T12:00:00Z" }],
    "NotAuthorised",
  ],
  [
    "carol, whose grant ends in a second",
    [{ subject: "carol", role: "read", scope: "shop", expires: "2026-11-23T12:00:01Z" }],
    "DB_USER DB_PASSWORD IMAGE_TAG",
  ],
  ["carol, by her group", [{ subject: "group:sre", role: "read", scope: "*" }], "DB_USER DB_PASSWORD IMAGE_TAG"],
  ["carol/phone, her other device", [{ subject: "carol", role: "read", scope: "*" }], "DB_USER DB_PASSWORD IMAGE_TAG"],
  ["mallory, whom nobody named", [], "NotAuthorised"],
  ["cluster eu-1, another keyring's own key", [], "NotAuthorised"],
];

for (const [who, grants, expected] of WHO) {
  t.test(`what ${who}, gets: ${expected}`, async (t) => {
    const { openAs, recorded, world } = await openingKeyring(policy(grants), PRODUCTION);
    const [name = ""] = who.split(", ");
    t.equal(outcome((await openAs(device(name), [sent(API)]))[0]), expected);
    if (expected !== "NotAuthorised") return;
    t.same(recorded(), [], "nothing was released");
    t.match(world.refusals.at(-1), {
      action: "read",
      decision: "refused",
      reason: "NotAuthorised",
      evidence: "proved",
    });
  });
}

t.test("who leaves, or whose grant is taken, reads nothing from the next call on", async (t) => {
  const { openAs, book } = await openingKeyring(policy(), PRODUCTION);
  const bob = device("bob");
  t.equal((await openAs(bob, [sent(API)]))[0]?.ok, true);
  const content = workspaceContent(policy());
  const left = {
    ...content,
    principals: content.principals.filter(({ name }) => name !== "bob"),
    groups: [],
    grants: (content.grants ?? []).filter(({ subject }) => subject !== "bob"),
  };
  const signing = { signingKeys: [identityOf("alice").signing], now: LATER };
  await review(book, amendWorkspace(policy(), left, signing), PRODUCTION);
  t.equal(outcome((await openAs(bob, [sent(API)]))[0]), "NotAuthorised");
});

t.test("a device whose principal has ended reads nothing", async (t) => {
  const principals = [
    ...acmeContent().principals.filter(({ name }) => name !== "bob"),
    { ...(acmeContent().principals.find(({ name }) => name === "bob") as Principal), expires: "2026-11-23T12:00:00Z" },
  ];
  const { openAs } = await openingKeyring(acme({ principals }), PRODUCTION);
  t.equal(outcome((await openAs(device("bob"), [sent(API)]))[0]), "NotAuthorised");
});

t.test("what a person is sent is verified as for the operator", async (t) => {
  const { openAs, open } = await openingKeyring(policy(), PRODUCTION);
  const bob = device("bob");
  const forged = bundle(ENVIRONMENT, { A: "x" }, { by: "mallory" });
  const unauthorised = bundle(ENVIRONMENT, { A: "x" }, { by: "carol" });
  const data = API.spec.data ?? {};
  const swapped = { ...API, spec: { ...API.spec, data: { ...data, IMAGE_TAG: data["DB_PASSWORD"] as never } } };
  const moved = { ...API, metadata: { ...API.metadata, name: "web" } };
  const asked = async (secret: typeof API) => outcome((await openAs(bob, [sent(secret)]))[0]);
  t.equal(await asked(forged), "UnknownSigner");
  t.equal(await asked(unauthorised), "NotAuthorised");
  t.equal(await asked(swapped), "PlaceMismatch");
  t.equal(await asked(moved), "SignatureInvalid");
  const newer = withValue(API, "DB_USER", "shop2", writingBy("alice", ENVIRONMENT, LATER));
  await open(sent(newer));
  t.equal(await asked(API), "RollbackRefused", "nor are old values read once a newer one is accepted");
  const { DB_USER: _, ...fewer } = newer.spec.data ?? {};
  t.equal(await asked({ ...newer, spec: { ...newer.spec, data: fewer } }), "EntryMissing");
});

t.test("a reader of some keys gets no other key's value under a name that he may read and write himself", async (t) => {
  const carol: Grant[] = [
    { subject: "carol", role: "read", scope: "shop", keys: ["IMAGE_*"] },
    { subject: "carol", role: "submit", scope: "shop", keys: ["IMAGE_*"] },
  ];
  const { openAs } = await openingKeyring(policy(carol), PRODUCTION);
  // carol signs, in her own name, the sealed bytes of a key that she may not read
  const mixed = signedAgain(API, "DB_PASSWORD", "IMAGE_TAG", writingBy("carol", ENVIRONMENT, LATER));
  const [opened] = await openAs(device("carol"), [sent(mixed)]);
  t.equal(outcome(opened), "IMAGE_TAG", "the signature is hers and holds");
  t.throws(() => valuesOf(mixed, opened), { code: "CannotOpen" }, "but the key opens nothing");
});

t.test(
  "who may read may read what still waits for approval; it stays unaccepted, and the record says so",
  async (t) => {
    const approvals = { required: 1, approvers: ["carol"] };
    const environments = [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], approvals }];
    const carol: Grant = { subject: "carol", role: "read", scope: "shop" };
    const workspace = policy([carol], { environments });
    const signed = approveEnvironment(PRODUCTION, identityOf("carol").signing);
    const { openAs, open, recorded } = await openingKeyring(workspace, signed);
    t.equal(outcome((await open(sent(API)))[0]), "PendingApproval", "the operator waits");
    const [opened] = await openAs(device("carol"), [sent(API)]);
    t.same(valuesOf(API, opened), ALL);
    t.match(opened, { warnings: [{ code: "PendingApproval" }] });
    t.match(recorded()[0], { action: "read", content: "waiting", reason: undefined, entries: undefined });
    t.equal(
      outcome((await openAs(device("ci"), [sent(API)]))[0]),
      "NotAuthorised",
      "who may not read may not read that",
    );
    const workload = await openAs(pod("shop-prod/api"), [sent(API)]);
    t.equal(outcome(workload[0]), "PendingApproval", "nor does a workload use it");
    t.equal(outcome((await open(sent(API)))[0]), "PendingApproval", "and it is no more accepted than before");
  },
);

const NO_NEWS: Record<string, { readonly code: string; readonly expires?: string; readonly log?: string }> = {
  "a keyring that lost its log": { code: "LedgerLost", log: "log-2" },
  "a policy that has expired": { code: "PolicyExpired", expires: "2026-11-23T12:00:01Z" },
};
for (const [what, { code, expires, log }] of Object.entries(NO_NEWS)) {
  t.test(`what waits for approval is new content too, and not read under ${what}`, async (t) => {
    const approvals = { required: 1, approvers: ["carol"] };
    const environments = [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], approvals }];
    const workspace = policy([], { environments, ...(expires === undefined ? {} : { expires }) });
    const signed = approveEnvironment(PRODUCTION, identityOf("carol").signing);
    const { openAs, world } = await openingKeyring(workspace, signed);
    if (log !== undefined) world.log = log;
    const later = { ...world.opening(world.start(pinned(workspace))), now: () => new Date("2026-11-23T13:00:00Z") };
    t.equal(outcome((await openBundles([sent(API)], device("bob"), later))[0]), code);
    if (log === undefined) t.equal((await openAs(device("bob"), [sent(API)]))[0]?.ok, true, "a second before it was");
  });
}

t.test("a tombstone has no key to read", async (t) => {
  const { openAs } = await openingKeyring(policy(), PRODUCTION);
  const retired = withTombstone(API, "DB_USER", writingBy("alice", ENVIRONMENT, LATER));
  t.equal(outcome((await openAs(device("bob"), [sent(retired)]))[0]), "DB_PASSWORD IMAGE_TAG");
});

t.test("a pod of an account that policy names reads what is granted to it, and is named in the record", async (t) => {
  const { openAs, recorded } = await openingKeyring(policy(), PRODUCTION);
  const [opened] = await openAs(pod("shop-prod/api"), [sent(API)]);
  t.same(valuesOf(API, opened), { DB_USER: "shop", DB_PASSWORD: "hunter2" });
  t.match(recorded()[0], {
    action: "read",
    actor: "api/api-7d9f",
    evidence: "proved",
    keys: ["DB_USER", "DB_PASSWORD"],
  });
});

const PODS: Record<string, string> = {
  "another account of that namespace": "shop-prod/worker",
  "an account of that name elsewhere": "shop-dev/api",
  "the account of another cluster's workload, which may read everything": "shop-prod/other",
};
for (const [what, account] of Object.entries(PODS)) {
  t.test(`a pod of ${what} reads nothing`, async (t) => {
    const { openAs, book, recorded } = await openingKeyring(policy(), PRODUCTION);
    t.equal(book.isWorkload(account), false, "nor is it enrolled");
    t.equal(outcome((await openAs(pod(account), [sent(API)]))[0]), "NotAuthorised");
    t.same(recorded(), []);
  });
}
