// A CA in one bundle and a certificate in another, on a real API server with real processes: the Secret serves TLS, the certificate is
// replaced in time and with its CA, and who is not allowed one keeps what he has.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import t from "tap";
import type { CertificateRule, GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { conditionOf, readyOf } from "../../operator/kube/conditions.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";

const bed = await startTestbed();
t.teardown(() => bed.stop());

const LONG = { timeoutMs: 60_000 };
const CA: CertificateRule = {
  key: "ca.crt",
  commonName: "shop internal",
  validFor: "20d",
  ca: true,
  issues: [{ bundle: "web", names: ["*.shop.svc"] }],
};
const caRule = (certificate = CA, version = 1): Readonly<Record<string, GenerateRule>> => ({
  "ca.key": { version, kind: "certificate", curve: "P-256", rotateEvery: "10d", certificate },
});
const leafRule = (name: string, version = 1): Readonly<Record<string, GenerateRule>> => ({
  "tls.key": {
    version,
    kind: "certificate",
    curve: "P-256",
    rotateEvery: "1d",
    certificate: {
      key: "tls.crt",
      authority: "ca.crt",
      dnsNames: [name],
      validFor: "3d",
      issuer: { name: "internal-ca", key: "ca.key" },
    },
  },
});
const TLS = { type: "kubernetes.io/tls" } as const;

async function dataOf(name: string): Promise<Readonly<Record<string, string>>> {
  return (await bed.secret(name)).data ?? {};
}

const settled = (reason: string, name: string) => bed.settled(reason, name, "shop-prod", 90_000);

/** The bundle that is there, to be changed. */
async function stored(name: string): Promise<ZoppSecret> {
  const { metadata: _, status: __, ...rest } = await bed.bundle(name);
  return { ...rest, metadata: { name, namespace: "shop-prod" } } as ZoppSecret;
}

/** Signs the bundle that is there with other rules. */
async function ruled(name: string, generate: Readonly<Record<string, GenerateRule>>): Promise<void> {
  await bed.applyBundle(withHeader(await stored(name), { generate }, bed.writing()));
}

/** What a client that trusts `ca` and expects this name gets from a server with this Secret. */
async function shakeHands(data: Readonly<Record<string, string>>, ca: string | undefined, servername: string) {
  const server = createServer({ key: data["tls.key"], cert: data["tls.crt"] }, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", ca, servername });
  try {
    await once(client, "secureConnect");
    return client.authorized ? "authorized" : String(client.authorizationError);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    client.destroy();
    server.close();
  }
}

t.test("a certificate waits for its CA, and then its Secret serves TLS to whoever trusts that CA", async (t) => {
  await bed.applyBundle(bed.seal({}, { name: "web", target: TLS, generate: leafRule("web.shop.svc") }));
  const { status } = await settled("IssuerPending", "web");
  t.match(readyOf(status)?.message, /the CA ca\.key of bundle shop-prod\/internal-ca is not there/);
  await bed.applyBundle(bed.seal({}, { name: "internal-ca", generate: caRule() }));
  await settled("Synced", "web");
  const [data, ca] = [await dataOf("web"), await dataOf("internal-ca")];
  t.equal((await bed.secret("web")).type, "kubernetes.io/tls");
  t.equal(data["ca.crt"], ca["ca.crt"]);
  const [leaf, root] = [data["tls.crt"], ca["ca.crt"]].map((pem) => new X509Certificate(pem ?? ""));
  t.ok(root !== undefined && leaf?.checkIssued(root) && leaf.verify(root.publicKey));
  t.equal(await shakeHands(data, ca["ca.crt"], "web.shop.svc"), "authorized");
  t.equal(await shakeHands(data, ca["ca.crt"], "db.shop.svc"), "ERR_TLS_CERT_ALTNAME_INVALID");
  t.ok(bed.keyring.lines.some((line) => line.includes('"issued":{"tls.key":{"by":"shop-prod/internal-ca"')));
});

t.test("who asks for a name that the CA does not give keeps the Secret of before", async (t) => {
  const before = await dataOf("web");
  await ruled("web", leafRule("web.bank.svc", 2));
  const { status } = await settled("IssuerRefused", "web");
  t.match(readyOf(status)?.message, /does not sign web\.bank\.svc for it/);
  t.strictSame(await dataOf("web"), before);
  await ruled("internal-ca", caRule({ ...CA, issues: [{ bundle: "*", names: ["web.bank.svc", "web.shop.svc"] }] }));
  await settled("Synced", "web");
  t.equal(await shakeHands(await dataOf("web"), before["ca.crt"], "web.bank.svc"), "authorized");
  await ruled("web", leafRule("web.shop.svc", 3));
  await settled("Synced", "web");
});

t.test("another CA has every certificate made again, and nobody asks for one", async (t) => {
  const before = await dataOf("web");
  await ruled("internal-ca", caRule(CA, 2));
  const after = await eventually(async () => {
    const data = await dataOf("web");
    return data["ca.crt"] !== before["ca.crt"] && data;
  }, LONG);
  t.equal(after["ca.crt"], (await dataOf("internal-ca"))["ca.crt"]);
  t.equal(await shakeHands(after, after["ca.crt"], "web.shop.svc"), "authorized");
  t.not(await shakeHands(after, before["ca.crt"], "web.shop.svc"), "authorized", "the CA before signed it not");
});

t.test(
  "a certificate whose CA signs no more holds up no other change of its bundle, and says that it waits",
  async (t) => {
    await bed.applyBundle(bed.seal({ NOTE: "first" }, { name: "mixed", generate: leafRule("mixed.shop.svc") }));
    const all = { ...CA, issues: [{ bundle: "*", names: ["*.shop.svc"] }] };
    await ruled("internal-ca", caRule(all, 2));
    await settled("Synced", "mixed");
    const before = await dataOf("mixed");
    await ruled("internal-ca", caRule({ ...CA, issues: [] }, 3));
    const pending = async () => conditionOf((await bed.bundle("mixed")).status, "CertificatePending");
    const said = await eventually(async () => {
      const found = await pending();
      return found?.reason === "IssuerRefused" && found;
    }, LONG);
    t.match(
      said.message,
      /^tls\.key: .*the CA ca\.key of bundle shop-prod\/internal-ca does not sign mixed\.shop\.svc/,
    );
    const waiting = async () =>
      (await readMetrics(bed.ports.metrics)).sum("zopp_certificates_waiting", { reason: "IssuerRefused" });
    await eventually(async () => (await waiting()) === 2, { message: "two certificates wait" });
    await bed.applyBundle(withValue(await stored("mixed"), "NOTE", "second", bed.writing()));
    const after = await eventually(async () => {
      const { data } = await bed.secret("mixed");
      return data?.["NOTE"] === "second" && data;
    }, LONG);
    t.equal(after["tls.crt"], before["tls.crt"]);
    t.equal(readyOf((await bed.bundle("mixed")).status)?.status, "True");
    await ruled("internal-ca", caRule(all, 3));
    await eventually(async () => (await dataOf("mixed"))["tls.crt"] !== before["tls.crt"], LONG);
    await eventually(async () => (await pending()) === undefined, LONG);
  },
);
