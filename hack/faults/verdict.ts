// What judges say, and how `make faults` and `make soak` are told and tell.

/** One question, and what speaks against a yes. */
export interface Verdict {
  readonly title: string;
  readonly wrong: readonly string[];
  /** What speaks against it only on a machine that is fast enough: printed, and no failure. */
  readonly over?: readonly string[];
  /** Numbers, for people. */
  readonly said: string;
}

/** Prints all of them; gives how many failed. */
export function report(verdicts: readonly Verdict[], say: (line: string) => void): number {
  for (const verdict of verdicts) {
    const { title, wrong, over = [], said } = verdict;
    say(`${wordOf(verdict).padEnd(6)} ${title}${said === "" ? "" : ` (${said})`}`);
    for (const line of [...wrong, ...over]) say(`         ${line}`);
  }
  return verdicts.filter(({ wrong }) => wrong.length > 0).length;
}

function wordOf({ wrong, over = [] }: Verdict): string {
  if (wrong.length > 0) return "FAILED";
  return over.length > 0 ? "over" : "ok";
}

/** A number from the environment. Throws TypeError for what is none. */
export function numberOf(name: string, otherwise: number): number {
  const given = Number(process.env[name] || otherwise);
  if (!Number.isSafeInteger(given) || given < 1) throw new TypeError(`${name} is a whole number from 1 on`);
  return given;
}
