// A pod's own identity: a key that lives as long as this process, vouched for by the pod's projected token.
// Which principal it is, the keyring finds out from the token and signed policy.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { newSigningKey } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { Context } from "./context.js";
import { hasIdentityFile } from "./identity.js";
import type { KeyringOptions, Wanted } from "./keyring-call.js";

const TOKEN_FILE = "/var/run/secrets/zopp/token";
/** Where the chart puts a keyring that has a pod of its own. */
const SERVICE = "zopp-keyring.zopp-system.svc:8443";

/** The file of the pod's token: named, or at its usual place where this machine has no identity of its own. */
export function workloadTokenFile(context: Context, flag: string | undefined): string | undefined {
  const named = flag ?? context.env["ZOPP_TOKEN_FILE"];
  if (named) return resolve(context.cwd, named);
  if (context.env["ZOPP_TOKEN"] || hasIdentityFile(context)) return undefined;
  return readable(TOKEN_FILE) === undefined ? undefined : TOKEN_FILE;
}

/** Who asks, and where: the cluster is the one that policy names for the token's account. Throws NotFound, NotAuthorised. */
export function asWorkload(
  file: string,
  workspace: AcceptedWorkspace,
  options: KeyringOptions,
): KeyringOptions & Pick<Wanted, "workload" | "otherwise"> {
  const account = accountIn(tokenIn(file));
  const named = workspace.object.spec.principals.filter(({ serviceAccount }) => serviceAccount === account);
  const [only, another] = named;
  if (only === undefined) {
    throw new ZoppError(
      "NotAuthorised",
      `workspace ${workspace.name} names no workload of the account ${account}: an owner adds it by \`zopp principal add NAME --workload ${account} --cluster CLUSTER\``,
    );
  }
  const workload = { identity: newSigningKey(), token: async () => tokenIn(file) };
  // an account of that name may be a workload in several clusters, of which this pod knows nothing
  const cluster = another === undefined ? only.cluster : undefined;
  return {
    ...options,
    ...(options.cluster === undefined && cluster !== undefined ? { cluster } : {}),
    workload,
    otherwise: SERVICE,
  };
}

function tokenIn(file: string): string {
  const token = readable(file)?.trim();
  if (token) return token;
  throw new ZoppError(
    "NotFound",
    `cannot read the pod's token in ${file}: is it projected for the audience zopp-keyring?`,
  );
}

/** What the token says of itself only chooses among what policy names: the keyring has it judged. */
function accountIn(token: string): string {
  try {
    const { sub } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      sub?: unknown;
    };
    const [, namespace, name] = /^system:serviceaccount:([^:/]+):([^:/]+)$/.exec(String(sub)) ?? [];
    if (name !== undefined) return `${namespace}/${name}`;
  } catch {
    // said below
  }
  throw new ZoppError("Malformed", "the pod's token is not one of a ServiceAccount");
}

function readable(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
