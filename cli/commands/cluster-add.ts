// `zopp cluster add`: signs a cluster's keyring and its log into the policy, and wraps environment keys to it.
import { factsOf, type SignInOptions, signIn } from "../cluster-sign.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";

/** Runs `zopp cluster add NAME`. */
export async function run(session: Session, [text]: readonly string[], options: SignInOptions): Promise<Result> {
  const name = label("cluster", text);
  const workspace = await acceptNamedWorkspace(session);
  const facts = await factsOf(session, options);
  const command = `zopp cluster add ${name}`;
  const { data, notes } = await signIn(session, { name, workspace, facts, command }, options);
  const { fingerprint, environments, where } = data;
  return {
    data,
    names: [name],
    human: [
      `cluster ${name} (${fingerprint}) ${where.length === 0 ? "was in the policy already" : "is in the policy"}`,
      `serves ${environments.length === 0 ? "no environment yet: `zopp environment create`" : environments.join(", ")}`,
      ...(where.length === 0 ? [] : [`written: ${where.join(", ")}`]),
    ],
    notes,
  };
}
