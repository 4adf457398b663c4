// What somebody reaches who controls the operator's container: tried from inside it, with its own files, network and token.
// What must come of it is the table below; SECURITY.md says it in words.
import { SYSTEM } from "../../chart/chart.js";
import { APP, type Site } from "./site.js";

/** One attempt: a file that is read, a request to the API server, or a connection. */
export interface Attempt {
  readonly what: string;
  /** JavaScript that gives the outcome as text; `api(method, path)` gives the API server's status code. */
  readonly script: string;
}

/** What differs between the modes: status codes of the API server. */
export interface Differences {
  readonly ledgers: string;
  /** Secrets of a namespace that is not listed. */
  readonly otherNamespace: string;
  /** The Secret that holds one share of the seed. */
  readonly seedSecret: string;
}

/** What a compromised operator tries in every mode, and what must come of it. */
export function reachOf(differences: Differences): readonly (Attempt & { readonly outcome: string | RegExp })[] {
  const get = (path: string) => `api("GET", "${path}")`;
  const post = (path: string, object: object) =>
    `api("POST", "${path}", ["application/json", ${JSON.stringify(JSON.stringify(object))}])`;
  const ours = `/api/v1/namespaces/${SYSTEM}`;
  const served = `/api/v1/namespaces/${APP.namespace}`;
  const merge = (path: string) =>
    `api("PATCH", "${path}", ["application/merge-patch+json", '{"metadata":{"labels":{"a":"b"}}}'])`;
  const token = {
    metadata: { name: "stolen", annotations: { "kubernetes.io/service-account.name": "default" } },
    type: "kubernetes.io/service-account-token",
  };
  return [
    {
      what: "a volume with the seed",
      script: 'readFileSync("/proc/self/mounts", "utf8").includes("seed")',
      outcome: "false",
    },
    {
      what: "the keyring's process",
      script: `readdirSync("/proc").filter((id) => /^\\d+$/.test(id) && readFileSync("/proc/" + id + "/cmdline", "utf8").includes("keyring.mjs")).length`,
      outcome: "0",
    },
    { what: "Secrets where it serves", script: get(`${served}/secrets`), outcome: "200" },
    {
      what: "Secrets elsewhere",
      script: get("/api/v1/namespaces/kube-system/secrets"),
      outcome: differences.otherNamespace,
    },
    { what: "the seed's Secret", script: get(`${ours}/secrets/zopp-seed`), outcome: differences.seedSecret },
    {
      what: "the seed's Secret by a patch, whose answer shows it",
      script: merge(`${ours}/secrets/zopp-seed`),
      outcome: /^4(03|22)$/,
    },
    { what: "the seed's other share", script: get(`${ours}/configmaps/zopp-seed-share`), outcome: "403" },
    {
      what: "ledgers",
      script: get(`/apis/zopp.dev/v1alpha1/namespaces/${SYSTEM}/zoppledgers`),
      outcome: differences.ledgers,
    },
    {
      what: "deleting what the log says",
      script: `api("DELETE", "/apis/zopp.dev/v1alpha1/namespaces/${SYSTEM}/zoppauditsegments")`,
      outcome: "403",
    },
    { what: "somebody else's Secret, changed", script: merge(`${served}/secrets/foreign`), outcome: /^4(03|22)$/ },
    {
      what: "a token of another account, as a Secret",
      script: post(`${served}/secrets`, token),
      outcome: /^4(03|22)$/,
    },
    { what: "a token of another account", script: post(`${served}/serviceaccounts/default/token`, {}), outcome: "403" },
    { what: "a pod of its own", script: post(`${served}/pods`, { metadata: { name: "p" } }), outcome: "403" },
    {
      what: "bundles, changed",
      script: merge(`/apis/zopp.dev/v1alpha1/namespaces/${APP.namespace}/zoppsecrets/${APP.name}`),
      outcome: "403",
    },
  ];
}

/** Runs attempts in the operator's container; gives each one's outcome, or "failed: CODE". */
export async function attemptIn(site: Site, attempts: readonly Attempt[]): Promise<Readonly<Record<string, string>>> {
  const { pod } = await site.container("operator");
  const program = `
    const { readFileSync, readdirSync } = require("node:fs");
    const https = require("node:https");
    const home = "/var/run/secrets/kubernetes.io/serviceaccount/";
    const api = (method, path, body) => new Promise((resolve, reject) => {
      const headers = { authorization: "Bearer " + readFileSync(home + "token"), "content-type": body?.[0] ?? "application/json" };
      const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
      https.request({ host, port, path, method, headers, ca: readFileSync(home + "ca.crt") }, (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode));
      }).once("error", reject).end(body?.[1]);
    });
    const tries = { ${attempts.map(({ what, script }) => `${JSON.stringify(what)}: async () => ${script}`).join(",\n")} };
    (async () => {
      const found = {};
      for (const [what, act] of Object.entries(tries))
        found[what] = await Promise.resolve().then(act).then(String, (error) => "failed: " + (error.code ?? error.message));
      console.log(JSON.stringify(found));
    })();`;
  const encoded = Buffer.from(program).toString("base64");
  const run = `eval(Buffer.from("${encoded}", "base64").toString())`;
  return JSON.parse(
    await site.type(`kubectl exec ${pod} -n ${SYSTEM} -c operator -- /nodejs/bin/node -e '${run}'`),
  ) as Record<string, string>;
}
