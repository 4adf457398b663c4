// `zopp run`: a program with a bundle's values as its environment variables. Nothing secret is written or in argv.
// In a pod it reads as the workload that the pod's account is; see workload.ts.
import { renderedFrom, renderTemplates } from "../../crds/bundle/render.js";
import { isOnlyForJob } from "../../crds/bundle/target.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, environmentOf, needBundle, refuseOther } from "../bundles.js";
import { environmentForOthers, runInForeground } from "../child.js";
import type { KeyringOptions } from "../keyring-call.js";
import { printable, type Result } from "../output.js";
import { acceptPolicy } from "../policy.js";
import { type ReadValues, readValuesOf } from "../reading.js";
import type { Session } from "../session.js";
import { asWorkload, workloadTokenFile } from "../workload.js";

/** The flags of `zopp run`. */
export interface RunOptions extends KeyringOptions {
  readonly namespace?: string;
  readonly environment?: string;
  readonly tokenFile?: string;
}

/** Runs `zopp run BUNDLE -- COMMAND...`. */
export async function run(
  session: Session,
  [bundle = "", ...command]: readonly string[],
  options: RunOptions,
): Promise<Result> {
  const { context } = session;
  const tokenFile = workloadTokenFile(context, options.tokenFile);
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const asking = tokenFile === undefined ? options : asWorkload(tokenFile, policy.workspace, options);
  const read = await readValuesOf(session, { ...asking, secret, policy });
  // what waits for approval is looked at, and not yet used
  if (read.waits !== undefined) throw read.waits;
  const { variables, notes } = variablesOf(secret, read);
  for (const note of notes) context.stderr.write(`note: ${printable(note)}\n`);
  await session.close();
  const env = { ...environmentForOthers(context.env), ...Object.fromEntries(variables) };
  const exit = await runInForeground(command, { cwd: context.cwd, env });
  return { data: undefined, human: [], exit };
}

/** Values and rendered templates as text. A template over a value that this reader does not get is left out. */
function variablesOf(
  secret: ZoppSecret,
  { values, withheld, notes }: ReadValues,
): { readonly variables: ReadonlyMap<string, string>; readonly notes: readonly string[] } {
  const said = [...notes];
  const { namespace, name } = secret.metadata;
  // as in the Secret: a job's own keys are no program's
  const all = new Map([...values].filter(([key]) => !isOnlyForJob(secret, key)));
  for (const [key, template] of Object.entries(secret.spec.render ?? {})) {
    try {
      const given = { what: `${namespace}/${name}`, templates: { [key]: template }, values };
      for (const [rendered, value] of renderTemplates({ ...given, entries: renderedFrom(secret) }))
        all.set(rendered, value);
    } catch (error) {
      const lacks = withheld.length > 0 || secret.spec.generate !== undefined;
      if (!(error instanceof ZoppError) || !lacks) throw error;
      said.push(`${key} is not rendered: ${error.message}`);
    }
  }
  if (withheld.length > 0) said.push(`left out, since you may not read it: ${withheld.join(", ")}`);
  const variables = new Map<string, string>();
  for (const [key, value] of all) {
    const text = variableOf(value);
    if (text === undefined) said.push(`left out, since no environment variable can hold it: ${key} is no text`);
    else variables.set(key, text);
  }
  return { variables, notes: said };
}

function variableOf(value: Uint8Array): string | undefined {
  if (value.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return undefined;
  }
}
