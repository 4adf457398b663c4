// Where the API server is and who we are: kubeconfig files and the pod's own account.
// Plain files are read here; plugins, proxies and merged files go to client-node, which costs 53 MiB and 0.3 s to load.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { ZoppError } from "../../crds/errors.js";
import type { Endpoint, TlsOptions } from "./kubeconfig.types.js";

/** Which account to use: `file` or `inCluster` when given, else KUBECONFIG, ~/.kube/config, the pod's own. */
export interface EndpointOptions {
  readonly file?: string | undefined;
  readonly context?: string | undefined;
  readonly inCluster?: boolean | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

const ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";
const PLAIN_USER = new Set([
  "client-certificate",
  "client-certificate-data",
  "client-key",
  "client-key-data",
  "token",
  "tokenFile",
]);

/**
 * Finds the API server and the account. Throws NotFound when there is no such file or context,
 * Malformed when the file cannot be used.
 */
export async function loadEndpoint(options: EndpointOptions = {}): Promise<Endpoint> {
  const env = options.env ?? process.env;
  if (options.inCluster === true) return podEndpoint(env);
  const file = options.file ?? (env.KUBECONFIG || undefined);
  if (file !== undefined) return fileEndpoint(file, options.context);
  const home = join(env.HOME ?? homedir(), ".kube", "config");
  if (readOptional(home) !== null) return fileEndpoint(home, options.context);
  if (readOptional(join(ACCOUNT_FOLDER, "token")) !== null) return podEndpoint(env);
  throw new ZoppError("NotFound", "no kubeconfig: neither KUBECONFIG, ~/.kube/config nor a pod's account is there");
}

function podEndpoint(env: NodeJS.ProcessEnv): Endpoint {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  if (!host || !port) throw new ZoppError("NotFound", "not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
  const namespace = readOptional(join(ACCOUNT_FOLDER, "namespace"))?.trim();
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    ...(namespace ? { namespace } : {}),
    credentials: async () => ({
      headers: { authorization: `Bearer ${read(join(ACCOUNT_FOLDER, "token")).trim()}` },
      tls: { ca: read(join(ACCOUNT_FOLDER, "ca.crt")) },
    }),
  };
}

async function fileEndpoint(file: string, context: string | undefined): Promise<Endpoint> {
  const found = file.includes(delimiter) ? null : readPlain(file, context);
  const endpoint = found ?? (await (await import("./kubeconfig-full.js")).loadFull(file, context));
  const { protocol, hostname } = endpoint.server;
  const loopback = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
  if (protocol === "https:" || (protocol === "http:" && loopback)) return endpoint;
  throw new ZoppError("Malformed", `kubeconfig ${file}: the server's address must be https (http only on loopback)`);
}

/** The endpoint of a kubeconfig that needs no plugin and no proxy, or null when it does. */
function readPlain(file: string, contextName: string | undefined): Endpoint | null {
  const config = parseConfig(file);
  const name = contextName ?? text(config["current-context"]);
  if (name === undefined) throw new ZoppError("NotFound", `kubeconfig ${file} names no current-context`);
  const context = pick(config, "contexts", name, "context", file);
  const cluster = pick(config, "clusters", text(context.cluster) ?? "", "cluster", file);
  const user = pick(config, "users", text(context.user) ?? "", "user", file);
  if (cluster["proxy-url"] !== undefined) return null;
  if (Object.keys(user).some((field) => !PLAIN_USER.has(field))) return null;
  const server = URL.parse(text(cluster.server) ?? "");
  if (server === null) throw new ZoppError("Malformed", `kubeconfig ${file}: cluster of context ${name} has no server`);
  const namespace = text(context.namespace);
  const folder = dirname(file);
  return {
    server,
    ...(namespace === undefined ? {} : { namespace }),
    credentials: async () => ({ headers: tokenHeader(user, folder), tls: tlsOf(cluster, user, folder) }),
  };
}

function tokenHeader(user: Fields, folder: string): Record<string, string> {
  const path = text(user.tokenFile);
  const token = text(user.token) ?? (path === undefined ? undefined : read(within(folder, path)).trim());
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function tlsOf(cluster: Fields, user: Fields, folder: string): TlsOptions {
  const ca = pem(cluster, "certificate-authority", folder);
  const cert = pem(user, "client-certificate", folder);
  const key = pem(user, "client-key", folder);
  const servername = text(cluster["tls-server-name"]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { rejectUnauthorized: false } : {}),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parseConfig(file: string): Fields {
  const content = read(file);
  let config: unknown;
  try {
    config = parse(content);
  } catch {
    throw new ZoppError("Malformed", `kubeconfig ${file} is not YAML`); // the parser's message quotes the file
  }
  if (typeof config !== "object" || config === null) throw new ZoppError("Malformed", `kubeconfig ${file} is empty`);
  return config as Fields;
}

/** `config[list]` holds `{name, [field]: {...}}`; gives the inner object of `name`. */
function pick(config: Fields, list: string, name: string, field: string, file: string): Fields {
  const entries = Array.isArray(config[list]) ? (config[list] as Fields[]) : [];
  const found = entries.find((entry) => entry?.name === name);
  if (found === undefined)
    throw new ZoppError("NotFound", `kubeconfig ${file} has no ${field} named ${name || "(none)"}`);
  const inner = found[field];
  return typeof inner === "object" && inner !== null ? (inner as Fields) : {};
}

function pem(fields: Fields, name: string, folder: string): string | undefined {
  const data = text(fields[`${name}-data`]);
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  const path = text(fields[name]);
  return path === undefined ? undefined : read(within(folder, path));
}

function within(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function read(file: string): string {
  const content = readOptional(file);
  if (content === null) throw new ZoppError("NotFound", `cannot read ${file}`);
  return content;
}

function readOptional(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
