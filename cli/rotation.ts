// What of a bundle is a rotation job's: what such a job needs of the rules of generated values, and how it reads in one line.
import { placeOf } from "../crds/bundle/case.js";
import { ZoppError } from "../crds/errors.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { DEFAULT_DEADLINE } from "../crds/validate.rotation.js";
import { ROTATION_PENDING } from "../operator/kube/conditions.js";

/** A bundle's rotation. */
export type Rotation = NonNullable<ZoppSecret["spec"]["rotation"]>;

/** Throws StillNeeded, with the next step, where the job of a bundle would have nothing to bring, or not what it brings it instead of. */
export function refuseRotationLacking(secret: ZoppSecret): void {
  const { rotation, generate = {} } = secret.spec;
  if (rotation === undefined) return;
  const place = placeOf(secret);
  const rules = Object.entries(generate);
  const otherwise = `or take the job away: \`zopp rotation remove ${place}\``;
  if (rules.length === 0)
    throw new ZoppError(
      "StillNeeded",
      `bundle ${place}: a rotation job needs a generated value: \`zopp generate ${place} KEY --kind password --previous KEY_OLD\`, ${otherwise}`,
    );
  const [without] = rules.find(([, { previous }]) => previous === undefined) ?? [];
  if (without === undefined) return;
  throw new ZoppError(
    "StillNeeded",
    `bundle ${place}: a rotation job gets the value before, which the rule for ${without} does not keep: \`zopp generate ${place} ${without} --previous ${without}_OLD\`, ${otherwise}`,
  );
}

/** A rotation in one line. */
export function rotationText({ image, command = [], deadline = DEFAULT_DEADLINE, keys = [] }: Rotation): string {
  const only = keys.length === 0 ? "" : `, with ${keys.join(", ")}`;
  return `${[image, ...command].join(" ")} (within ${deadline}${only})`;
}

/** True when new values wait for the job, as the operator says it; a directory knows nothing of that. */
export function isRotating({ status }: ZoppSecret): boolean {
  return status?.conditions?.some((each) => each.type === ROTATION_PENDING && each.status === "True") === true;
}
