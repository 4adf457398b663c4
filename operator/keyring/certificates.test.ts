// Certificates among the generated values: what is in them, who signs them, and that a CA signs for nobody whom its own signed rule
// does not name, whatever an operator that was taken over sends.
import { createPrivateKey, X509Certificate } from "node:crypto";
import t from "tap";
import type { CertificateRule, ZoppSecret } from "../../crds/types.gen.js";
import { caBundle, caRule, caRuled, ISSUES, leafBundle, leafRule, partsOf } from "../../hack/fixtures.certificates.js";
import { withGenerated } from "../../hack/fixtures.generated.js";
import { bundle, world } from "../../hack/fixtures.js";
import { CA, DAY, issuing, refusal } from "../../hack/issuing-keyring.js";
import { LATER } from "../../hack/keyring-world.js";

function read(pem: Uint8Array | undefined): X509Certificate {
  return new X509Certificate(pem ?? "");
}

t.test("a CA signs itself, and nothing below it may be one", async (t) => {
  const { caParts: ofCa } = await issuing();
  const caParts = ofCa();
  const certificate = read(caParts.certificate);
  t.ok(certificate.ca && certificate.verify(certificate.publicKey) && certificate.checkIssued(certificate));
  t.ok(certificate.checkPrivateKey(createPrivateKey(Buffer.from(caParts.key))));
  t.equal(certificate.subject, "CN=shop internal");
  t.equal(certificate.validToDate.getTime(), LATER.getTime() + 20 * DAY);
  t.ok(certificate.validFromDate < LATER, "clocks differ");
  t.equal(caParts.authority.length, 1);
  t.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
});

t.test("a certificate that nobody else signs is checked by itself", async (t) => {
  const { born } = await issuing();
  const rule = leafRule({ issuer: undefined, commonName: "api", uris: ["spiffe://acme/api"], usages: ["client"] });
  const { made, opened } = await born(leafBundle(rule));
  const parts = partsOf(made, "tls.key", opened);
  const certificate = read(parts.certificate);
  t.ok(!certificate.ca && certificate.verify(certificate.publicKey));
  t.strictSame(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  t.equal(certificate.subjectAltName, "DNS:api.shop.svc, URI:spiffe://acme/api");
  t.strictSame(parts.authority, [parts.certificate]);
});

t.test("a CA signs for the bundle that its rule names, which is on record before it is given away", async (t) => {
  const { born, ca, caParts, recorded } = await issuing();
  const rule = leafRule({ ipAddresses: ["10.0.0.7"], validFor: "90d" });
  const { made, opened } = await born(leafBundle(rule), ca);
  const { key, certificate, authority } = partsOf(made, "tls.key", opened);
  const [leaf, root] = [read(certificate), read(caParts().certificate)];
  t.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root) && !leaf.ca);
  t.ok(leaf.checkPrivateKey(createPrivateKey(Buffer.from(key))));
  t.ok(leaf.checkHost("api.shop.svc") && leaf.checkIP("10.0.0.7"));
  t.strictSame(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  t.equal(leaf.validTo, root.validTo, "no longer than the CA");
  t.strictSame(authority, [caParts().certificate]);
  const facts = recorded();
  const at = facts.findIndex(({ object, action }) => object === "shop-prod/api" && action === "generate");
  const until = `${root.validToDate.toISOString().slice(0, 19)}Z`;
  const issued = { by: "shop-prod/internal-ca", names: ["api.shop.svc", "10.0.0.7"], until };
  t.match(facts[at], { decision: "done", issued: { "tls.key": issued } });
  t.equal(facts[at]?.issued?.["tls.key"]?.serial.toUpperCase(), leaf.serialNumber);
  t.equal(facts[at + 1]?.action, "open");
});

