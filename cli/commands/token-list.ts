// `zopp token list`: the services, with their devices, ends and grants. Tokens themselves are nowhere to be listed.
import type { Result } from "../output.js";
import type { Session } from "../session.js";
import { listed } from "./principal-list.js";

/** Runs `zopp token list`. */
export async function run(session: Session): Promise<Result> {
  return listed(session, ({ kind }) => kind === "service");
}
