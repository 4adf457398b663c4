// `zopp audit who`: who was given which version of which key of a secret, when, and what that proves.
import type { LoggedRecord } from "../../crds/audit/records.js";
import { type FilterFlags, filterOf } from "../audit/filters.js";
import type { SourceOptions } from "../audit/found.js";
import { findRecords } from "../audit/source.js";
import { type Result, table } from "../output.js";
import type { Session } from "../session.js";
import { UNVERIFIED } from "./audit-list.js";

interface WhoOptions extends SourceOptions, FilterFlags {
  readonly name?: readonly string[];
}

/** One key that was released to somebody. */
interface Release {
  readonly time: string;
  readonly who: string;
  readonly evidence: string;
  readonly secret: string;
  readonly key: string;
  readonly version?: number;
  readonly index: number;
}

const HEADINGS = ["TIME", "WHO", "EVIDENCE", "SECRET", "KEY", "VERSION", "INDEX"];
const DELEGATED =
  "delegated: the operator opened it to write the Secret; who read that Secret afterwards is in the API server's audit log, not here";

/** Runs `zopp audit who SECRET`. */
export async function run(session: Session, [secret = ""]: readonly string[], options: WhoOptions): Promise<Result> {
  const filter = { ...filterOf(options, session.context.now()), secret, decision: "released" };
  const { records, isKeyring, title } = await findRecords(session, options, filter);
  const wanted = new Set(options.name ?? []);
  const releases = records.flatMap(releasesOf).filter(({ key }) => wanted.size === 0 || wanted.has(key));
  const cells = releases.map((each) => [
    each.time,
    each.who,
    each.evidence,
    each.secret,
    each.key,
    String(each.version ?? ""),
    String(each.index),
  ]);
  const isDelegated = releases.some(({ evidence }) => evidence === "delegated");
  return {
    data: { releases },
    names: [...new Set(releases.map(({ who }) => who))],
    human: releases.length === 0 ? [`no key of ${secret} was released to anybody`] : table(HEADINGS, cells),
    notes: [...(isDelegated ? [DELEGATED] : []), ...(isKeyring ? [] : [`records of ${title}: ${UNVERIFIED}`])],
  };
}

function releasesOf({
  time,
  actor,
  evidence = "",
  object = "",
  keys = [],
  index,
  ...of
}: LoggedRecord): readonly Release[] {
  return keys.map((key) => {
    const version = of.entries?.[key]?.version ?? of.versions?.[key];
    return { time, who: actor, evidence, secret: object, key, ...(version === undefined ? {} : { version }), index };
  });
}
