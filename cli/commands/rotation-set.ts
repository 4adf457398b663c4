// `zopp rotation set`: signs for a job that brings new generated values to where they are checked, before they are published.
// Nothing runs here: that is the operator's, in clusters where it may.

import { ZoppError } from "../../crds/errors.js";
import type { SecretSpec, ZoppSecret } from "../../crds/types.gen.js";
import type { Result } from "../output.js";
import { type Rotation, rotationText } from "../rotation.js";
import { signRotation } from "../rotation.sign.js";
import type { Session } from "../session.js";

/** The flags of `zopp rotation set`. */
export interface RotationSetOptions {
  readonly image?: string;
  readonly deadline?: string;
  readonly key?: readonly string[];
  readonly environment?: string;
  readonly namespace?: string;
}

/** Runs `zopp rotation set BUNDLE [-- COMMAND...]`. */
export async function run(
  session: Session,
  [bundle = "", ...command]: readonly string[],
  options: RotationSetOptions,
): Promise<Result> {
  const signed = await signRotation(session, bundle, options, "sign", ({ spec }) =>
    rotationOf(spec.rotation, options, command),
  );
  const { rotation } = signed.secret.spec;
  if (rotation === undefined) throw new TypeError("a rotation was signed and is not there");
  const { data, place, where } = signed;
  return {
    data: { ...data, rotation },
    names: [`zoppsecret/${place}`],
    human: [
      signed.isSame
        ? "nothing was changed"
        : `signed for the job of ${place}: ${rotationText(rotation)} (${where.join(", ")})`,
    ],
    notes: [...signed.notes, ...notesOnRotation(signed.secret, rotation)],
  };
}

/** The rotation: what is not said stays as it was. */
function rotationOf(
  before: SecretSpec["rotation"],
  { image = before?.image, deadline = before?.deadline, key = before?.keys ?? [] }: RotationSetOptions,
  typed: readonly string[],
): Rotation {
  if (image === undefined) throw new ZoppError("Usage", "say what runs: --image IMAGE");
  const command = typed.length > 0 ? typed : (before?.command ?? []);
  return {
    image,
    ...(command.length === 0 ? {} : { command }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(key.length === 0 ? {} : { keys: key }),
  };
}

/** What a person who signs for a job should know of it. */
function notesOnRotation({ metadata, spec }: ZoppSecret, { image, keys = [] }: Rotation): readonly string[] {
  const unset = keys.filter((key) => spec.data?.[key]?.sealed === undefined);
  return [
    ...(image.includes("@sha256:")
      ? []
      : [
          `whoever can put another image under ${image} reads this bundle's values: name it by its digest, IMAGE@sha256:…`,
        ]),
    ...unset.map((key) => `${key} has no value yet: \`zopp set ${metadata.namespace}/${metadata.name} ${key}\``),
  ];
}
