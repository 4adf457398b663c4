// Baselines of the fixture world: bundles as they stand, listed and signed.
import { bindingsOf } from "../crds/bundle/case.js";
import { bundleDigest, bundleStatements } from "../crds/bundle/statements.js";
import { type BaselineContent, newBaseline } from "../crds/policy/edit.js";
import type { BaselineAuthor, ZoppBaseline, ZoppSecret } from "../crds/types.gen.js";
import { identityOf, NOW, type World } from "./fixtures.js";

/** How a fixture baseline is made. */
export interface BaselineOptions {
  /** An admin, then approvers. */
  readonly signers?: readonly string[];
  /** Whose keys the policy has no longer. */
  readonly authors?: readonly string[];
  readonly changes?: Partial<BaselineContent>;
  readonly now?: Date;
}

/** The digest of a bundle in an environment. */
export function digestOf(secret: ZoppSecret, { environment }: Pick<World, "environment">): string {
  return bundleDigest(bundleStatements(secret, bindingsOf(environment)));
}

/** The line of somebody's laptop. */
export function authorOf(name: string): BaselineAuthor {
  return { name, signingKey: identityOf(name).signing.verifyKey.text };
}

/** A baseline of these bundles (in order of place), signed by alice unless said otherwise. */
export function baseline(world: World, secrets: readonly ZoppSecret[], options: BaselineOptions = {}): ZoppBaseline {
  const { signers = ["alice"], authors = [], changes = {}, now = NOW } = options;
  const { workspace, project, environment } = world.environment.object.spec;
  const bundles = secrets.map((secret) => {
    const { namespace, name } = secret.metadata;
    return { namespace, name, digest: digestOf(secret, world) };
  });
  const content: BaselineContent = {
    workspace,
    project,
    environment,
    since: { workspace: world.workspace.version, environment: world.environment.version },
    bundles,
    authors: authors.map(authorOf),
    ...changes,
  };
  return newBaseline(content, { signingKeys: signers.map((name) => identityOf(name).signing), now });
}
