// A person says yes to what is shown: compares a fingerprint with one that came by another way, or a script brings the one
// that it was told.
// What a fingerprint covers is crds/fingerprint's business.
import { type ErrorCode, ZoppError } from "../crds/errors.js";
import type { Terminal } from "./context.js";
import { terminalOf } from "./input.js";
import type { Session } from "./session.js";

/** The flags that say that a fingerprint was compared. */
export interface FingerprintFlags {
  readonly fingerprint?: string;
  readonly yes?: boolean;
}

/** What is compared with what. */
export interface Compared {
  /** `cluster eu-1`. */
  readonly what: string;
  readonly fingerprint: string;
  /** The question to the person. */
  readonly question: string;
  /** What to compare it with, for whom there is nobody to ask. */
  readonly otherwise: string;
  /** The code for a fingerprint that differs. */
  readonly differs: ErrorCode;
}

/** Throws the code of `differs`, Usage (nobody to ask) or Interrupted. */
export async function confirmFingerprint(session: Session, compared: Compared, flags: FingerprintFlags): Promise<void> {
  const { what, fingerprint } = compared;
  const { context } = session;
  if (flags.fingerprint !== undefined) {
    if (isFingerprint(flags.fingerprint, fingerprint)) return;
    throw new ZoppError(compared.differs, `${what} has the fingerprint ${fingerprint}, not the one that was given`);
  }
  context.stderr.write(`${what}: fingerprint ${fingerprint}\n`);
  if (flags.yes === true) return;
  await askYes(terminalOf(context, compared.otherwise), compared.question, "the fingerprint was not confirmed");
}

/** Asks a person; throws Interrupted with the text of `refused` for all but a yes. */
export async function askYes(terminal: Terminal, question: string, refused: string): Promise<void> {
  const answer = await terminal.ask(`${question} [y/N] `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new ZoppError("Interrupted", refused);
}

/** Whether a fingerprint as people type it is this one. */
export function isFingerprint(typed: string, fingerprint: string): boolean {
  const digits = (text: string) => text.replaceAll(/[\s-]/g, "").toLowerCase();
  return digits(typed) === digits(fingerprint);
}