t.test("a CA signs for no bundle and no name that its rule does not name", async (t) => {
  const issues = (entries: CertificateRule["issues"]) => caBundle(caRule(entries));
  const leaf = (changes: Partial<CertificateRule>) => leafBundle(leafRule(changes));
  const refused: readonly (readonly [what: string, ca: ZoppSecret, leaf: ZoppSecret, names: string])[] = [
    ["nobody", issues([]), leaf({}), "api.shop.svc"],
    ["another bundle", issues([{ bundle: "web", names: ["*.shop.svc"] }]), leaf({}), "api.shop.svc"],
    ["another name", caBundle(), leaf({ dnsNames: ["api.bank.svc"] }), "api.bank.svc"],
    ["two labels", caBundle(), leaf({ dnsNames: ["a.b.shop.svc"] }), "a.b.shop.svc"],
    ["the domain itself", caBundle(), leaf({ dnsNames: ["shop.svc"] }), "shop.svc"],
    ["a common name", caBundle(), leaf({ commonName: "admin" }), "admin"],
    ["a URI", caBundle(), leaf({ uris: ["spiffe://acme/api"] }), "spiffe://acme/api"],
    ["an address", caBundle(), leaf({ ipAddresses: ["10.0.0.8", "10.0.0.7"] }), "10.0.0.8"],
    [
      "an address as a name",
      issues([{ bundle: "*", names: ["*.0.0.7", "api.shop.svc"] }]),
      leaf({ ipAddresses: ["10.0.0.7"] }),
      "10.0.0.7",
    ],
  ];
  for (const [what, ca, wanted, names] of refused) {
    const { born, ca: made, recorded, world } = await issuing(ca);
    const before = recorded().length;
    const text = await refusal(born(wanted, made));
    t.ok(text.startsWith("IssuerRefused: bundle shop-prod/api: spec.generate.tls.key.certificate.issuer: "), what);
    t.ok(text.includes(`bundle shop-prod/internal-ca does not sign ${names} for it`), text);
    t.equal(recorded().length, before, "nothing was made");
    t.match(world.refusals.at(-1), { action: "generate", object: "shop-prod/api", reason: "IssuerRefused" });
  }
  const every = await issuing(issues([{ bundle: "*", names: ["*.shop.svc"] }]));
  await every.born(leaf({ dnsNames: ["*.shop.svc", "api.shop.svc"] }), every.ca);
});

t.test("what a CA signs for changes without another CA, once that change is in force", async (t) => {
  const { born, open, ca } = await issuing(caBundle(caRule([])));
  const widened = { ...caRuled(ca, caRule(), LATER), status: ca.status };
  t.match(await refusal(born(leafBundle(), widened)), /^IssuerPending: .*has not accepted the change yet/);
  await open(widened);
  await born(leafBundle(), widened);
  const web = bundle(world().environment, {}, { name: "web", generate: { "tls.key": leafRule() } });
  const again = await refusal(born(web, ca));
  t.match(again, /^IssuerRefused: .*RollbackRefused/, "nor by what was signed before it");
});

