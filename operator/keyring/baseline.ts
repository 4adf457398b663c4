// Baselines as one keyring judges them: by its own log, and as the only ground to serve on when policy names another log.
// The rules are in crds/policy/baseline.ts.
import type { Policy } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import { type AcceptedBaseline, judgeBaseline, versionOfLog } from "../../crds/policy/baseline.js";
import type { ZoppBaseline } from "../../crds/types.gen.js";
import { parseBaseline } from "../../crds/validate.js";
import type { KubeObject } from "../kube/resources.js";
import { plain } from "./plain.js";

/** What a keyring adds to the judgement. */
export interface Judging {
  readonly accepted: AcceptedBaseline | undefined;
  /** The id of its log. */
  readonly log: string;
  readonly now: Date;
}

/** Judges a baseline in this keyring. Throws as judgeBaseline. */
export function judgedHere(candidate: ZoppBaseline, policy: Policy, { accepted, log, now }: Judging): AcceptedBaseline {
  const { workspace, environment } = policy;
  return judgeBaseline({ candidate, accepted, workspace, environment, since: versionOfLog(log), now });
}

/** True when one of these objects is a good baseline for an environment that is not in force yet. */
export function isVouchedFor(policy: Policy, objects: readonly KubeObject[], judging: Judging): boolean {
  const { name } = policy.environment.object.metadata;
  return objects.some((object) => {
    if (object.metadata.name !== name) return false;
    try {
      return judgedHere(parseBaseline(plain(object)), policy, judging) !== undefined;
    } catch (error) {
      if (error instanceof ZoppError) return false;
      throw error;
    }
  });
}
