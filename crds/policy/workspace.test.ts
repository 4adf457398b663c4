import t, { type Test } from "tap";
import { acme, acmeContent, cluster, digestOfOwners, identityOf, NOW, person } from "../../hack/fixtures.js";
import type { ErrorCode } from "../errors.js";
import { signStatement, workspaceStatement } from "../statement.js";
import type { ZoppWorkspace } from "../types.gen.js";
import { amendWorkspace, type WorkspaceContent, workspaceContent } from "./edit.js";
import type { Pin } from "./pin.js";
import { judgeWorkspace, MAX_ANCESTORS, readWorkspace, refuseExpired } from "./workspace.js";

const LATER = new Date(NOW.getTime() + 60_000);
const first = acme();
const pin: Pin = { workspace: "acme", owners: digestOfOwners(first), minVersion: 1 };

function amend(
  from: ZoppWorkspace,
  changes: Partial<WorkspaceContent>,
  signers = ["alice"],
  base = from,
): ZoppWorkspace {
  const signingKeys = signers.map((name) => identityOf(name).signing);
  return amendWorkspace(from, { ...workspaceContent(from), ...changes }, { signingKeys, now: LATER }, base);
}

function refuses(t: Test, code: ErrorCode, given: Parameters<typeof judgeWorkspace>[0], title?: string): void {
  t.throws(() => judgeWorkspace(given), { code }, title ?? code);
}

const fresh = (candidate: ZoppWorkspace, withPin: Pin | undefined = pin) => ({ candidate, pin: withPin, now: LATER });
const after = (accepted: ZoppWorkspace, candidate: ZoppWorkspace) => ({
  candidate,
  accepted: readWorkspace(accepted),
  now: LATER,
});
const resigned = (object: ZoppWorkspace, spec: Partial<ZoppWorkspace["spec"]>): ZoppWorkspace => ({
  ...object,
  spec: { ...object.spec, ...spec },
});

t.test("a workspace is served only from a pin", async (t) => {
  t.equal(judgeWorkspace(fresh(first)).digest, readWorkspace(first).digest);
  refuses(t, "NotPinned", { candidate: first, now: LATER }, "without a pin");
  refuses(t, "NotPinned", fresh(first, { ...pin, workspace: "other" }), "with another workspace's pin");
  refuses(t, "PinMismatch", fresh(first, { ...pin, owners: "0".repeat(64) }), "with another owners' digest");
  refuses(
    t,
    "PolicyRollback",
    fresh(first, { ...pin, minVersion: first.spec.version + 1 }),
    "below the lowest version",
  );
});

t.test("a token's shortened pin names the owners too", async (t) => {
  t.ok(judgeWorkspace(fresh(first, { ...pin, owners: pin.owners.slice(0, 32) })));
  refuses(t, "PinMismatch", fresh(first, { ...pin, owners: pin.owners.slice(0, 31) }), "but nothing shorter");
  refuses(t, "PinMismatch", fresh(first, { ...pin, owners: "" }), "and not the empty one");
});

t.test("a later version is accepted when it follows the accepted one and its owners sign it", async (t) => {
  const second = amend(first, { clusters: [] });
  t.equal(judgeWorkspace(after(first, second)).version, second.spec.version);
  t.equal(judgeWorkspace(after(first, first)).version, first.spec.version, "the accepted one again is no change");
});

t.test("what does not follow the accepted version is refused", async (t) => {
  const second = amend(first, { clusters: [] });
  const third = amend(second, { clusters: [cluster("eu-2")] });
  refuses(t, "PolicyRollback", after(second, first), "an older version");
  refuses(
    t,
    "Forked",
    after(second, resigned(amend(first, { groups: [] }), {})),
    "the same version with another digest",
  );
  t.ok(judgeWorkspace(after(first, third)), "a skipped version is no obstacle");
  const stranger = amend(amend(first, { groups: [] }), { clusters: [] });
  refuses(t, "Forked", after(second, stranger), "a higher version of another branch");
  const far = resigned(third, {
    ancestors: Array.from({ length: MAX_ANCESTORS }, (_, at) => String(at).padStart(64, "0")),
  });
  refuses(t, "PolicyGap", after(second, far), "a version whose list of ancestors is full without the accepted one");
});

t.test("a version more than a day ahead is refused", async (t) => {
  const second = amendWorkspace(first, workspaceContent(first), {
    signingKeys: [identityOf("alice").signing],
    now: new Date(NOW.getTime() + 48 * 3600_000),
  });
  refuses(t, "VersionTooFar", after(first, second));
});

