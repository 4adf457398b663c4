// What `zopp import` refuses: whatever is wrong with one part of an import, nothing of it is written.
// What it takes is import.test.ts.
import t from "tap";
import { Workbench } from "../run.case.js";

const CANARY = "canary-8d21f0c4-value";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function secret(name: string, more: object = {}): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, data: { A: base64("a") }, ...more });
}

/** Nothing of an import is written when a part of it is refused. */
const REFUSED: Readonly<Record<string, { stdin: string; words?: readonly string[]; err: RegExp; code: number }>> = {
  "a service account's token": {
    stdin: `${secret("good")}\n---\n${secret("token", { type: "kubernetes.io/service-account-token" })}`,
    err: /TargetForbidden: Secret token \(document 2 of stdin\): .*spec.target.type kubernetes.io\/service-account-token is not allowed/,
    code: 3,
  },
  "a Helm release": {
    stdin: secret("release", { type: "helm.sh/release.v1" }),
    err: /TargetForbidden: Secret release \(stdin\): .*spec.target.type helm.sh\/release.v1 is not allowed/,
    code: 3,
  },
  "data that is not base64": {
    stdin: `${secret("good")}\n---\n${secret("bad", { data: { K: `${CANARY}!` } })}`,
    err: /Malformed: Secret bad \(document 2 of stdin\): data.K is not base64/,
    code: 5,
  },
  "a key that cannot be one": {
    stdin: secret("bad", { stringData: { [`${CANARY}/`]: "x" } }),
    err: /Malformed: Secret bad \(stdin\): stringData \(key 1\) is no key that a Secret can have/,
    code: 5,
  },
  "a value that is too large": {
    stdin: `${secret("good")}\n---\n${secret("big", { stringData: { BIG: "x".repeat(64 * 1024 + 1) } })}`,
    err: /TooLarge: Secret big \(document 2 of stdin\): BIG: the value has 65537 bytes/,
    code: 5,
  },
  "a name that leads out of the store": {
    stdin: secret("../../escape"),
    err: /Malformed: Secret ..\/..\/escape \(stdin\): its name or namespace is none of Kubernetes/,
    code: 5,
  },
  "a namespace that the environment does not serve": {
    stdin: `${secret("good")}\n---\n${secret("x", { metadata: { name: "x", namespace: "kube-public" } })}`,
    err: /NamespaceNotAllowed: Secret kube-public\/x \(document 2 of stdin\): /,
    code: 3,
  },
  "another namespace than the flag's": {
    stdin: secret("x", { metadata: { name: "x", namespace: "shop-dev" } }),
    words: ["-n", "other"],
    err: /Usage: Secret shop-dev\/x \(stdin\) does not belong to the namespace other/,
    code: 2,
  },
  "two Secrets of one name": { stdin: `${secret("x")}\n---\n${secret("x")}`, err: /have one name/, code: 5 },
  "one bundle for two Secrets": {
    stdin: `${secret("x")}\n---\n${secret("y")}`,
    words: ["api"],
    err: /Usage: one bundle is named for 2 Secrets/,
    code: 2,
  },
  "a file that SOPS has sealed": {
    stdin: `A: ENC[AES256_GCM,data:${CANARY}]\nsops:\n  mac: x\n`,
    words: ["api"],
    err: /Malformed: stdin is still sealed by SOPS: open it first, as `sops -d FILE \| zopp import -`/,
    code: 5,
  },
  "lines that SOPS has sealed": {
    stdin: `A=ENC[AES256_GCM,data:${CANARY}]\nsops_version=3.13.3\n`,
    words: ["api"],
    err: /Malformed: stdin: A is still sealed by SOPS/,
    code: 5,
  },
  "a Secret that SOPS has sealed": {
    stdin: secret("x", { data: { A: "ENC[AES256_GCM,data:x]" } }),
    err: /Malformed: Secret x \(stdin\): data.A is still sealed by SOPS/,
    code: 5,
  },
  "a SealedSecret in place of its Secret": {
    stdin: JSON.stringify({ apiVersion: "bitnami.com/v1alpha1", kind: "SealedSecret", metadata: { name: "x" } }),
    err: /Malformed: stdin holds no Secret but SealedSecret: import the Secret that it becomes, from the cluster/,
    code: 5,
  },
  "a nested file": {
    stdin: `db:\n  password: ${CANARY}\n`,
    words: ["api"],
    err: /Malformed: stdin: db is a map or a list: an entry is one value/,
    code: 5,
  },
  "an empty value": { stdin: "A:\n", words: ["api"], err: /Malformed: stdin: A is empty: write ""/, code: 5 },
  "keys without a bundle": { stdin: "A=1\n", err: /Usage: keys without a Secret's name: name the bundle/, code: 2 },
  "a key on two lines": {
    stdin: "A=1\nA=2\n",
    words: ["api"],
    err: /Malformed: stdin:2: A stands there twice/,
    code: 5,
  },
  "a line that is none": {
    stdin: `A=1\n${CANARY} is the password\n`,
    words: ["api"],
    err: /Malformed: stdin: line 2 has no key that a Secret can have/,
    code: 5,
  },
  "a text that is neither": { stdin: CANARY, words: ["api"], err: /Malformed: stdin holds neither/, code: 5 },
  "nothing, as after a command that failed": { stdin: "", words: ["api"], err: /Malformed: stdin is empty/, code: 5 },
  "a Secret without data": {
    stdin: secret("x", { data: {} }),
    err: /Malformed: Secret x \(stdin\) has no data/,
    code: 5,
  },
};
for (const [title, { stdin, words = [], err, code }] of Object.entries(REFUSED)) {
  t.test(`${title}: refused, and nothing of the import is written`, async (t) => {
    const bench = new Workbench(t);
    await bench.init();
    const before = bench.files();
    const ran = await bench.run(["import", "-", ...words], { stdin });
    t.match(ran.err, err);
    t.match(ran.err, "\nnext: ");
    t.equal(ran.code, code);
    t.notMatch(ran.out + ran.err, CANARY);
    t.strictSame(bench.files(), before);
  });
}

t.test("whoever may not write there is refused before anything is", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.person("mallory", pin);
  const before = bench.files();
  t.match((await bench.run(["import", "-"], { stdin: secret("x"), as: "mallory" })).err, "UnknownSigner");
  t.strictSame(bench.files(), before);
});
