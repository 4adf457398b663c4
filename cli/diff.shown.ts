// How differences of bundles are shown: authors by name where the policy says them, values only to those who may open them.
// What is compared with what is the commands' business.
import { type Policy, placeOf } from "../crds/bundle/case.js";
import { ZoppError } from "../crds/errors.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { environmentOf } from "./bundles.js";
import type { Difference } from "./diff.bundle.js";
import { openValue } from "./epoch-keys.js";
import { jsonText } from "./output.js";
import { acceptPolicy } from "./policy.js";
import type { Session } from "./session.js";
import { waitingParts } from "./waiting.js";

/** A bundle in its two versions, of which one may be missing. */
export interface Pair {
  readonly before: ZoppSecret | undefined;
  readonly after: ZoppSecret | undefined;
}

/** A difference as it is shown. */
export interface Shown extends Difference {
  readonly author?: string;
  readonly values?: { readonly before?: string; readonly after?: string };
}

/** What is shown, and where what a person should hear goes. */
export interface Showing {
  readonly options: { readonly values?: boolean };
  readonly notes: string[];
}

/** Differences with their authors and, where asked for and allowed, values. */
export async function show(
  session: Session,
  { before, after }: Pair,
  parts: readonly Difference[],
  { options, notes }: Showing,
): Promise<readonly Shown[]> {
  const secret = after ?? before;
  if (secret === undefined) return parts;
  const policy = await policyOf(session, secret, options, notes);
  const opened =
    options.values === true && policy !== undefined ? await opener(session, policy, notes) : () => undefined;
  return withAuthors(parts, policy).map((part) => {
    const [one, other] = [before && opened(before, part.key), after && opened(after, part.key)];
    const values = { ...(one === undefined ? {} : { before: one }), ...(other === undefined ? {} : { after: other }) };
    return { ...part, ...(Object.keys(values).length === 0 ? {} : { values }) };
  });
}

/** Differences with the principal who signed what is there afterwards: by name where a trusted policy says it. */
export function withAuthors(parts: readonly Difference[], policy: Policy | undefined): readonly Shown[] {
  return parts.map((part) => {
    const kid = part.after?.by;
    const author = policy?.workspace.roster.signers.get(kid ?? "")?.principal.name ?? kid;
    return { ...part, ...(author && { author }) };
  });
}

/** The policy of a bundle. Without a trusted one versions are still shown; values never are. */
export async function policyOf(
  session: Session,
  secret: ZoppSecret,
  { values }: Showing["options"],
  notes: string[],
): Promise<Policy | undefined> {
  try {
    return await acceptPolicy(session, environmentOf(secret));
  } catch (error) {
    if (!(error instanceof ZoppError) || values === true) throw error;
    notes.push(`${error.code}: ${error.message}`);
    return undefined;
  }
}

type Open = (secret: ZoppSecret, key: string | undefined) => string | undefined;

/** Opens values with the own key where that may be; why it may not be is said once. */
async function opener(session: Session, policy: Policy, notes: string[]): Promise<Open> {
  const identity = await session.identity();
  const now = session.context.now();
  return (secret, key) => {
    if (key === undefined || secret.spec.data?.[key]?.sealed === undefined) return undefined;
    try {
      waitingParts({ ...policy, secret, now }); // all but approvals must hold, which are what is being looked at
      const value = openValue(secret, key, policy.environment, identity);
      const text = jsonText(Buffer.from(value).toString("utf8"));
      value.fill(0);
      return text;
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      const note = `${placeOf(secret)}: ${key} is not shown: ${error.code}: ${error.message}`;
      if (!notes.includes(note)) notes.push(note);
      return undefined;
    }
  };
}

const SIGNS: Readonly<Record<Difference["change"], string>> = {
  added: "+",
  changed: "~",
  "sealed again": "~",
  retired: "-",
  removed: "-",
};

/** A difference in lines for a person. */
export function lines({ key, change, before, after, author, fields = [], values }: Shown): readonly string[] {
  const versions = [before?.version, after?.version].filter((version) => version !== undefined).join(" -> ");
  const by = author === undefined ? "" : ` by ${author}`;
  return [
    `  ${SIGNS[change]} ${key ?? "header"} ${change}, version ${versions}${by}`,
    ...fields.map(({ field, before: was = "nothing", after: is = "nothing" }) => `      ${field}: ${was} -> ${is}`),
    ...(values === undefined ? [] : [`      value: ${values.before ?? "not shown"} -> ${values.after ?? "not shown"}`]),
  ];
}
