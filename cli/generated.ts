// What is known of generated values without opening them: the rules of the header, and what a cluster's status says was made.
import type { ZoppSecret } from "../crds/types.gen.js";

/** One rule, and what its cluster made last; nothing of that in a directory. */
export interface GeneratedRow {
  readonly key: string;
  readonly kind: string;
  readonly version?: number;
  readonly made?: string;
  /** When the next value is made: `every 30d`. */
  readonly rotates?: string;
}

/** The rules of a bundle. */
export function generatedRows({ spec, status }: ZoppSecret): GeneratedRow[] {
  return Object.entries(spec.generate ?? {}).map(([key, { kind, rotateEvery }]) => {
    const { version, made } = status?.generated?.[key] ?? {};
    return {
      key,
      kind,
      ...(version === undefined || made === undefined ? {} : { version, made }),
      ...(rotateEvery === undefined ? {} : { rotates: `every ${rotateEvery}` }),
    };
  });
}

/** A rule in one line. */
export function rowText({ key, kind, version, made, rotates }: GeneratedRow): string {
  const known = made === undefined ? "" : `, version ${version} of ${made}`;
  return `${key} (${kind}${rotates === undefined ? "" : `, ${rotates}`}${known})`;
}

/** The commands that sign for another value of each rule of these bundles. */
export function againCommands(secrets: readonly ZoppSecret[]): string[] {
  return secrets.flatMap(({ metadata: { namespace, name }, spec }) =>
    Object.keys(spec.generate ?? {}).map((key) => `zopp generate ${namespace}/${name} ${key} --again`),
  );
}