t.test("a policy that owners did not sign is refused, however it is dressed up", async (t) => {
  refuses(t, "PartlySigned", fresh(resigned(first, { signatures: [] })), "no signature");
  refuses(t, "PartlySigned", fresh(acme({}, ["bob"])), "a signature of somebody who is no owner");
  const other = acme({ groups: [] });
  refuses(
    t,
    "PartlySigned",
    fresh(resigned(first, { signatures: other.spec.signatures })),
    "a signature of another policy",
  );
  const [mine] = first.spec.signatures;
  const renamed = [{ by: identityOf("bob").signing.verifyKey.kid, value: mine?.value ?? "" }];
  refuses(t, "PartlySigned", fresh(resigned(first, { signatures: renamed })), "a signature under another kid");
});

t.test("the threshold counts owners, not devices", async (t) => {
  const owners = { threshold: 2, principals: ["alice", "carol"] };
  const object = acme({ owners }, ["carol", "carol/phone"]);
  const twoOwners = { workspace: "acme", owners: digestOfOwners(object), minVersion: 1 };
  refuses(t, "PartlySigned", fresh(object, twoOwners), "two devices of one owner are one");
  t.ok(judgeWorkspace(fresh(acme({ owners }, ["alice", "carol/phone"]), twoOwners)));
});

t.test("a change of owners needs the accepted owners and the new ones", async (t) => {
  const owners = { threshold: 1, principals: ["bob"] };
  const handover = amend(first, { owners }, ["alice", "bob"]);
  t.equal(judgeWorkspace(after(first, handover)).owners.principals[0]?.name, "bob");
  refuses(t, "PolicyGap", after(first, amend(first, { owners }, ["bob"])), "a usurper who signs alone");
  refuses(t, "PartlySigned", after(first, amend(first, { owners }, ["alice"])), "new owners who did not sign the step");
  refuses(t, "PolicyGap", after(first, resigned(handover, { rotations: [] })), "no rotation at all");
  const silent = resigned(handover, { signatures: handover.spec.signatures.slice(1) });
  refuses(t, "PartlySigned", after(first, silent), "the policy itself not signed by the accepted owners");
});

t.test("a keyring that was away follows rotations over several versions, a pin too", async (t) => {
  const toBob = amend(first, { owners: { threshold: 1, principals: ["bob"] } }, ["alice", "bob"]);
  const toCarol = amend(toBob, { owners: { threshold: 1, principals: ["carol"] } }, ["bob", "carol"]);
  const latest = amend(toCarol, { clusters: [] }, ["carol"]);
  t.ok(judgeWorkspace(after(first, latest)), "from the accepted policy");
  t.ok(judgeWorkspace(fresh(latest)), "from the pin");
  const [one, two] = latest.spec.rotations ?? [];
  t.ok(one !== undefined && two !== undefined);
  if (one === undefined || two === undefined) return;
  refuses(t, "PinMismatch", fresh(resigned(latest, { rotations: [two] })), "the first step missing");
  refuses(t, "PinMismatch", fresh(resigned(latest, { rotations: [one] })), "the last step missing");
  const forged = [{ ...one, signatures: two.signatures }, two];
  refuses(t, "PinMismatch", fresh(resigned(latest, { rotations: forged })), "a step with other signatures");
});

const BOTH = { owners: { threshold: 1, principals: ["alice", "bob"] } };
const ALICE = { owners: { threshold: 1, principals: ["alice"] } };

t.test(
  "owners sign a change of owners one after the other: no digest changes by it, and it holds when all have",
  async (t) => {
    const owners = { threshold: 2, principals: ["alice", "carol"] };
    const half = amend(first, { owners }, ["alice"]);
    const whole = amend(first, { owners }, ["alice", "carol"]);
    t.equal(readWorkspace(half).digest, readWorkspace(whole).digest);
    refuses(t, "PartlySigned", after(first, half), "after the accepted one");
    refuses(t, "PartlySigned", fresh(half), "from the pin");
    const [step] = half.spec.rotations ?? [];
    const [signed] = whole.spec.rotations ?? [];
    refuses(
      t,
      "PartlySigned",
      after(first, resigned(whole, { rotations: half.spec.rotations })),
      "only the step lacks one",
    );
    refuses(
      t,
      "PartlySigned",
      after(first, resigned(half, { rotations: whole.spec.rotations })),
      "only the policy does",
    );
    const phone = amend(first, { owners }, ["carol", "carol/phone", "alice"]);
    const carols = (phone.spec.rotations?.[0]?.signatures ?? []).slice(0, 2);
    if (step === undefined || signed === undefined) throw new Error("no step");
    refuses(
      t,
      "PolicyGap",
      after(first, resigned(whole, { rotations: [{ ...step, signatures: carols }] })),
      "two devices of the newcomer and no owner",
    );
    t.ok(judgeWorkspace(after(first, whole)));
  },
);

