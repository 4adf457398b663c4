// `zopp edit`: the values of a bundle in an editor. What was changed there is sealed anew, and nothing else.
// Values that are no text, or that the person may not read, are not in the file, and stay as they are.
import type { Policy } from "../../crds/bundle/case.js";
import { retireEntry, type Writing } from "../../crds/bundle/edit.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  needBundle,
  notesOn,
  refuseMisshapen,
  refuseOther,
  refuseUnsound,
} from "../bundles.js";
import { inMemory } from "../edited.js";
import type { KeyringOptions } from "../keyring-call.js";
import { problemLine, type Result } from "../output.js";
import { keysAndValues } from "../plain.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { readValuesOf } from "../reading.js";
import { sealAll, startOf, unchangedSince } from "../sealing.js";
import type { Session } from "../session.js";
import { change } from "../store/store.js";
import { readManifests } from "../store/yaml.read.js";
import { renderManifest } from "../store/yaml.render.js";

/** The flags of `zopp edit`. */
export interface EditOptions extends KeyringOptions {
  readonly namespace?: string;
  readonly environment?: string;
}

/** What a person made of the values. */
interface Edits {
  readonly changed: ReadonlyMap<string, Uint8Array>;
  readonly removed: readonly string[];
}

/** Lines of ours in the file, which are no part of what is edited. */
const OURS = /^#:.*\n/gm;

/** Runs `zopp edit BUNDLE`. */
export async function run(session: Session, [bundle = ""]: readonly string[], options: EditOptions): Promise<Result> {
  const { context } = session;
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const identity = await session.identity();
  const { principal } = signerOf(policy.workspace, identity);
  const { values, withheld, notes } = await readValuesOf(session, { ...options, secret, policy });
  const texts = textsOf(values);
  const hidden = [...withheld, ...[...values.keys()].filter((key) => !texts.has(key))];
  const store = (edits: Edits) => {
    const now = context.now();
    for (const key of [...edits.changed.keys(), ...edits.removed])
      refuseWithout(policy, principal.name, "write", now, key);
    return write(session, secret, edits, policy, {
      environment: policy.environment,
      signingKey: identity.signing,
      now,
    });
  };
  const result = await inMemory(context, `${secret.metadata.name}.yaml`, (ask) =>
    untilGood(ask, headOf(secret, policy, hidden), texts, store),
  );
  return { ...result, notes: [...notes, ...(result.notes ?? [])] };
}

/** Asks until what comes back can be stored, so that nothing typed is lost; who closes it unchanged gives up. */
async function untilGood(
  ask: (text: string) => Promise<string>,
  head: string,
  shown: ReadonlyMap<string, string>,
  store: (edits: Edits) => Promise<Result>,
): Promise<Result> {
  let text = shown.size === 0 ? "" : renderManifest(Object.fromEntries(shown));
  let problem: ZoppError | undefined;
  for (;;) {
    const said =
      problem === undefined ? "" : `#: ${problemLine(problem)}\n#: correct it, or close it as it is to give up\n`;
    const edited = (await ask(`${head}${said}${text}`)).replaceAll(OURS, "");
    if (edited.trim() === "" && shown.size > 0)
      throw new ZoppError("Interrupted", "the file came back empty: to remove keys, leave the others in it");
    if (edited === text && problem !== undefined) throw problem;
    text = edited;
    try {
      const edits = editsOf(edited, shown);
      if (edits.changed.size + edits.removed.length === 0)
        return { data: { changed: [] }, human: ["nothing was changed"] };
      return await store(edits);
    } catch (error) {
      problem = asZoppError(error, "the edit");
    }
  }
}

function headOf({ metadata }: ZoppSecret, { environment }: Policy, hidden: readonly string[]): string {
  const lines = [
    `${metadata.namespace}/${metadata.name} of ${environment.path}: KEY: value, a line each`,
    "a line that is taken out removes its key; what is not touched is not sealed anew",
    ...(hidden.length === 0 ? [] : [`not shown, and left as they are: ${hidden.join(", ")}`]),
  ];
  return lines.map((line) => `#: ${line}\n`).join("");
}

function textsOf(values: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [key, value] of values) {
    const text = Buffer.from(value).toString("utf8");
    if (Buffer.from(text, "utf8").equals(value)) texts.set(key, text);
  }
  return texts;
}

/** What differs. Throws Malformed, without what stands there: it could be a value. */
function editsOf(text: string, shown: ReadonlyMap<string, string>): Edits {
  const [manifest, another] = readManifests(text, "the edit");
  if (another !== undefined) throw new ZoppError("Malformed", "the edit has more than one document");
  const values = manifest === undefined ? new Map<string, Uint8Array>() : keysAndValues(manifest, "the edit");
  const changed = [...values].filter(([key, value]) => shown.get(key) !== Buffer.from(value).toString("utf8"));
  return { changed: new Map(changed), removed: [...shown.keys()].filter((key) => !values.has(key)) };
}

async function write(
  session: Session,
  shown: ZoppSecret,
  { changed, removed }: Edits,
  policy: Policy,
  writing: Writing,
): Promise<Result> {
  const { namespace, name } = shown.metadata;
  const keys = [...changed.keys(), ...removed];
  let written = shown;
  const make = (present: ZoppSecret | undefined): ZoppSecret => {
    const same = unchangedSince(shown, present, keys);
    const start = startOf(same, { place: shown.metadata, header: {}, policy, writing, sign: false });
    const sealed = sealAll(start, changed, writing);
    const tombstones = removed.map((key) => [key, retireEntry(same, key, writing)] as const);
    written = { ...sealed, spec: { ...sealed.spec, data: { ...sealed.spec.data, ...Object.fromEntries(tombstones) } } };
    refuseUnsound(written, policy, keys, writing.now);
    return refuseMisshapen(written);
  };
  const where = await (await session.store()).write([change("ZoppSecret", { namespace, name }, make)]);
  const place = `${namespace}/${name}`;
  const told = [
    ...(changed.size === 0 ? [] : [`set ${[...changed.keys()].join(", ")}`]),
    ...(removed.length === 0 ? [] : [`took ${removed.join(", ")} out`]),
  ];
  return {
    data: {
      bundle: place,
      environment: policy.environment.path,
      changed: [...changed.keys()],
      removed,
      where: where[0],
    },
    names: [`zoppsecret/${place}`],
    human: [`${told.join(", ")}: ${place} of ${policy.environment.path} (${where.join(", ")})`],
    notes: notesOn(written, policy, writing.now),
  };
}
