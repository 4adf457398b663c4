// Where a recovery key goes that was just made: to a file, or once to a person. What it opens is wrapping.ts' business.
import { existsSync } from "node:fs";
import type { newRecovery } from "../crds/crypto/age.js";
import { ZoppError } from "../crds/errors.js";
import type { Context } from "./context.js";
import { replaceFiles } from "./store/files.js";

/** Throws AlreadyExists for a file that is there: it may hold the only recovery key of something else. */
export function refuseTakenFile(file: string): void {
  if (existsSync(file))
    throw new ZoppError("AlreadyExists", `${file} is there already: name another file for the recovery key`);
}

/** Writes a recovery key to a file that is not there yet. Throws FileUnwritable. */
export function saveRecovery(file: string, recovery: Awaited<ReturnType<typeof newRecovery>>, workspace: string): void {
  const about = `recovery key of the zopp workspace ${workspace}: opens every environment; keep it offline`;
  const after = `# ${about}\n# recipient: ${recovery.recipient}\n${recovery.identity}\n`;
  replaceFiles([{ file, before: undefined, after, mode: 0o600 }]);
}

/** Shows a recovery key on stderr. */
export function showRecovery(context: Context, key: string): void {
  context.stderr.write(
    `\nRecovery key, shown this once. It opens every environment: write it down and keep it offline.\n\n  ${key}\n\n`,
  );
}
