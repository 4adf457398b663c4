// `zopp device remove`: one of several devices of a principal: lost, sold, or replaced.
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { principalNamed } from "../principals.js";
import { removeDevice } from "../removal.js";
import type { Session } from "../session.js";
import { removedResult } from "./principal-remove.js";

/** Runs `zopp device remove PRINCIPAL DEVICE`. */
export async function run(session: Session, [name = "", device = ""]: readonly string[]): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const removed = await removeDevice(session, workspace, principalNamed(workspace, name), device);
  return removedResult(`${name}/${device}`, removed);
}
