// Which programs of sealed-secrets zopp is measured beside, or why there are none.
// What is measured is peers.ts'.
import { join } from "node:path";
import { isExecutable } from "../executables.js";
import { goFolder } from "../go-programs.js";
import { noMountsOfOwn, SEALED_SECRETS } from "../migrate/programs.js";
import type { SealedPrograms } from "./peers.sealed.js";

/** The programs that are named, else those that `make slow` has built; or what is lacking. */
export function programsOf(env: NodeJS.ProcessEnv): SealedPrograms | string {
  const folder = goFolder(SEALED_SECRETS, env);
  const controller = env["SEALED_SECRETS_CONTROLLER"] || join(folder, "controller");
  const kubeseal = env["KUBESEAL"] || join(folder, "kubeseal");
  const missing = [controller, kubeseal].filter((path) => !isExecutable(path));
  if (missing.length === 0) return noMountsOfOwn() || { controller, kubeseal };
  return `no ${missing.join(", no ")}: name the programs by SEALED_SECRETS_CONTROLLER and KUBESEAL, or let \`make slow\` build them`;
}
