// Reading earlier values in order to go back: who may, what is recorded, and everybody who tries to read the past otherwise.
import t from "tap";
import { approveParts } from "../../crds/bundle/approve.js";
import { approveEnvironment } from "../../crds/policy/edit.js";
import type { Grant, ZoppSecret } from "../../crds/types.gen.js";
import { flip, withEntry } from "../../hack/fixtures.bundle.js";
import { acme, acmeContent, bundle, identityOf, production, withValue, world, writingBy } from "../../hack/fixtures.js";
import { LATER, sent } from "../../hack/keyring-world.js";
import { OPERATOR, openingKeyring, valuesOf } from "../../hack/opening-keyring.js";
import type { Caller, Opened, SentBundle } from "./open.types.js";
import { readerOf } from "./readers.js";

const PRODUCTION = production();
const ENVIRONMENT = world(acme(), PRODUCTION).environment;
const FIRST = bundle(ENVIRONMENT, { DB_PASSWORD: "first", DB_USER: "shop" });
const SECOND = withValue(FIRST, "DB_PASSWORD", "second", writingBy("alice", ENVIRONMENT, LATER));

function device(name: string): Caller {
  const { verifyKey } = identityOf(name).signing;
  return { actor: verifyKey.kid, request: "r1", reader: readerOf(verifyKey, null) };
}

/** The entries of an earlier state beside the header that is there now. */
function earlier(before: ZoppSecret, keys = ["DB_PASSWORD"], present = SECOND): SentBundle {
  const data = Object.fromEntries(Object.entries(before.spec.data ?? {}).filter(([key]) => keys.includes(key)));
  return { ...sent({ ...present, spec: { ...present.spec, data } }, undefined, keys), earlier: true };
}

function outcome(opened: Opened | undefined): string {
  if (opened === undefined) return "nothing";
  return opened.ok ? [...opened.keys.keys()].join(" ") : opened.error.code;
}

async function afterSecond(grants: readonly Grant[] = []) {
  const keyring = await openingKeyring(acme({ grants: [...(acmeContent().grants ?? []), ...grants] }), PRODUCTION);
  await keyring.open(sent(FIRST));
  await keyring.open(sent(SECOND));
  return keyring;
}

t.test(
  "who may read and write a key reads its earlier value, and the record says that it is one, and which",
  async (t) => {
    const { openAs, recorded, world: around } = await afterSecond();
    const [opened] = await openAs(device("bob"), [earlier(FIRST)]);
    t.same(valuesOf(FIRST, opened), { DB_PASSWORD: "first" });
    const version = FIRST.spec.data?.["DB_PASSWORD"]?.version;
    t.match(recorded().at(-1), {
      action: "read",
      decision: "released",
      evidence: "proved",
      actor: "bob/laptop",
      content: "earlier",
      reason: undefined,
      keys: ["DB_PASSWORD"],
      versions: { DB_PASSWORD: version },
      entries: undefined,
      header: undefined,
    });
    t.not(
      around.ledger.place("shop-prod/api")?.entries.get("DB_PASSWORD")?.version,
      version,
      "nothing went back by it",
    );
  },
);

const CAROL = (role: Grant["role"], keys?: string[]): Grant => ({
  subject: "carol",
  role,
  scope: "shop",
  ...(keys && { keys }),
});
const WHO: readonly (readonly [title: string, caller: Caller, grants: Grant[], outcome: string])[] = [
  ["carol, who reads only", device("carol"), [CAROL("read")], "NotAuthorised"],
  ["ci, which writes only", device("ci"), [], "NotAuthorised"],
  ["carol, who writes other keys", device("carol"), [CAROL("read"), CAROL("submit", ["IMAGE_*"])], "NotAuthorised"],
  ["carol, who reads and writes that key", device("carol"), [CAROL("write", ["DB_*"])], "DB_PASSWORD"],
  [
    "ci, a service, even if it may read and write",
    device("ci"),
    [{ ...CAROL("write"), subject: "ci" }],
    "NotAuthorised",
  ],
  ["the operator, for which it would be accepted", OPERATOR, [], "NotAuthorised"],
  ["mallory, whom nobody named", device("mallory"), [], "NotAuthorised"],
];
for (const [title, caller, grants, expected] of WHO) {
  t.test(`earlier values for ${title}: ${expected}`, async (t) => {
    const { openAs, world: around } = await afterSecond(grants);
    const before = around.ledger.place("shop-prod/api");
    t.equal(outcome((await openAs(caller, [earlier(FIRST)]))[0]), expected);
    t.same(around.ledger.place("shop-prod/api"), before, "the ledger is as it was");
    t.equal(
      outcome((await openAs(caller, [sent(FIRST)]))[0]) === "DB_PASSWORD DB_USER",
      false,
      "nor as it was without saying so",
    );
  });
}

t.test("an earlier value is verified as a new one would be", async (t) => {
  const { openAs } = await afterSecond();
  const asked = async (secret: ZoppSecret, keys?: string[]) =>
    outcome((await openAs(device("bob"), [earlier(secret, keys)]))[0]);
  const { sealed = "" } = FIRST.spec.data?.["DB_PASSWORD"] ?? {};
  t.equal(await asked(withEntry(FIRST, "DB_PASSWORD", { sealed: flip(sealed) })), "SignatureInvalid");
  t.equal(await asked(withEntry(FIRST, "DB_PASSWORD", FIRST.spec.data?.["DB_USER"] ?? {})), "SignatureInvalid");
  const forged = bundle(ENVIRONMENT, { DB_PASSWORD: "x" }, { by: "mallory" });
  t.equal(await asked(forged), "UnknownSigner");
  const unauthorised = bundle(ENVIRONMENT, { DB_PASSWORD: "x" }, { by: "carol" });
  t.equal(await asked(unauthorised), "NotAuthorised");
  const elsewhere = bundle(ENVIRONMENT, { DB_PASSWORD: "x" }, { name: "web" });
  t.equal(await asked(elsewhere), "SignatureInvalid");
  const [header] = await openAs(device("bob"), [
    earlier(FIRST, ["DB_PASSWORD"], { ...SECOND, spec: { ...SECOND.spec, restart: "none" } }),
  ]);
  t.equal(outcome(header), "SignatureInvalid", "and so is the header beside it");
});

t.test("an earlier value that nobody approved is read by nobody; a header that waits holds nobody up", async (t) => {
  const approvals = { required: 1, approvers: ["carol"] };
  const environments = [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], approvals }];
  const signingKey = identityOf("carol").signing;
  const { openAs, recorded } = await openingKeyring(acme({ environments }), approveEnvironment(PRODUCTION, signingKey));
  const asked = async (before: ZoppSecret, present?: ZoppSecret) =>
    outcome((await openAs(device("bob"), [earlier(before, ["DB_PASSWORD"], present)]))[0]);
  const writing = { environment: ENVIRONMENT, signingKey };
  const headed = approveParts(SECOND, { header: true, keys: [] }, writing);
  t.equal(await asked(FIRST, headed), "PendingApproval");
  const approved = approveParts(FIRST, { header: false, keys: ["DB_PASSWORD"] }, writing);
  t.equal(await asked(approved, headed), "DB_PASSWORD");
  t.equal(await asked(approved), "DB_PASSWORD");
  t.match(
    recorded().at(-1),
    { decision: "released", content: "earlier", reason: undefined },
    "the record says what it was",
  );
});
