// Attacks on the keyring itself: by whoever controls the operator's container and asks in its name, and by whoever may change
// or delete what the keyring remembers. What is asked for is refused and recorded, and no Secret changes.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import type { ErrorCode } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { silentLog } from "../../operator/kube/observe.js";
import { type KubeObject, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import { withHeader, withValue } from "../fixtures.js";
import { NAMESPACES, Team } from "./attacks.world.js";

const SYSTEM = "zopp-system";

const team = await Team.start();
t.teardown(() => team.bed.stop());
const { bed } = team;

const first = team.seal("production", { A: "a1" });
const writer = () => team.writing("production", "writer");
let current = withValue(first, "A", "a2", writer());

t.test("before anything happens everything is in order", async (t) => {
  await team.applied(first, "Synced");
  await team.applied(current, "Synced");
  t.same((await bed.secret()).data, { A: "a2" });
});

const elsewhere = (secret: ZoppSecret, namespace: string): ZoppSecret => ({
  ...secret,
  metadata: { ...secret.metadata, namespace },
});

/** What a compromised operator asks to open; the first two it found in git, the others somebody signed for it. */
const ASKED: readonly (readonly [what: string, reason: ErrorCode, secret: () => ZoppSecret])[] = [
  ["an older version of a bundle", "RollbackRefused", () => first],
  ["a bundle of production as if it were of dev", "NamespaceNotAllowed", () => elsewhere(current, NAMESPACES.dev)],
  [
    "a value that a stranger signed",
    "UnknownSigner",
    () => team.seal("production", { A: "x" }, "mallory", { name: "web" }),
  ],
  [
    "a value that a reader signed",
    "NotAuthorised",
    () => withValue(current, "A", "x", team.writing("production", "reader")),
  ],
  ["what nobody has approved yet", "PendingApproval", () => team.seal("staging", { A: "x" })],
  [
    "a Secret that makes a token of a ServiceAccount",
    "TargetForbidden",
    () => withHeader(current, { target: { type: "kubernetes.io/service-account-token" } }, writer()),
  ],
  [
    "a Secret that becomes such a token by an annotation",
    "TargetForbidden",
    () => withHeader(current, { target: { annotations: { "kubernetes.io/service-account.name": "x" } } }, writer()),
  ],
];

t.test("whoever controls the operator's container, with its token", async (t) => {
  const before = await team.secrets();
  const operator = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: newSigningKey(),
    token: () => bed.token(),
    log: silentLog,
  });
  t.teardown(() => operator.close());
  for (const [what, reason, forge] of ASKED) {
    await t.test(`asks for ${what}: ${reason}`, async (t) => {
      const { metadata, spec } = forge();
      const { namespace, name } = metadata;
      const answer = await operator.open({ namespace, name, spec });
      t.match(answer, { ok: false, error: { code: reason } });
      t.notOk("keys" in answer, "no key is in the answer");
      await team.recorded(`${namespace}/${name}`, reason);
    });
  }
  t.same(await team.secrets(), before);
});

async function segments(): Promise<readonly ZoppAuditSegment[]> {
  return (await bed.client.list<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace: SYSTEM })).items;
}

async function swap({ metadata: { name } }: ZoppAuditSegment, spec: ZoppAuditSegment["spec"]): Promise<void> {
  const metadata = { name, namespace: SYSTEM };
  await bed.client.delete(ZOPP_AUDIT_SEGMENTS, metadata);
  await bed.client.create(ZOPP_AUDIT_SEGMENTS, { metadata, spec } as never);
}

type Pair = readonly [ZoppAuditSegment, ZoppAuditSegment];

/** What is done to two segments of the log while the keyring is away, and how it is undone. */
const EDITS: Readonly<Record<string, { do(pair: Pair): Promise<void>; undo(pair: Pair): Promise<void> }>> = {
  edited: {
    do: ([one, other]) => swap(one, { ...one.spec, records: other.spec.records }),
    undo: ([one]) => swap(one, one.spec),
  },
  removed: {
    do: ([one]) => bed.client.delete(ZOPP_AUDIT_SEGMENTS, { name: one.metadata.name, namespace: SYSTEM }),
    undo: async ([{ metadata, spec }]) =>
      void (await bed.client.create(ZOPP_AUDIT_SEGMENTS, {
        metadata: { name: metadata.name, namespace: SYSTEM },
        spec,
      } as never)),
  },
  reordered: {
    do: async ([one, other]) => {
      await swap(one, { ...other.spec, first: one.spec.first });
      await swap(other, { ...one.spec, first: other.spec.first });
    },
    undo: async ([one, other]) => {
      await swap(one, one.spec);
      await swap(other, other.spec);
    },
  },
};

for (const [what, edit] of Object.entries(EDITS)) {
  t.test(`an audit segment is ${what}: the keyring ends and says so, and what runs runs on`, async (t) => {
    const before = await team.secrets();
    await bed.keyring.stop();
    const [, one, other] = await segments();
    if (one === undefined || other === undefined) throw new TypeError("the log has several segments by now");
    await edit.do([one, other]);
    await bed.startKeyring().catch(() => {});
    t.equal(await bed.keyring.stopped(), 7);
    t.match(bed.keyring.lines.join("\n"), /LogBroken/);
    t.same(await team.secrets(), before);
    await edit.undo([one, other]);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
    current = withValue(current, "A", `after one was ${what}`, writer());
    await team.applied(current, "Synced");
    t.same((await bed.secret()).data, { A: `after one was ${what}` });
  });
}

async function deleteAll(resource: Resource): Promise<void> {
  const { items } = await bed.client.list<KubeObject>(resource, { namespace: SYSTEM });
  for (const { metadata } of items) await bed.client.delete(resource, { name: metadata.name, namespace: SYSTEM });
}

t.test("log and ledger are deleted: nothing old is taken for new, until owners sign the new log in", async (t) => {
  const before = await team.secrets();
  await bed.keyring.stop();
  for (const resource of [ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS]) await deleteAll(resource);
  await bed.startKeyring();
  await bed.keyring.healthy(bed.ports.keyringHealth);
  await team.applied(first, "LedgerLost");
  await team.recorded("shop-prod/api", "LedgerLost");
  t.same(await team.secrets(), before);

  const { signingKey, encryptionKey, log } = bed.cluster;
  const clusters = [{ name: "eu-1", signingKey, encryptionKey, log }];
  await bed.applyBundle(current);
  await bed.amendPolicy({ workspace: team.amended({ clusters }, "alice") });
  await team.verdict("Accepted", bed.workspace);
  await bed.settled("Synced");
  current = withValue(current, "A", "under the new log", writer());
  await team.applied(current, "Synced");
  t.same((await bed.secret()).data, { A: "under the new log" });
});