t.test("a CA that is not exactly what the keyring has accepted signs nothing", async (t) => {
  const kept = await issuing();
  const { born, generate, open, pass, ca } = kept;
  const foreign = { ...ca, metadata: { ...ca.metadata, namespace: "shop-dev" } };
  const wider = { "ca.key": caRule([{ bundle: "api", names: ["api.bank.svc"] }]) };
  const edited = { ...ca, spec: { ...ca.spec, generate: wider } };
  const elsewhere = { ...ca, spec: { ...ca.spec, environment: "acme/shop/staging" } };
  const other = await issuing(bundle(world().environment, {}, { name: "other-ca", generate: { "ca.key": caRule() } }));
  const taken = { ...other.ca, metadata: ca.metadata };
  const value = ca.status?.generated?.["ca.key"];
  const forged = withGenerated(ca, value === undefined ? {} : { "ca.key": { ...value, made: "2020-01-01T00:00:00Z" } });
  const { born: bornBeside, ca: plain } = await issuing(
    bundle(
      world().environment,
      {},
      {
        name: "internal-ca",
        generate: { "ca.key": { version: 1, kind: "ecdsa", curve: "P-256" } },
      },
    ),
  );
  t.match(await refusal(bornBeside(leafBundle(), plain)), /^IssuerRefused: .*no rule of that key has `ca: true`/);
  const refused: readonly (readonly [what: string, sent: readonly ZoppSecret[], text: RegExp])[] = [
    ["none", [], /^IssuerPending: .*is not there/],
    ["one of another namespace", [foreign], /^IssuerPending: .*is not there/],
    ["one with another rule than was signed", [edited], /^IssuerRefused: .*SignatureInvalid/],
    ["one of another environment", [elsewhere], /^IssuerRefused: .*is in the environment acme\/shop\/staging/],
    ["another bundle under its name", [taken], /^IssuerRefused: .*PlaceMismatch|^IssuerRefused: .*SignatureInvalid/],
    ["one without its value", [{ ...ca, status: {} }], /^IssuerRefused: .*GeneratedLost/],
    ["one with a changed value", [forged], /^IssuerRefused: .*SignatureInvalid/],
  ];
  for (const [what, sent, text] of refused) t.match(await refusal(born(leafBundle(), ...sent)), text, what);
  pass(10 * DAY);
  const renewed = withGenerated(ca, (await generate(ca)).generated);
  t.match(
    await refusal(born(leafBundle(), renewed)),
    /^IssuerPending: .*has no value yet that this keyring has accepted/,
  );
  await open(renewed);
  t.match(await refusal(born(leafBundle(), ca)), /^IssuerRefused: .*RollbackRefused/, "nor does the value before");
  pass(20 * DAY);
  t.match(await refusal(born(leafBundle(), renewed)), /^IssuerPending: .*has ended/);
});

t.test("another value of the CA has another certificate made at once, and both CAs are trusted then", async (t) => {
  const { born, generate, open, pass, ca, caParts } = await issuing();
  const { made: held } = await born(leafBundle({ ...leafRule({ validFor: "20d" }), rotateEvery: "15d" }), ca);
  pass(10 * DAY);
  t.strictSame(
    (await generate(held, { issuers: [ca] })).made,
    [],
    "as long as the CA's own time is over, and no other is there",
  );
  const rotated = await born(ca);
  pass(1000);
  const second = await born(held, rotated.made);
  const before = held.status?.generated?.["tls.key"];
  const after = second.made.status?.generated?.["tls.key"];
  t.not(after?.issuer, before?.issuer);
  const parts = partsOf(second.made, "tls.key", second.opened);
  const [next, last] = parts.authority;
  t.strictSame([parts.authority.length, last], [2, caParts().certificate]);
  t.ok(read(parts.certificate).verify(read(next).publicKey));
  t.strictSame((await generate(second.made, { issuers: [rotated.made] })).made, [], "and then it stays");
  t.match(await open(held), { ok: false, error: { code: "RollbackRefused" } }, "the one before comes back no more");
});

t.test("a certificate by a CA's value that another one has replaced meanwhile is never taken", async (t) => {
  const { born, generate, open, pass, ca } = await issuing();
  const early = withGenerated(leafBundle(), (await generate(leafBundle(), { issuers: [ca] })).generated);
  pass(1000);
  const again = caRuled(ca, caRule(ISSUES, 2), LATER);
  const { made, opened } = await born({ ...again, status: ca.status });
  t.equal(partsOf(made, "ca.key", opened).authority.length, 1, "a CA that somebody replaced is trusted no more");
  t.match(await open(early), { ok: false, error: { code: "ApiConflict" } });
  await born(early, made);
});

t.test("what a CA signed is not taken when its place has gone to another environment", async (t) => {
  const { generate, open, world: kept, ca } = await issuing();
  const early = withGenerated(leafBundle(), (await generate(leafBundle(), { issuers: [ca] })).generated);
  const { version } = ca.spec.header;
  const moved = { environment: "acme/shop/staging", header: { version: version + 1, hash: "0".repeat(64) } };
  kept.ledger.apply({ index: 99, time: "", actor: "", action: "open", decision: "released", object: CA, ...moved });
  t.match(await open(early), { ok: false, error: { code: "ApiConflict" } });
});
