// Every type of Secret that Kubernetes knows and zopp allows, on a real API server: made where the values fit it, else not at all.
import t from "tap";
import type { SecretSpec } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { tlsPair } from "../fixtures.tls.js";
import { startTestbed } from "../testbed.js";

const { cert: CERTIFICATE, key: PRIVATE_KEY } = await tlsPair();

const bed = await startTestbed();
t.teardown(() => bed.stop());

const SHAPES: Record<
  string,
  {
    target: NonNullable<SecretSpec["target"]>;
    values: Record<string, string>;
    render?: Record<string, string>;
    ready: string;
  }
> = {
  "a tls pair": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE, "tls.key": PRIVATE_KEY },
    ready: "Synced",
  },
  "tls without its key": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE },
    ready: "TargetShape",
  },
  "tls with text for a key": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE, "tls.key": "hunter2" },
    ready: "TargetShape",
  },
  "tls with the key of another certificate": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE, "tls.key": (await tlsPair()).key },
    ready: "TargetShape",
  },
  "a registry's credentials": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { ".dockerconfigjson": '{"auths":{}}' },
    ready: "Synced",
  },
  "credentials that are not JSON": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { ".dockerconfigjson": "hunter2" },
    ready: "TargetShape",
  },
  "credentials that a template makes": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { TOKEN: 'hunter2"' },
    render: { ".dockerconfigjson": '{"auths":{"r.example":{"password":[[ TOKEN | json ]]}}}' },
    ready: "Synced",
  },
  "credentials that a template makes wrongly": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { TOKEN: 'hunter2"' },
    render: { ".dockerconfigjson": '{"auths":{"r.example":{"password":"[[ TOKEN ]]"}}}' },
    ready: "TargetShape",
  },
  "a registry's credentials in the old form": {
    target: { type: "kubernetes.io/dockercfg" },
    values: { ".dockercfg": '{"r.example":{}}' },
    ready: "Synced",
  },
  "credentials in the old form that are a list": {
    target: { type: "kubernetes.io/dockercfg" },
    values: { ".dockercfg": '["hunter2"]' },
    ready: "TargetShape",
  },
  "a name and a password": {
    target: { type: "kubernetes.io/basic-auth" },
    values: { username: "a", password: "b" },
    ready: "Synced",
  },
  "neither a name nor a password": {
    target: { type: "kubernetes.io/basic-auth" },
    values: { user: "hunter2" },
    ready: "TargetShape",
  },
  "a key for SSH": {
    target: { type: "kubernetes.io/ssh-auth" },
    values: { "ssh-privatekey": PRIVATE_KEY.replaceAll("PRIVATE", "OPENSSH PRIVATE") },
    ready: "Synced",
  },
  "a public key for SSH": {
    target: { type: "kubernetes.io/ssh-auth" },
    values: { "ssh-privatekey": "ssh-ed25519 hunter2" },
    ready: "TargetShape",
  },
  "a type of one's own": { target: { type: "example.com/own" }, values: { A: "1" }, ready: "Synced" },
};
for (const [at, [title, { target, values, render, ready }]] of Object.entries(SHAPES).entries()) {
  t.test(`${title}: ${ready}`, async (t) => {
    const name = `shape-${at}`;
    await bed.applyBundle(bed.seal(values, { name, target, ...(render && { render }) }));
    const bundle = await bed.settled(ready, name);
    t.notMatch(readyOf(bundle.status)?.message, /hunter2/);
    if (ready === "Synced") t.equal((await bed.secret(name)).type, target.type);
    else await t.rejects(bed.secret(name), { code: "NotFound" });
  });
}
