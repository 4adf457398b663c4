// What is refused of a certificate's rule before anybody signs it, or a keyring looks at it.
import t from "tap";
import { caRule, leafRule } from "../hack/fixtures.certificates.js";
import { bundle, world } from "../hack/fixtures.js";
import { namesNotIssued } from "./bundle/certificate.js";
import { ruleHash } from "./bundle/generated.js";
import { ZoppError } from "./errors.js";
import type { CertificateRule, GenerateRule } from "./types.gen.js";
import { parseSecret } from "./validate.js";

const CERTIFICATE = "spec.generate.K.certificate";

function problemsOf(rule: GenerateRule): readonly string[] {
  try {
    parseSecret(bundle(world().environment, { SEALED: "x" }, { generate: { K: rule } }));
    return [];
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return error.fields.map(({ path, problem }) => `${path} ${problem}`);
  }
}

const leaf = (changes: Partial<CertificateRule>): GenerateRule => leafRule(changes);
const ca = (changes: Partial<CertificateRule>): GenerateRule => {
  const rule = caRule();
  return { ...rule, certificate: { key: "ca.crt", validFor: "20d", ...rule.certificate, ...changes } };
};
const names = (count: number) => Array.from({ length: count }, (_, at) => `n${at}.svc`);

t.test("a certificate's rule that fits is taken", async (t) => {
  const ipAddresses = ["10.0.0.7", "::1", "2001:db8::a"];
  t.strictSame(problemsOf(leaf({ ipAddresses, uris: ["spiffe://acme/api"], dnsNames: ["*.shop.svc", "x"] })), []);
  t.strictSame(problemsOf(ca({ commonName: "shop internal" })), []);
  t.strictSame(problemsOf(leaf({ issuer: undefined, dnsNames: undefined, commonName: "api" })), []);
});

t.test("a certificate's rule is refused", async (t) => {
  const { rotateEvery: _, ...unrotated } = leafRule();
  const { certificate: __, ...uncertified } = leafRule();
  const { curve: ___, ...curveless } = leafRule();
  const refused: readonly (readonly [what: string, rule: GenerateRule, problem: string])[] = [
    ["that is never made again", unrotated, "spec.generate.K.rotateEvery is missing: certificates end"],
    [
      "that ends before another one is made",
      leaf({ validFor: "1d" }),
      "spec.generate.K.rotateEvery is not shorter than certificate.validFor",
    ],
    ["without what is in it", uncertified, `${CERTIFICATE} is missing: the kind certificate needs it`],
    ["without a curve", curveless, "spec.generate.K.curve is missing: the kind certificate needs it"],
    ["of another kind", { ...leafRule(), kind: "ecdsa" }, `${CERTIFICATE} does not go with the kind ecdsa`],
    [
      "by a CA in its own bundle",
      leaf({ issuer: { name: "api", key: "ca.key" } }),
      `${CERTIFICATE}.issuer.name is this bundle: a CA stands in another one`,
    ],
    ["for nothing", leaf({ dnsNames: undefined }), `${CERTIFICATE} names nothing that the certificate is for`],
    ["for too much", leaf({ dnsNames: names(16), commonName: "a" }), `${CERTIFICATE} has more than 16 names`],
    ["for a sealed key", leaf({ key: "SEALED" }), `${CERTIFICATE}.key is a data key as well`],
    ["for its own key", leaf({ authority: "K" }), `${CERTIFICATE}.authority is a generated key as well`],
    ["for a name twice", leaf({ dnsNames: ["a.svc", "a.svc"] }), `${CERTIFICATE}.dnsNames.1 stands there twice`],
    ["for no name", leaf({ dnsNames: ["A.svc"] }), `${CERTIFICATE}.dnsNames.0 does not have the form of this field`],
    [
      "for an address in another form",
      leaf({ ipAddresses: ["::0001"] }),
      `${CERTIFICATE}.ipAddresses.0 is not an IP address in its shortest form`,
    ],
    [
      "for no address",
      leaf({ ipAddresses: ["10.0.0"] }),
      `${CERTIFICATE}.ipAddresses.0 is not an IP address in its shortest form`,
    ],
    ["for no URI", leaf({ uris: ["http://[/"] }), `${CERTIFICATE}.uris.0 is not a URI`],
    ["of a CA without a name", ca({ commonName: undefined }), `${CERTIFICATE}.commonName is missing: a CA needs one`],
    ["of a CA under another", ca({ issuer: { name: "a", key: "b" } }), `${CERTIFICATE}.issuer does not go with ca`],
    ["of a CA that is a server", ca({ dnsNames: ["a.svc"] }), `${CERTIFICATE}.dnsNames does not go with ca`],
    ["that signs and is no CA", leaf({ issues: [] }), `${CERTIFICATE}.issues goes with ca only`],
  ];
  for (const [what, rule, problem] of refused) t.ok(problemsOf(rule).includes(problem), `${what}: ${problemsOf(rule)}`);
});

t.test("a name is given by the same text, or by *. and what follows its first dot", async (t) => {
  const given = caRule([
    { bundle: "api", names: ["*.shop.svc", "db", "10.0.0.7"] },
    { bundle: "*", names: ["all.svc"] },
  ]).certificate as CertificateRule;
  const refused = (bundleName: string, ...dnsNames: string[]) =>
    namesNotIssued(given, bundleName, { key: "tls.crt", validFor: "1d", dnsNames });
  t.strictSame(refused("api", "a.shop.svc", "*.shop.svc", "db", "all.svc"), []);
  t.strictSame(refused("api", "shop.svc", "a.b.shop.svc", "xshop.svc", "b", ".shop.svc"), [
    "shop.svc",
    "a.b.shop.svc",
    "xshop.svc",
    "b",
    ".shop.svc",
  ]);
  t.strictSame(refused("web", "a.shop.svc", "all.svc"), ["a.shop.svc"]);
});

t.test(
  "whom a CA signs for, and under which keys certificates stand, makes no other value; their names do",
  async (t) => {
    const same = [ca({ issues: [] }), ca({ issues: undefined }), ca({ key: "x", authority: "y" })];
    for (const rule of same) t.equal(ruleHash(rule), ruleHash(caRule()));
    t.not(ruleHash(ca({ commonName: "another" })), ruleHash(caRule()));
    t.not(ruleHash(leaf({ dnsNames: ["b.shop.svc"] })), ruleHash(leaf({})));
    t.not(ruleHash(leaf({ issuer: undefined })), ruleHash(leaf({})));
  },
);
