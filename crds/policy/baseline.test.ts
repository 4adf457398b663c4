// Whose word a baseline is, and for which keyring: what is accepted, and every way in which it is refused.
import t from "tap";
import { authorOf, baseline } from "../../hack/fixtures.baseline.js";
import { acme, acmeContent, identityOf, NOW, person, production, world } from "../../hack/fixtures.js";
import { ZoppError } from "../errors.js";
import type { ZoppBaseline } from "../types.gen.js";
import { parseBaseline } from "../validate.js";
import { type BaselineCase, judgeBaseline, readBaseline, versionOfLog } from "./baseline.js";
import { approveBaseline } from "./edit.js";
import { versionAt } from "./versions.js";

const WORLD = world();
const APPROVED = acmeContent().environments?.map((rule) => ({
  ...rule,
  approvals: { required: 1, approvers: ["carol", "bob"] },
}));
const GUARDED = world(acme({ environments: APPROVED }));
const LATER = new Date(NOW.getTime() + 60_000);

function outcome(candidate: ZoppBaseline, changes: Partial<BaselineCase> = {}): string {
  try {
    const parsed = parseBaseline(JSON.parse(JSON.stringify(candidate)));
    return `version ${judgeBaseline({ candidate: parsed, ...WORLD, since: 0, now: LATER, ...changes }).version}`;
  } catch (error) {
    if (error instanceof ZoppError) return error.code;
    throw error;
  }
}

const GOOD = baseline(WORLD, []);
const SIGNED = `version ${versionAt(NOW)}`;

t.test("a baseline of an admin is accepted", async (t) => {
  t.equal(outcome(GOOD), SIGNED);
  t.equal(outcome(GOOD, { accepted: readBaseline(GOOD) }), SIGNED, "and once more, when it is the accepted one");
});

t.test("where the owners ask for approvals, a baseline needs them too", async (t) => {
  t.equal(outcome(baseline(GUARDED, []), GUARDED), "PartlySigned");
  t.equal(outcome(baseline(GUARDED, [], { signers: ["alice", "carol"] }), GUARDED), SIGNED);
  t.equal(outcome(approveBaseline(baseline(GUARDED, []), identityOf("bob").signing), GUARDED), SIGNED);
  t.equal(outcome(baseline(GUARDED, [], { signers: ["alice", "ci"] }), GUARDED), "PartlySigned", "ci is no approver");
  const twice = baseline(GUARDED, [], { signers: ["carol"] });
  t.equal(outcome(approveBaseline(twice, identityOf("carol").signing), GUARDED), "Malformed", "not by its own author");
});

const elsewhere = world(
  acme({
    principals: [...acmeContent().principals, person("dora")],
    grants: [
      ...(acmeContent().grants ?? []),
      { subject: "dora", role: "admin", scope: "web" },
      { subject: "carol", role: "read", scope: "shop" },
    ],
  }),
);
const REFUSED: Record<
  string,
  { readonly candidate: ZoppBaseline; readonly given?: Partial<BaselineCase>; readonly code: string }
> = {
  "a writer signed it": { candidate: baseline(WORLD, [], { signers: ["bob"] }), code: "NotAuthorised" },
  "a submitter signed it": { candidate: baseline(WORLD, [], { signers: ["ci"] }), code: "NotAuthorised" },
  "a reader signed it": {
    candidate: baseline(elsewhere, [], { signers: ["carol"] }),
    given: elsewhere,
    code: "NotAuthorised",
  },
  "an admin of another environment signed it": {
    candidate: baseline(elsewhere, [], { signers: ["dora"] }),
    given: elsewhere,
    code: "NotAuthorised",
  },
  "somebody who left signed it": { candidate: baseline(WORLD, [], { signers: ["mallory"] }), code: "UnknownSigner" },
  "nobody signed it": {
    candidate: { ...GOOD, spec: { ...GOOD.spec, signatures: [] } },
    code: "PartlySigned",
  },
  "a digest was put in after it was signed": {
    candidate: {
      ...GOOD,
      spec: { ...GOOD.spec, bundles: [{ namespace: "shop-prod", name: "api", digest: "0".repeat(64) }] },
    },
    code: "SignatureInvalid",
  },
  "an author's key was put in after it was signed": {
    candidate: { ...GOOD, spec: { ...GOOD.spec, authors: [authorOf("bob")] } },
    code: "SignatureInvalid",
  },
  "it is of another environment": {
    candidate: baseline(WORLD, [], { changes: { environment: "dev" } }),
    code: "EnvironmentRefused",
  },
  "it is older than the accepted one": {
    candidate: GOOD,
    given: { accepted: readBaseline(baseline(WORLD, [], { now: LATER })) },
    code: "PolicyRollback",
  },
  "it has the accepted version and another content": {
    candidate: GOOD,
    given: { accepted: readBaseline(baseline(WORLD, [], { authors: ["bob"] })) },
    code: "Forked",
  },
  "it was signed before the keyring's log began": {
    candidate: GOOD,
    given: { since: versionAt(LATER) },
    code: "BaselineOutdated",
  },
  "the workspace in force is older than the one it was made for": {
    candidate: baseline(WORLD, [], { changes: { since: { workspace: versionAt(LATER), environment: 1 } } }),
    code: "EnvironmentOutdated",
  },
  "the environment in force is older than the one it was made for": {
    candidate: baseline(WORLD, [], { changes: { since: { workspace: 1, environment: versionAt(LATER) } } }),
    code: "EnvironmentOutdated",
  },
  "it comes from the future": {
    candidate: baseline(WORLD, [], { now: new Date(NOW.getTime() + 3 * 86_400_000) }),
    code: "VersionTooFar",
  },
  "the policy has expired": {
    candidate: GOOD,
    given: world(acme({ expires: "2026-11-23T10:11:30Z" })),
    code: "PolicyExpired",
  },
  "its bundles are out of order": {
    candidate: baseline(WORLD, [], {
      changes: {
        bundles: ["b", "a"].map((name) => ({ namespace: "shop-prod", name, digest: "0".repeat(64) })),
      },
    }),
    code: "Malformed",
  },
};
for (const [why, { candidate, given, code }] of Object.entries(REFUSED)) {
  t.test(`a baseline is refused when ${why}`, async (t) => t.equal(outcome(candidate, given), code));
}

t.test("an approval of the environment is none of a baseline", async (t) => {
  const { environment } = GUARDED;
  const copied = production({}, ["alice", "carol"]).spec.signatures[1];
  const [first] = baseline(GUARDED, []).spec.signatures;
  const candidate = baseline(GUARDED, []);
  const signatures = [first, copied].filter((each) => each !== undefined);
  t.equal(
    outcome({ ...candidate, spec: { ...candidate.spec, signatures } }, { ...GUARDED, environment }),
    "PartlySigned",
  );
});

t.test("a log says when it began, if its id was made by a keyring", async (t) => {
  t.equal(versionOfLog("20261123101112-00ff00ff00ff00ff"), 20261123101112);
  t.equal(versionOfLog("log-1"), 0);
});
