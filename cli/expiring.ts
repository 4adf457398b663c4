// What of a store ends within a time, for people and for CI: `zopp status --expiring`.
// Ends are believed of sound bundles only; one that is not sound is bad news by itself.
import { placeOf } from "../crds/bundle/case.js";
import { endingsOf } from "../crds/bundle/endings.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { type Checked, type CheckedBundle, problemsAbout } from "./check.js";
import { type Result, table } from "./output.js";

/** The end that comes first of a bundle's values; empty where none has one. */
export function firstEnd(secret: ZoppSecret): string {
  return endingsOf(secret)[0]?.expires ?? "";
}

/** The heading over the first ends of bundles; none where no value has one, since a table drops what is empty. */
export function endsHeading(secrets: readonly ZoppSecret[]): readonly string[] {
  return secrets.some((secret) => firstEnd(secret) !== "") ? ["EXPIRES"] : [];
}

/** What of these bundles ends within `withinMs`, or has ended. Exit 1 where anything does, or where it cannot be told. */
export function expiringResult(
  found: readonly CheckedBundle[],
  checked: Checked,
  { withinMs, now }: { readonly withinMs: number; readonly now: Date },
): Result {
  const until = timeText(now.getTime() + withinMs);
  const ended = timeText(now.getTime());
  const rows = found.flatMap(({ secret }) =>
    endingsOf(secret)
      .filter(({ expires }) => expires <= until)
      .map((end) => ({
        bundle: placeOf(secret),
        environment: secret.spec.environment,
        ...end,
        ended: end.expires <= ended,
      })),
  );
  rows.sort((a, b) => (a.expires < b.expires ? -1 : 1));
  const problems = doubts(found, checked);
  const cells = rows.map(({ bundle, key, expires, ended }) => [bundle, key, expires, ended ? "ended" : "ends"]);
  return {
    data: { until, expiring: rows, problems: problems.map(({ code, message }) => ({ code, message })) },
    names: [...new Set(rows.map(({ bundle }) => `zoppsecret/${bundle}`))],
    human: rows.length === 0 ? [`no value ends before ${until}`] : table(["BUNDLE", "KEY", "EXPIRES", "STATE"], cells),
    notes: problems.map(({ code, message }) => `${code}: ${message}`),
    exit: rows.length + problems.length === 0 ? 0 : 1,
  };
}

/** Why ends cannot be told: what is wrong with these bundles, or with no bundle that could be read. Approvals concern no end. */
function doubts(found: readonly CheckedBundle[], checked: Checked) {
  const problems = problemsAbout(found, checked).map(({ error }) => error);
  return problems.filter(({ code }) => code !== "PendingApproval");
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
