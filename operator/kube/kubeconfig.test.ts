// Which account a kubeconfig names, read by us or by client-node, and every way in which a file is refused.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { stringify } from "yaml";
import { type EndpointOptions, loadEndpoint } from "./kubeconfig.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly name?: string;
}

function config({ cluster, user, context, name = "one" }: Parts = {}): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: `${name}-cluster`, user: `${name}-user`, ...context } }],
    clusters: [{ name: `${name}-cluster`, cluster: { server: `https://${name}.example:6443`, ...cluster } }],
    users: [{ name: `${name}-user`, user: { token: `token-${name}`, ...user } }],
  });
}

/** Writes files into the test's own folder; gives the path of the first. */
function files(t: Test, contents: Record<string, string>): string {
  const folder = t.testdir({});
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return join(folder, Object.keys(contents)[0] ?? "");
}

t.test("a plain file gives server, namespace, token and certificates, inline or beside it", async (t) => {
  const inline = { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") };
  const cluster = { "certificate-authority": "pki/ca.crt", "tls-server-name": "api" };
  const file = files(t, {
    config: config({ user: inline, cluster, context: { namespace: "shop" } }),
    "pki/ca.crt": "CA",
  });
  const endpoint = await loadEndpoint({ file });
  t.equal(endpoint.server.href, "https://one.example:6443/");
  t.equal(endpoint.namespace, "shop");
  t.same(await endpoint.credentials(), {
    headers: { authorization: "Bearer token-one" },
    tls: { ca: "CA", cert: "CERT", key: "KEY", servername: "api" },
  });
});

t.test("a token file is read again at each call, so that rotation is seen", async (t) => {
  const file = files(t, { config: config({ user: { token: "", tokenFile: "token" } }), token: "first\n" });
  const endpoint = await loadEndpoint({ file });
  t.equal((await endpoint.credentials()).headers.authorization, "Bearer first");
  writeFileSync(join(dirname(file), "token"), "second\n");
  t.equal((await endpoint.credentials()).headers.authorization, "Bearer second");
});

t.test("verification is off only where the file says so", async (t) => {
  const file = files(t, { config: config({ cluster: { "insecure-skip-tls-verify": true } }) });
  t.same((await (await loadEndpoint({ file })).credentials()).tls, { rejectUnauthorized: false });
  const text = files(t, { config: config({ cluster: { "insecure-skip-tls-verify": "true" } }) });
  t.same((await (await loadEndpoint({ file: text })).credentials()).tls, {});
});

t.test("KUBECONFIG, then ~/.kube/config are found, and a context can be chosen", async (t) => {
  const two = config().replace("current-context: one", "current-context: other");
  const file = files(t, { config: two, "home/.kube/config": config({ name: "home" }) });
  const env = { KUBECONFIG: file, HOME: join(dirname(file), "home") };
  await t.rejects(loadEndpoint({ env }), { code: "NotFound", message: /no context named other/ });
  t.equal((await loadEndpoint({ env, context: "one" })).server.hostname, "one.example");
  t.equal((await loadEndpoint({ env: { HOME: env.HOME } })).server.hostname, "home.example");
});

t.test("a pod's own account needs the variables of a pod", async (t) => {
  await t.rejects(loadEndpoint({ inCluster: true, env: {} }), { code: "NotFound" });
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  t.equal((await loadEndpoint({ inCluster: true, env })).server.href, "https://[fd00::1]/");
});

t.test("an exec plugin gives its token, through client-node", async (t) => {
  const credential = {
    kind: "ExecCredential",
    apiVersion: "client.authentication.k8s.io/v1",
    status: { token: "from-plugin" },
  };
  const file = files(t, { config: "", plugin: `#!/bin/sh\necho '${JSON.stringify(credential)}'\n` });
  const plugin = join(dirname(file), "plugin");
  chmodSync(plugin, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
  writeFileSync(
    file,
    config({ user: { token: undefined, exec }, cluster: { "certificate-authority-data": base64("CA") } }),
  );
  const endpoint = await loadEndpoint({ file });
  t.same(await endpoint.credentials(), { headers: { authorization: "Bearer from-plugin" }, tls: { ca: "CA" } });

  writeFileSync(plugin, "#!/bin/sh\necho hunter2 >&2\nexit 1\n");
  const error = await (await loadEndpoint({ file })).credentials().catch((caught: unknown) => caught);
  t.match(error, { code: "ApiRefused" });
  t.notMatch(String((error as Error).message), /hunter2/);
});

t.test("passwords, impersonation, proxies and several files go through client-node", async (t) => {
  const user = { token: "", username: "ada", password: "pw", as: "bob" };
  const file = files(t, {
    config: config({ user, cluster: { "proxy-url": "http://proxy.example:3128" }, context: { namespace: "shop" } }),
    second: config({ name: "two" }),
  });
  const endpoint = await loadEndpoint({ file });
  t.equal(endpoint.proxy, "http://proxy.example:3128");
  t.equal(endpoint.namespace, "shop");
  t.equal((await endpoint.credentials()).headers.authorization, `Basic ${base64("ada:pw")}`);
  const env = { KUBECONFIG: `${file}:${join(dirname(file), "second")}` };
  t.equal((await loadEndpoint({ env, context: "two" })).server.hostname, "two.example");
  t.equal((await loadEndpoint({ env })).server.hostname, "one.example");
});

const refused: Record<string, { content: string; code: string; context?: string }> = {
  "a file that is not YAML": { content: "{hunter2", code: "Malformed" },
  "an empty file": { content: "", code: "Malformed" },
  "a file without current-context": { content: "apiVersion: v1", code: "NotFound" },
  "a context that is not there": { content: config(), context: "other", code: "NotFound" },
  "a cluster without an address": { content: config({ cluster: { server: "hunter2" } }), code: "Malformed" },
  "http to another machine": { content: config({ cluster: { server: "http://api.example" } }), code: "Malformed" },
  "a context whose user is not there": { content: config({ context: { user: "nobody" } }), code: "NotFound" },
  "a socks proxy": { content: config({ cluster: { "proxy-url": "socks5://x" } }), code: "Malformed" },
};
for (const [title, { content, code, context }] of Object.entries(refused)) {
  t.test(`${title} is refused`, async (t) => {
    const options: EndpointOptions = { file: files(t, { config: content }), context };
    const error = await loadEndpoint(options).catch((caught: unknown) => caught);
    t.match(error, { code });
    t.notMatch(String((error as Error).message), /hunter2/);
  });
}

t.test("a file that is not there is NotFound, and so is no file at all", async (t) => {
  await t.rejects(loadEndpoint({ file: "/nowhere/config" }), { code: "NotFound" });
  await t.rejects(loadEndpoint({ env: { HOME: "/nowhere" } }), { code: "NotFound" });
  const file = files(t, { config: config({ cluster: { "certificate-authority": "missing.crt" } }) });
  await t.rejects((await loadEndpoint({ file })).credentials(), { code: "NotFound" });
});
