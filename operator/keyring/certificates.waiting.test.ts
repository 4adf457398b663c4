// A certificate that is due while its CA does not sign: what waits for it, and what does not.
import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { caRule, caRuled, leafBundle, leafRule, partsOf } from "../../hack/fixtures.certificates.js";
import { PASSWORD, withGenerated } from "../../hack/fixtures.generated.js";
import { bundle, withHeader, world, writingBy } from "../../hack/fixtures.js";
import { presented } from "../../hack/generating-keyring.js";
import { CA, DAY, issuing, refusal } from "../../hack/issuing-keyring.js";
import { LATER } from "../../hack/keyring-world.js";

/** A bundle with a password that is made anew every hour, beside certificates. */
function mixed(...keys: readonly string[]): ZoppSecret {
  const leaves = keys.map((key) => [key, leafRule({ key: `${key}.crt`, authority: undefined })] as const);
  return bundle(world().environment, {}, { generate: { ...Object.fromEntries(leaves), TOKEN: PASSWORD } });
}

t.test("a certificate that is due and whose CA does not sign holds up no other value, and stays", async (t) => {
  const { born, generate, open, pass, recorded, world: kept, ca } = await issuing();
  const { made: held } = await born(mixed("a.key", "b.key"), ca);
  pass(DAY);
  const narrowed = { ...caRuled(ca, caRule([]), new Date(LATER.getTime() + DAY)), status: ca.status };
  const refused: readonly (readonly [sent: readonly ZoppSecret[], code: string])[] = [
    [[], "IssuerPending"],
    [[narrowed], "IssuerPending"],
    [[{ ...ca, status: {} }], "IssuerRefused"],
  ];
  for (const [issuers, code] of refused) {
    const { generated, made, waiting } = await generate(held, { issuers, withinMs: 0 });
    t.strictSame(made, ["TOKEN"]);
    t.match(waiting, [
      {
        key: "a.key",
        error: { code, message: /^bundle shop-prod\/api: spec\.generate\.a\.key\.certificate\.issuer: the CA / },
      },
      { key: "b.key", error: { code } },
    ]);
    t.match(kept.refusals.at(-1), { action: "generate", object: "shop-prod/api", reason: code });
    t.match(recorded().at(-1), { action: "generate", decision: "done", keys: ["TOKEN"] });
    for (const key of ["a.key", "b.key"]) t.strictSame(generated[key], held.status?.generated?.[key]);
  }
  const next = withGenerated(held, (await generate(held)).generated);
  const opened = await open(next);
  t.strictSame(partsOf(next, "a.key", opened).authority.length, 1, "it opens as before");
  const before = recorded().length;
  t.match(await generate(next), { generated: next.status?.generated, made: [], waiting: [{}, {}] });
  t.equal(recorded().length, before, "and where nothing else is due, nothing is made");
  t.match(await generate(next, { issuers: [ca] }), { made: ["a.key", "b.key"], waiting: [] });
});

t.test("a rule without a certificate of its own waits for its CA, with its bundle", async (t) => {
  const { born, generate, pass, ca } = await issuing();
  const { made: held } = await born(leafBundle(), ca);
  pass(1000);
  const renamed = { "tls.key": { ...leafRule({ dnsNames: ["web.shop.svc"] }), version: 2 }, TOKEN: PASSWORD };
  const signed = withHeader(held, { generate: renamed }, writingBy("alice", world().environment, LATER));
  const asked = { ...signed, status: held.status };
  t.match(await refusal(generate(asked)), /^IssuerPending: .*is not there/);
  t.match(await generate(asked, { issuers: [ca] }), { made: ["tls.key", "TOKEN"], waiting: [] });
});

t.test("a certificate that no CA signs any more gives way to the accepted one, not to nothing", async (t) => {
  const { born, generate, open, pass, ca } = await issuing();
  const { made: held } = await born(leafBundle(), ca);
  pass(DAY);
  const unused = withGenerated(held, (await generate(held, { issuers: [ca] })).generated);
  await born({ ...caRuled(ca, caRule([], 2), new Date(LATER.getTime() + DAY)), status: ca.status });
  t.match(await open(unused), { ok: false, error: { code: "ApiConflict" } });
  const { generated, waiting } = await generate(unused);
  t.match(waiting, [{ key: "tls.key", error: { code: "IssuerPending" } }]);
  t.equal(generated["tls.key"]?.signature, held.status?.generated?.["tls.key"]?.signature);
  t.match(await open(withGenerated(held, generated)), { ok: true });
});

t.test("a CA is verified once for all that it signs in one call, and again when more of it is accepted", async (t) => {
  const { generate, world: kept, ca } = await issuing();
  let looked = 0;
  let meanwhile = () => {};
  const sentIssuers = [
    {
      ...presented(ca),
      get spec() {
        looked += 1;
        queueMicrotask(meanwhile);
        return presented(ca).spec;
      },
    },
  ];
  await generate(mixed("a.key", "b.key", "c.key"), { sentIssuers });
  t.equal(looked, 1);
  const { header } = caRuled(ca, caRule([]), LATER).spec;
  const narrowed = { environment: ca.spec.environment, header: { version: header.version, hash: "0".repeat(64) } };
  meanwhile = () =>
    kept.ledger.apply({
      index: 99,
      time: "",
      actor: "",
      action: "open",
      decision: "released",
      object: CA,
      ...narrowed,
    });
  const asked = generate(mixed("a.key", "b.key"), { sentIssuers });
  t.match(await refusal(asked), /^IssuerRefused: .*spec\.generate\.b\.key.*RollbackRefused/);
});
