// `zopp baseline approve`: an approver's signature on an environment's baseline, after looking at what it lists.
import { bindingsOf } from "../../crds/bundle/case.js";
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import { ZoppError } from "../../crds/errors.js";
import { approveBaseline } from "../../crds/policy/edit.js";
import { baselineStatement } from "../../crds/statement.js";
import { missingApprovals } from "../baseline.js";
import type { Result } from "../output.js";
import { acceptPolicy, approverOf, environmentName, signerOf } from "../policy.js";
import type { Session } from "../session.js";
import { environmentPath } from "../settings.js";
import { change } from "../store/store.js";

/** Runs `zopp baseline approve [PATH]`. */
export async function run(session: Session, [text]: readonly string[]): Promise<Result> {
  const path = environmentPath(text, session.settings);
  const policy = await acceptPolicy(session, path);
  const { workspace, environment } = policy;
  const name = environmentName(path);
  const store = await session.store();
  const found = await store.read("ZoppBaseline", { name });
  if (found === undefined) throw new ZoppError("NotFound", `environment ${environment.path} has no baseline`);
  const identity = await session.identity();
  const now = session.context.now();
  const author = workspace.roster.signers.get(found.spec.signatures[0]?.by ?? "")?.principal.name;
  if (author === signerOf(workspace, identity).principal.name)
    throw new ZoppError("NotAuthorised", `baseline of ${environment.path}: ${author} signed it, so others approve it`);
  approverOf(workspace, environment.scope, identity, now);
  missingApprovals(found, policy, now); // throws what else is wrong with it
  for (const { namespace, name: bundle, digest } of found.spec.bundles) {
    const secret = await store.read("ZoppSecret", { namespace, name: bundle });
    const here = secret === undefined ? "" : bundleDigest(bundleStatements(secret, bindingsOf(environment)));
    if (here !== digest)
      throw new ZoppError(
        "BaselineOutdated",
        `baseline of ${environment.path}: ${namespace}/${bundle} is not what it lists`,
      );
  }
  const approved = approveBaseline(found, identity.signing);
  const where = await store.write([
    change("ZoppBaseline", { name }, (present) => {
      if (present !== undefined && baselineStatement(present.spec).hash === baselineStatement(found.spec).hash)
        return { ...present, spec: approved.spec };
      throw new ZoppError("ApiConflict", `baseline ${name} was changed meanwhile: look at it again`);
    }),
  ]);
  const { version, bundles, authors = [] } = found.spec;
  return {
    data: { environment: environment.path, version, bundles, authors, where },
    names: [`zoppbaseline/${name}`],
    human: [
      ...bundles.map(({ namespace, name: bundle }) => `listed ${namespace}/${bundle}`),
      `approved the baseline of ${environment.path}, version ${version} by ${author}`,
      `written: ${where.join(", ")}`,
    ],
    notes: missingApprovals(approved, policy, now),
  };
}
