// Kubeconfig files that need client-node: exec and OIDC plugins, impersonation, proxies, several files.
// Loaded only when such a file is met; everything else is in kubeconfig.ts.

import type { RequestOptions } from "node:https";
import { delimiter } from "node:path";
import { ZoppError } from "../../crds/errors.js";
import type { Credentials, Endpoint, TlsOptions } from "./kubeconfig.types.js";

/** Loads one file, or several separated as in KUBECONFIG, through client-node. Throws NotFound or Malformed. */
export async function loadFull(files: string, contextName: string | undefined): Promise<Endpoint> {
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const config = new KubeConfig();
  try {
    for (const [index, file] of files.split(delimiter).filter(Boolean).entries()) {
      const next = index === 0 ? config : new KubeConfig();
      next.loadFromFile(file);
      if (index > 0) config.mergeConfig(next, true);
    }
  } catch {
    throw new ZoppError("Malformed", `kubeconfig ${files} cannot be used`); // the parser's message quotes the file
  }
  if (contextName !== undefined) config.setCurrentContext(contextName);
  const context = config.getContextObject(config.getCurrentContext());
  const cluster = config.getCurrentCluster();
  const server = URL.parse(cluster?.server ?? "");
  if (context === null || cluster === null || server === null) {
    throw new ZoppError("NotFound", `kubeconfig ${files} has no context ${config.getCurrentContext()} with a server`);
  }
  if (cluster.proxyUrl?.startsWith("socks")) {
    throw new ZoppError("Malformed", `kubeconfig ${files}: proxy-url must be http or https`);
  }
  return {
    server,
    ...(context.namespace ? { namespace: context.namespace } : {}),
    ...(cluster.proxyUrl ? { proxy: cluster.proxyUrl } : {}),
    credentials: async () => credentialsOf(await httpsOptions(config)),
  };
}

async function httpsOptions(config: {
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}): Promise<RequestOptions> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch {
    // a plugin's stderr is in the message
    throw new ZoppError("ApiRefused", "the kubeconfig's plugin gave no credentials");
  }
  return options;
}

function credentialsOf(options: RequestOptions): Credentials {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === "string") headers.authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  const tls: TlsOptions = {
    ...(options.ca ? { ca: String(options.ca) } : {}),
    ...(options.cert ? { cert: String(options.cert) } : {}),
    ...(options.key ? { key: String(options.key) } : {}),
    ...(options.servername ? { servername: options.servername } : {}),
    ...(options.rejectUnauthorized === false ? { rejectUnauthorized: false } : {}),
  };
  return { headers, tls };
}
