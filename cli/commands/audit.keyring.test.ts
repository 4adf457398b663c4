// The audit commands against a keyring that runs and the segments that it stored, as people run them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { eventually } from "../../hack/eventually.js";
import { acme, acmeContent, digestOfOwners, person, seedOf, withValue } from "../../hack/fixtures.js";
import { startTestbed } from "../../hack/testbed.js";
import { type KubeObject, ZOPP_AUDIT_SEGMENTS } from "../../operator/kube/resources.js";
import { type Ran, Workbench } from "../run.case.js";

const { grants = [], principals } = acmeContent();
const WORKSPACE = {
  principals: [...principals, person("erin")],
  grants: [
    ...grants,
    { subject: "carol", role: "audit", scope: "*" } as const,
    { subject: "erin", role: "audit", scope: "shop/production" } as const,
  ],
};

t.test("on a real API server", async (t) => {
  const bed = await startTestbed({ workspace: WORKSPACE });
  t.teardown(() => bed.stop());
  await bed.applyBundle(bed.seal({ A: "x", B: "y" }, { name: "api" }));
  await bed.settled("Synced", "api");
  const one = new Workbench(t);
  const owners = digestOfOwners(acme());
  const audit = (who: string, ...words: string[]): Promise<Ran> => {
    const env = {
      ZOPP_TOKEN: formatToken(seedOf(who), owners),
      KUBECONFIG: bed.controlPlane.kubeconfig,
      ZOPP_STORE: "cluster",
      ZOPP_WORKSPACE: "acme",
    };
    return one.run(["audit", ...words], { env });
  };
  const keyring = ["--keyring", `127.0.0.1:${bed.ports.keyring}`];

  await t.test("list, from the keyring, shows what is in the auditor's scope", async (t) => {
    const all = await audit("carol", "list", ...keyring, "-o", "json");
    t.equal(all.code, 0, all.err);
    const { records } = JSON.parse(all.out) as { records: readonly { action: string }[] };
    t.ok(records.some(({ action }) => action === "enrol"));
    const erin = await audit("erin", "list", ...keyring);
    t.match(erin.out, /open +released +shop-prod\/api +A, B/);
    t.notMatch(erin.out, /enrol/);
    const bob = await audit("bob", "list", ...keyring);
    t.equal(bob.code, 3);
    t.match(bob.err, /NotAuthorised/);
  });

  await t.test("who says which version of which key, from the keyring and from the segments", async (t) => {
    for (const from of [keyring, ["--from", "cluster"]]) {
      const { out, err } = await audit("carol", "who", "shop-prod/api", ...from, "-o", "json");
      t.match(
        JSON.parse(out || "{}"),
        { releases: [{ key: "A", evidence: "delegated", version: Number }, { key: "B" }] },
        err,
      );
    }
  });

  await t.test(
    "verify holds everywhere, by the key that policy names; an auditor of a part checks hashes of the rest",
    async (t) => {
      const whole = await audit("carol", "verify", ...keyring);
      t.equal(whole.code, 0, whole.err);
      t.match(whole.out, /none changed, dropped or moved/);
      const part = await audit("erin", "verify", ...keyring);
      t.equal(part.code, 0, part.err);
      t.match(part.err, /outside of your scope: only their hashes/);
      const segments = await audit("carol", "verify", "--from", "cluster");
      t.equal(segments.code, 0, segments.err);
      t.match(segments.out, /agrees +with the checkpoint of .*known-logs/, "which the first one kept");
    },
  );

  await t.test("export from the keyring verifies without it", async (t) => {
    const exported = await audit("carol", "export", "audit", ...keyring);
    t.equal(exported.code, 0, exported.err);
    t.ok(existsSync(join(one.checkout, "audit", "checkpoint")));
    t.equal((await audit("carol", "verify", "--from", "audit")).code, 0);
    t.match((await audit("erin", "export", "part", ...keyring)).err, /NotAuthorised.*audit on \*/);
  });

  await t.test("tail shows what is recorded while it runs", async (t) => {
    const running = audit("carol", "tail", "--secret", "late", "--count", "1", ...keyring);
    let ended = false;
    void running.then(() => {
      ended = true;
    });
    let late = bed.seal({ A: "x" }, { name: "late" });
    // it begins at the end of the log as it is then: one of these comes later
    await eventually(async () => {
      late = withValue(late, "A", "x", bed.writing());
      await bed.applyBundle(late);
      await bed.settled("Synced", "late");
      return ended;
    });
    t.match((await running).out, /shop-prod\/late/);
  });

  await t.test("what was done to segments is found, and where", async (t) => {
    const namespace = "zopp-system";
    const { items } = await bed.client.list<ZoppAuditSegment & KubeObject>(ZOPP_AUDIT_SEGMENTS, { namespace });
    const segments = [...items].sort((a, b) => a.spec.first - b.spec.first);
    const put = async (of: ZoppAuditSegment & KubeObject, spec: object | null) => {
      const { name } = of.metadata;
      await bed.client.delete(ZOPP_AUDIT_SEGMENTS, { namespace, name });
      if (spec !== null) await bed.client.create(ZOPP_AUDIT_SEGMENTS, { metadata: { namespace, name }, spec } as never);
    };
    const [, , second, third] = segments;
    if (second === undefined || third === undefined) throw new TypeError("too few segments");
    const verify = () => audit("carol", "verify", "--from", "cluster");
    const attacks: readonly (readonly [what: string, spec: object | null])[] = [
      ["dropped", null],
      ["changed", { ...second.spec, records: third.spec.records, count: third.spec.count }],
      ["signed by another key", { ...second.spec, signature: `${"A".repeat(86)}==` }],
    ];
    for (const [what, spec] of attacks) {
      await put(second, spec);
      const { code, err } = await verify();
      t.equal(code, 7, what);
      t.match(err, new RegExp(`LogBroken: from record ${second.spec.first} on`), what);
      if (spec === null)
        await bed.client.create(ZOPP_AUDIT_SEGMENTS, {
          metadata: { namespace, name: second.metadata.name },
          spec: second.spec,
        } as never);
      else await put(second, second.spec);
      t.equal((await verify()).code, 0, "put back");
    }
    for (const segment of segments.slice(3).reverse()) await put(segment, null);
    const { code, err } = await verify();
    t.equal(code, 7);
    t.match(err, new RegExp(`record(s ${third.spec.first} to \\d+ are| ${third.spec.first} is) gone`));
  });
});
