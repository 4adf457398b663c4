// What judges say, and how `make faults` and `make soak` are told and tell.

/** One question, and what speaks against a yes. */
export interface Verdict {
  readonly title: string;
  readonly wrong: readonly string[];
  /** Numbers, for people. */
  readonly said: string;
}

/** Prints all of them; gives how many failed. */
export function report(verdicts: readonly Verdict[], say: (line: string) => void): number {
  for (const { title, wrong, said } of verdicts) {
    say(`${wrong.length === 0 ? "ok    " : "FAILED"} ${title}${said === "" ? "" : ` (${said})`}`);
    for (const line of wrong) say(`         ${line}`);
  }
  return verdicts.filter(({ wrong }) => wrong.length > 0).length;
}

/** A number from the environment. Throws TypeError for what is none. */
export function numberOf(name: string, otherwise: number): number {
  const given = Number(process.env[name] || otherwise);
  if (!Number.isSafeInteger(given) || given < 1) throw new TypeError(`${name} is a whole number from 1 on`);
  return given;
}
