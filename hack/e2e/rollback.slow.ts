// Going back in a cluster through a brokered keyring, and everybody who tries to have something else signed, or read, by it.
import t from "tap";
import { bindingsOf } from "../../crds/bundle/case.js";
import { revisionObject } from "../../crds/bundle/revision.js";
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { CONTROLLER_REVISIONS, type KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { flip } from "../fixtures.bundle.js";
import { withHeader, withTombstone } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { historyWorld } from "./history.world.js";

const bed = await startTestbed({ env: { ZOPP_OPERATOR_HISTORY: "10" } });
t.teardown(() => bed.stop());

const { zopp, isKept, change, setting } = historyWorld(t, bed);

const back = (as: string, ...words: readonly string[]) => zopp(as, ["rollback", ...words]);

t.test("who may read and write goes back through the keyring; it is recorded, and the Secret follows", async (t) => {
  await bed.applyBundle(bed.seal({ A: "s3cret-one", B: "s3cret-b" }));
  await bed.settled("Synced");
  await change("api", setting("A", "s3cret-two", "bob"));
  await change("api", (present) =>
    withTombstone(withHeader(present, { restart: "none" }, bed.writing()), "B", bed.writing()),
  );
  await isKept("api", 3);
  const { spec: before } = await bed.bundle();
  const ran = await back("bob", "shop-prod/api", "--to", "1");
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, "signed the header as it was, put A, B back");
  t.notMatch(ran.out + ran.err, /s3cret/);
  await eventually(async () => JSON.stringify((await bed.secret()).data) === '{"A":"s3cret-one","B":"s3cret-b"}');
  const { spec: after } = await bed.bundle();
  t.ok((after.data?.["A"]?.version ?? 0) > (before.data?.["A"]?.version ?? 0));
  t.ok(after.header.version > before.header.version);
  t.equal(after.restart, undefined);
  const lines = bed.keyring.lines.filter(
    (line) => line.startsWith('{"audit":') && line.includes('"content":"earlier"'),
  );
  t.match(
    lines.map((line) => JSON.parse(line).audit),
    [{ action: "read", decision: "released", evidence: "proved", reason: undefined, keys: ["A", "B"] }],
  );
  await isKept("api", 4);
});

t.test("who writes only, reads only, or is nobody goes nowhere, and is told what to do", async (t) => {
  const { spec } = await bed.bundle();
  const ci = await back("ci", "shop-prod/api", "A", "--to", "2");
  t.match(ci, { code: 3, err: "ci may not write A" });
  t.match(await back("carol", "shop-prod/api", "--to", "2"), { code: 3, err: "NotAuthorised" });
  await change("api", setting("IMAGE_TAG", "v1"));
  await change("api", setting("IMAGE_TAG", "v2"));
  const states = await isKept("api", 6);
  const submitter = await back("ci", "shop-prod/api", "IMAGE_TAG", "--to", String(states.at(-2)?.revision));
  t.match(submitter, { code: 3, err: "ci may write IMAGE_TAG in acme/shop/production, but not read it" });
  const { IMAGE_TAG: _, ...others } = (await bed.bundle()).spec.data ?? {};
  t.same(others, spec.data, "nothing was written");
});

t.test("whoever edits a state that is kept, or makes one up, has nothing of it signed", async (t) => {
  const [target] = await isKept("api", 6);
  const present = await bed.bundle();
  const bundle = { name: "api", namespace: "shop-prod", uid: present.metadata.uid ?? "" };
  if (target === undefined) throw new Error("nothing is kept");
  const { revision } = target;
  const digest = target.metadata.annotations?.["zopp.dev/digest"] ?? "";
  const { data = {} } = target.data.spec;
  const evil = (entries: NonNullable<ZoppSecret["spec"]["data"]>) => ({ ...target.data.spec, data: entries });
  const flipped = { ...data["A"], sealed: flip(data["A"]?.sealed ?? "") } as (typeof data)[string];
  const elsewhere = bed.seal({ A: "evil" }, { name: "web" }).spec.data?.["A"] as (typeof data)[string];
  const stranger = bed.seal({ A: "evil" }, { by: "mallory" }).spec.data?.["A"] as (typeof data)[string];
  const { B: __, ...fewer } = data;
  const place = { namespace: "shop-prod", name: target.metadata.name };
  await t.rejects(
    bed.client.replace(CONTROLLER_REVISIONS, {
      ...target,
      data: { ...target.data, spec: evil({ ...data, A: flipped }) },
    } as KubeObject),
    { code: "ApiInvalid" },
    "the API server lets nobody change one",
  );
  const made: Record<string, readonly [spec: ZoppSecret["spec"], saying: string, code: string]> = {
    "other bytes under its name": [evil({ ...data, A: flipped }), digest, "SignatureInvalid"],
    "a key left out under its name": [evil(fewer), digest, "SignatureInvalid"],
  };
  for (const [title, [spec, saying, code]] of Object.entries(made)) {
    await bed.client.delete(CONTROLLER_REVISIONS, place);
    await bed.client.create(CONTROLLER_REVISIONS, revisionObject(bundle, { revision, digest: saying, spec }));
    t.match(await back("bob", "shop-prod/api", "--to", String(revision)), { err: `${code}:` }, title);
    t.match((await zopp("carol", ["history", "shop-prod/api"])).out, `! ${code}: `, title);
  }
  const invented: Record<string, readonly [spec: ZoppSecret["spec"], code: string]> = {
    "bytes that nobody signed": [evil({ ...data, A: flipped }), "SignatureInvalid"],
    "an entry of another bundle": [evil({ ...data, A: elsewhere }), "SignatureInvalid"],
    "an entry of somebody whom policy never named": [evil({ ...data, A: stranger }), "UnknownSigner"],
  };
  let number = 900;
  for (const [title, [spec, code]] of Object.entries(invented)) {
    number += 1;
    const secret = { ...present, spec } as ZoppSecret;
    await bed.client.create(
      CONTROLLER_REVISIONS,
      revisionObject(bundle, {
        revision: number,
        digest: bundleDigest(bundleStatements(secret, bindingsOf(bed.environment))),
        spec,
      }),
    );
    t.match(
      await back("bob", "shop-prod/api", "A", "--to", String(number)),
      { err: `${code}: bundle shop-prod/api: ` },
      title,
    );
  }
  t.same((await bed.bundle()).spec, present.spec, "nothing was written");
  t.equal((await bed.secret()).data?.["A"], "s3cret-one");
});
