// Who may have a job run with a bundle's values. Each test is somebody who would like to.
import t from "tap";
import { baseline } from "../../hack/fixtures.baseline.js";
import { caseOf, LATER, ledgerOf, usual } from "../../hack/fixtures.bundle.js";
import { acme, acmeContent, bundle, NOW, production, withHeader, world, writingBy } from "../../hack/fixtures.js";
import { ZoppError } from "../errors.js";
import { readBaseline } from "../policy/baseline.js";
import type { SecretSpec, ZoppSecret } from "../types.gen.js";
import type { BundleCase } from "./case.js";
import { examineBundle, verifyBundle } from "./verify.js";

const ROTATION: SecretSpec["rotation"] = { image: "rotate", keys: ["ADMIN_URL"] };
const generate: SecretSpec["generate"] = {
  PASSWORD: { version: 1, kind: "password", length: 32, previous: "PASSWORD_OLD" },
};
const values = { ADMIN_URL: "postgres://admin@db" };
/** The admin's bundle without a rotation, and with one. */
const plain = bundle(usual.environment, values, { generate });
const rotated = bundle(usual.environment, values, { generate, rotation: ROTATION });

/** What the bundle is refused with, or that it is not. */
function outcome(secret: ZoppSecret, changes: Partial<BundleCase> = {}): string {
  try {
    verifyBundle(caseOf(secret, changes));
    return "accepted";
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** The bundle with this rotation, its header signed a minute later by somebody else. */
const by = (name: string, secret: ZoppSecret, rotation: SecretSpec["rotation"] = ROTATION) =>
  withHeader(secret, { rotation }, writingBy(name, usual.environment, LATER));

const { grants = [] } = acmeContent();
const asWell = (grant: (typeof grants)[number]) => world(acme({ grants: [...grants, grant] }));
const REFUSED = /^NotAuthorised: bundle shop-prod\/api: spec\.rotation: bob may not sign for a job/;

t.test("an admin has a job run, in a new bundle and in one that is there", async (t) => {
  t.equal(outcome(rotated), "accepted");
  t.equal(outcome(by("alice", plain), { ledger: ledgerOf(plain) }), "accepted");
  const carols = bundle(usual.environment, values, { by: "carol", generate, rotation: ROTATION });
  const environmentsOwn = world(acme(), production({ grants: [{ subject: "carol", role: "admin" }] }));
  t.equal(outcome(carols, environmentsOwn), "accepted", "an admin by the environment's own grants as well");
});

t.test("a writer adds no job", async (t) => {
  t.match(outcome(by("bob", plain), { ledger: ledgerOf(plain) }), REFUSED);
  t.match(outcome(bundle(usual.environment, values, { by: "bob", generate, rotation: ROTATION })), REFUSED);
});

t.test("a writer changes no job, nor the header around it: all of a header is its signer's", async (t) => {
  const ledger = ledgerOf(rotated);
  t.match(outcome(by("bob", rotated, { image: "bobs" }), { ledger }), REFUSED);
  t.match(outcome(by("bob", rotated), { ledger }), REFUSED, "the admin's rotation, and nothing else changed");
  const restarted = withHeader(rotated, { restart: "auto" }, writingBy("bob", usual.environment, LATER));
  t.match(outcome(restarted, { ledger }), REFUSED, "another field beside it");
});

t.test("a rotation that nobody signed is no rotation", async (t) => {
  const put = (secret: ZoppSecret, rotation: SecretSpec["rotation"]): ZoppSecret => ({
    ...secret,
    spec: { ...secret.spec, rotation },
  });
  t.match(outcome(put(plain, ROTATION)), /^SignatureInvalid/, "put into the admin's header");
  t.match(outcome(put(rotated, { ...ROTATION, image: "other" })), /^SignatureInvalid/, "with another image");
  t.match(outcome(put(rotated, { image: "rotate" })), /^SignatureInvalid/, "so that the key would be in the Secret");
  const claimed = by("bob", plain);
  const header = { ...claimed.spec.header, by: plain.spec.header.by };
  t.match(outcome({ ...claimed, spec: { ...claimed.spec, header } }), /^SignatureInvalid/, "in the admin's name");
});

t.test("key patterns are no right to a job, whatever their role, nor is submitting", async (t) => {
  const scope = "shop/production";
  const bobs = by("bob", plain);
  const ledger = ledgerOf(plain);
  for (const keys of [["*"], ["PASSWORD", "ADMIN_URL"]]) {
    t.match(outcome(bobs, { ledger, ...asWell({ subject: "bob", role: "admin", scope, keys }) }), REFUSED);
    const writes = by("ci", plain);
    t.match(outcome(writes, { ledger, ...asWell({ subject: "ci", role: "write", scope, keys }) }), /^NotAuthorised/);
  }
  t.match(outcome(by("ci", plain), { ledger }), /^NotAuthorised/, "a token that submits");
  const ended = asWell({ subject: "bob", role: "admin", scope, expires: NOW.toISOString().replace(".000", "") });
  t.match(outcome(bobs, { ledger, ...ended }), REFUSED, "nor is a grant that has ended");
  t.match(outcome(bobs, { ledger, ...asWell({ subject: "bob", role: "admin", scope: "other" }) }), REFUSED);
  t.equal(outcome(bobs, { ledger, ...asWell({ subject: "bob", role: "admin", scope }) }), "accepted");
});

t.test("what was accepted stays good when its admin may sign no more, as every header does", async (t) => {
  const admin = asWell({ subject: "bob", role: "admin", scope: "shop" });
  const bobs = by("bob", plain);
  t.equal(outcome(bobs, { ...admin, ledger: ledgerOf(plain) }), "accepted");
  t.equal(outcome(bobs, { ledger: ledgerOf(bobs) }), "accepted", "known to this keyring");
  t.match(outcome(bobs), REFUSED, "and to a new one it is news");
});

t.test("a baseline lists no writer's job into use, not even that of somebody who left", async (t) => {
  const bobs = by("bob", plain);
  const listing = (authors: readonly string[]) => ({ baseline: readBaseline(baseline(usual, [bobs], { authors })) });
  t.match(outcome(bobs, listing([])), REFUSED);
  const { principals } = acmeContent();
  const left = world(
    acme({
      principals: principals.filter(({ name }) => name !== "bob"),
      groups: [],
      grants: grants.filter(({ subject }) => subject !== "bob"),
    }),
  );
  t.match(outcome(bobs, { ...left, ...listing(["bob"]) }), /^NotAuthorised: .* spec\.rotation: zk1/);
  const withoutJob = withHeader(bobs, { rotation: undefined }, writingBy("bob", usual.environment, LATER));
  const others = { baseline: readBaseline(baseline(usual, [withoutJob], { authors: ["bob"] })) };
  t.equal(outcome(withoutJob, { ...left, ...others }), "accepted", "his bundle without the job is");
});

t.test("a writer may remove a job: its signature is then over a header without one", async (t) => {
  const removed = withHeader(rotated, { rotation: undefined }, writingBy("bob", usual.environment, LATER));
  t.equal(outcome(removed, { ledger: ledgerOf(rotated) }), "accepted");
  t.match(outcome(rotated, { ledger: ledgerOf(removed) }), /^RollbackRefused/, "and the old header does not come back");
});

t.test("a client, which has no ledger, says the same of a writer's rotation", async (t) => {
  const { problems } = examineBundle(caseOf(by("bob", plain), { lenient: true }));
  t.match(problems, [{ code: "NotAuthorised", message: /spec\.rotation/ }]);
});
