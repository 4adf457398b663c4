// A client's pins: what it was told out of band about workspaces. In the identity directory, ZOPP_TRUST or ZOPP_TOKEN.
// Never in a store: whoever can write a store could write a pin there.
import { ZoppError } from "../crds/errors.js";
import { type Pin, parsePin } from "../crds/policy/pin.js";
import type { Context } from "./context.js";
import { readHomeFile, writeHomeFile } from "./home.js";
import { tokenPin } from "./identity.js";

const PINS_FILE = "known-workspaces";

/** A pin with what was seen since: the highest version of each environment. */
export interface KnownWorkspace {
  /** The owners' digest, 64 hex digits. */
  readonly owners: string;
  readonly minVersion: number;
  /** Highest version seen, by `project/environment`. */
  readonly environments?: Readonly<Record<string, number>>;
}

type Known = Readonly<Record<string, KnownWorkspace>>;

/** Where a pin came from, for messages. */
export interface SourcedPin {
  readonly pin: Pin;
  readonly source: "ZOPP_TRUST" | "ZOPP_TOKEN" | "known-workspaces";
}

/** Every pin there is for a workspace; all of them must hold. Throws Usage, TokenInvalid or Malformed. */
export function pinsFor(context: Context, workspace: string): readonly SourcedPin[] {
  const stated = (context.env["ZOPP_TRUST"] ?? "").split(/[\s,]+/).filter((text) => text !== "");
  const pins: SourcedPin[] = stated
    .map(statedPin)
    .filter((pin) => pin.workspace === workspace)
    .map((pin) => ({ pin, source: "ZOPP_TRUST" }));
  const owners = tokenPin(context);
  if (owners !== undefined) pins.push({ pin: { workspace, owners, minVersion: 0 }, source: "ZOPP_TOKEN" });
  const known = readKnown(context)[workspace];
  if (known !== undefined) pins.push({ pin: { workspace, ...known }, source: "known-workspaces" });
  return pins;
}

/** A pin of the variable; an error says where it stands, since nobody typed it in this command. */
function statedPin(text: string): Pin {
  try {
    return parsePin(text);
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    throw new ZoppError(error.code, `ZOPP_TRUST: ${error.message}`);
  }
}

/** All pins of the identity directory. Throws Malformed for a file that cannot be read. */
export function readKnown(context: Context): Known {
  const text = readHomeFile(context, PINS_FILE);
  if (text === undefined) return Object.create(null);
  const known: Record<string, KnownWorkspace> = Object.create(null);
  try {
    for (const [workspace, facts] of Object.entries(JSON.parse(text) as Record<string, KnownWorkspace>)) {
      parsePin(`${workspace}@${facts.minVersion}:${facts.owners}`);
      known[workspace] = facts;
    }
  } catch (cause) {
    throw new ZoppError(
      "Malformed",
      `${PINS_FILE} in the identity directory is damaged; pins can be added again by \`zopp trust\``,
      { cause },
    );
  }
  return known;
}

/** Changes the pins of the identity directory; undefined takes one away. Writes nothing when nothing changes. */
export function writeKnown(context: Context, workspace: string, facts: KnownWorkspace | undefined): void {
  const before = readHomeFile(context, PINS_FILE);
  const { [workspace]: _, ...others } = { ...readKnown(context) };
  const all = facts === undefined ? others : { ...others, [workspace]: facts };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  const after = `${JSON.stringify(sorted, undefined, 2)}\n`;
  if (after !== before) writeHomeFile(context, PINS_FILE, after, before);
}

/** Remembers what was seen, upwards only: a policy that was accepted is never followed by an older one. */
export function advance(
  context: Context,
  seen: Pin,
  environment?: { readonly scope: string; readonly version: number },
): void {
  const known = readKnown(context)[seen.workspace];
  if (known === undefined) return;
  const environments: Record<string, number> = { ...known.environments };
  if (environment !== undefined) {
    environments[environment.scope] = Math.max(environments[environment.scope] ?? 0, environment.version);
  }
  const next: KnownWorkspace = {
    owners: seen.minVersion >= known.minVersion ? seen.owners : known.owners,
    minVersion: Math.max(known.minVersion, seen.minVersion),
    ...(Object.keys(environments).length === 0 ? {} : { environments }),
  };
  writeKnown(context, seen.workspace, next);
}

/** The highest version of an environment that this machine has seen. */
export function seenVersion(context: Context, workspace: string, scope: string): number {
  return readKnown(context)[workspace]?.environments?.[scope] ?? 0;
}
