import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import t from "tap";
import { MAX_SECRET_BYTES } from "../../crds/bundle/target.js";
import type { ZoppError } from "../../crds/errors.js";
import { unsigned } from "../../hack/fixtures.bundle.js";
import { tlsPair } from "../../hack/fixtures.tls.js";
import { refuseWrongShape } from "./target.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const { cert: CERT, key: KEY } = await tlsPair();
const EC = await tlsPair("sec1");
const SSH_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nMIIB\n-----END OPENSSH PRIVATE KEY-----\n";
const PKCS8 = { type: "pkcs8", format: "pem" } as const;
const ENCRYPTED = createPrivateKey(KEY).export({ ...PKCS8, cipher: "aes-256-cbc", passphrase: "x" });

type Data = Record<string, string>;
const FITS: Record<string, { type: string; data: Data }> = {
  "Opaque takes anything": { type: "Opaque", data: { A: "1" } },
  "Opaque takes nothing at all": { type: "Opaque", data: {} },
  "a type of one's own domain takes anything": { type: "example.com/thing", data: { A: "1" } },
  "tls takes a certificate and a key": { type: "kubernetes.io/tls", data: { "tls.crt": CERT, "tls.key": KEY } },
  "tls takes a chain, an EC key and a CA": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": EC.cert + CERT, "tls.key": EC.key, "ca.crt": CERT },
  },
  "ssh-auth takes an OpenSSH key": { type: "kubernetes.io/ssh-auth", data: { "ssh-privatekey": SSH_KEY } },
  "dockerconfigjson takes auths": {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": '{"auths":{"r.example":{"auth":"eA=="}}}' },
  },
  "dockercfg takes an object": { type: "kubernetes.io/dockercfg", data: { ".dockercfg": "{}" } },
  "basic-auth takes a password alone": { type: "kubernetes.io/basic-auth", data: { password: "x" } },
  "the name of an object's method is a type without demands": { type: "toString", data: {} },
};
for (const [title, { type, data }] of Object.entries(FITS)) {
  t.test(title, async (t) => {
    t.doesNotThrow(() => refuse(type, dataOf(data)));
  });
}

const REFUSED: Record<string, { type: string; data: Data; says: string }> = {
  "tls needs tls.key": { type: "kubernetes.io/tls", data: { "tls.crt": CERT }, says: "needs the key tls.key" },
  "tls needs tls.crt": { type: "kubernetes.io/tls", data: { "tls.key": KEY }, says: "needs the key tls.crt" },
  "tls needs PEM in tls.crt": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": "hunter2", "tls.key": KEY },
    says: "needs a PEM certificate in tls.crt",
  },
  "tls with certificate and key swapped is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": KEY, "tls.key": CERT },
    says: "needs a PEM certificate in tls.crt",
  },
  "tls with a cut key is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": CERT, "tls.key": KEY.slice(0, 80) },
    says: "needs a PEM private key without a passphrase in tls.key",
  },
  "tls with a key that needs a passphrase is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": CERT, "tls.key": ENCRYPTED.toString() },
    says: "needs a PEM private key without a passphrase in tls.key",
  },
  "tls with a certificate in a PEM frame that holds none is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "tls.key": KEY },
    says: "needs a PEM certificate in tls.crt",
  },
  "tls with the key of another certificate is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": CERT, "tls.key": EC.key },
    says: "needs in tls.key the private key of the certificate in tls.crt",
  },
  "tls with a key of another kind is refused": {
    type: "kubernetes.io/tls",
    data: { "tls.crt": CERT, "tls.key": generateKeyPairSync("ed25519").privateKey.export(PKCS8).toString() },
    says: "needs in tls.key the private key of the certificate in tls.crt",
  },
  "ssh-auth needs a private key, not a public one": {
    type: "kubernetes.io/ssh-auth",
    data: { "ssh-privatekey": "ssh-ed25519 AAAA hunter2" },
    says: "needs a PEM private key in ssh-privatekey",
  },
  "dockerconfigjson needs JSON": {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": "hunter2" },
    says: "needs a JSON object in .dockerconfigjson",
  },
  "dockerconfigjson needs auths": {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": "{}" },
    says: 'needs an object "auths"',
  },
  "dockerconfigjson refuses auths that are a list": {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": '{"auths":[]}' },
    says: 'needs an object "auths"',
  },
  "dockercfg refuses a list": {
    type: "kubernetes.io/dockercfg",
    data: { ".dockercfg": "[]" },
    says: "needs a JSON object",
  },
  "basic-auth needs a name or a password": {
    type: "kubernetes.io/basic-auth",
    data: { user: "x" },
    says: "username or password",
  },
};
for (const [title, { type, data, says }] of Object.entries(REFUSED)) {
  t.test(title, async (t) => {
    const error = t.throws(() => refuse(type, dataOf(data))) as unknown as ZoppError;
    t.equal(error.code, "TargetShape");
    t.ok(error.message.includes(says), `says: ${error.message}`);
    t.notMatch(error.message, /hunter2|MIIB/, "and quotes nothing");
  });
}

t.test("values of more than a Secret can hold are refused", async (t) => {
  const half = new Uint8Array(MAX_SECRET_BYTES / 2);
  t.doesNotThrow(() =>
    refuse(
      "Opaque",
      new Map([
        ["A", half],
        ["B", half],
      ]),
    ),
  );
  const error = t.throws(() =>
    refuse(
      "Opaque",
      new Map([
        ["A", half],
        ["B", half],
        ["C", Uint8Array.of(1)],
      ]),
    ),
  );
  t.match(error, { code: "TooLarge" });
});

/** As the operator does it: a bundle whose entries are these keys, opened. */
function refuse(type: string, data: Map<string, Uint8Array>): void {
  const entry = { version: 1, by: "zk1", signature: "", sealed: "" };
  const entries = Object.fromEntries([...data.keys()].map((key) => [key, entry]));
  refuseWrongShape(unsigned({ environment: "a/b/c", target: { type }, data: entries }), data);
}

function dataOf(data: Data): Map<string, Uint8Array> {
  return new Map(Object.entries(data).map(([key, value]) => [key, bytes(value)]));
}