t.test("who is an owner no longer does not come back by a step that was taken back", async (t) => {
  const toBoth = amend(first, BOTH, ["alice", "bob"]);
  const back = amend(toBoth, ALICE, ["alice"]);
  t.equal(readWorkspace(back).ownersDigest, readWorkspace(first).ownersDigest, "the owners are those of before");
  t.ok(judgeWorkspace(after(first, back)), "whoever was away follows both steps");
  const bobs = (from: ZoppWorkspace, rotations: ZoppWorkspace["spec"]["rotations"]) => {
    const { name } = from.metadata;
    const taken = amend(from, BOTH, ["bob"]).spec;
    const spec = { ...taken, ancestors: ["0".repeat(64), ...(taken.ancestors ?? [])], rotations };
    const key = identityOf("bob").signing;
    const value = signStatement(key, workspaceStatement(name, spec));
    return resigned(from, { ...spec, signatures: [{ by: key.verifyKey.kid, value }] });
  };
  const step = toBoth.spec.rotations ?? [];
  refuses(t, "PolicyGap", after(back, bobs(back, step)), "his step alone");
  refuses(t, "PolicyGap", after(back, bobs(back, back.spec.rotations)), "all steps there are");
  const redated = step.map((each) => ({ ...each, version: bobs(back, step).spec.version }));
  refuses(t, "PolicyGap", after(back, bobs(back, redated)), "his step with a later version");
  const pinned = { ...pin, minVersion: back.spec.version };
  refuses(t, "PinMismatch", fresh(bobs(back, step), pinned), "nor against a pin of since then");
  refuses(t, "Forked", after(back, amend(toBoth, { groups: [] }, ["bob"])), "nor by going on from where he was one");
});

t.test("adding a device of an owner is a change of owners", async (t) => {
  const principals = acmeContent().principals.map((p) =>
    p.name === "alice" ? person("alice", ["laptop", "phone"]) : p,
  );
  const second = amend(first, { principals });
  t.ok(judgeWorkspace(after(first, second)));
  refuses(t, "PolicyGap", after(first, resigned(second, { rotations: [] })));
});

t.test("edits that are not committed yet keep the ancestors of what is", async (t) => {
  const draft = amend(first, { groups: [] });
  const second = amend(draft, { clusters: [] }, ["alice"], first);
  t.same(second.spec.ancestors, [readWorkspace(first).digest]);
  t.ok(second.spec.version > draft.spec.version);
});

t.test("namespaces belong to one environment, and none to the cluster itself", async (t) => {
  const environments = (namespaces: string[], others: string[]) => [
    { name: "shop/production", namespaces },
    { name: "shop/dev", namespaces: others },
  ];
  const table: [string, string[], string[]][] = [
    ["the same literal", ["shop"], ["shop"]],
    ["a literal under a prefix", ["shop-prod"], ["shop-*"]],
    ["two prefixes", ["shop-p*"], ["shop-*"]],
    ["kube-system", ["kube-system"], ["shop"]],
    ["a prefix over kube-system", ["kube-*"], ["shop"]],
    ["every namespace", ["*"], []],
  ];
  for (const [title, one, other] of table) {
    refuses(t, "NamespaceConflict", fresh(acme({ environments: environments(one, other) })), title);
  }
  const given = fresh(acme({ environments: environments(["zopp-system"], ["shop"]) }));
  refuses(t, "NamespaceConflict", { ...given, reservedNamespaces: ["kube-system", "zopp-system"] }, "zopp's own");
  t.ok(judgeWorkspace(fresh(acme({ environments: environments(["shop-prod-*"], ["shop-dev-*"]) }))));
});

t.test("a key that stands in the policy twice is refused", async (t) => {
  const twin = { ...person("alice"), name: "twin" };
  refuses(t, "KeyAmbiguous", fresh(acme({ principals: [...acmeContent().principals, twin] })), "in two principals");
  const bob = identityOf("bob").encryption.publicKey.text;
  refuses(t, "KeyAmbiguous", fresh(acme({ clusters: [{ ...cluster("eu-1"), encryptionKey: bob }] })), "in a cluster");
});

t.test("a policy past its end accepts no new content", async (t) => {
  const ended = readWorkspace(acme({ expires: "2026-11-23T10:11:12Z" }));
  t.throws(() => refuseExpired(ended, NOW), { code: "PolicyExpired" });
  t.doesNotThrow(() => refuseExpired(ended, new Date(NOW.getTime() - 1)));
});
