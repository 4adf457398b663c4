// `zopp rotation remove`: signs a header without a job. The Secret then gets new generated values at once.
import { placeOf } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import type { Result } from "../output.js";
import { signRotation } from "../rotation.sign.js";
import type { Session } from "../session.js";

/** The flags of `zopp rotation remove`. */
export interface RotationRemoveOptions {
  readonly environment?: string;
  readonly namespace?: string;
}

/** Runs `zopp rotation remove BUNDLE`. */
export async function run(
  session: Session,
  [bundle = ""]: readonly string[],
  options: RotationRemoveOptions,
): Promise<Result> {
  const { data, place, where, notes } = await signRotation(session, bundle, options, "header", (present) => {
    if (present.spec.rotation === undefined)
      throw new ZoppError("NotFound", `bundle ${placeOf(present)} has no rotation job`);
    return undefined;
  });
  return {
    data,
    names: [`zoppsecret/${place}`],
    human: [`took the job away from ${place}: new values are published at once (${where.join(", ")})`],
    notes,
  };
}
