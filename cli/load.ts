// Where each command's code is: a module of its own, loaded when it is run and not before.
// What the commands are called and take stands in table.ts.
import type { Result } from "./output.js";
import type { Session } from "./session.js";

/** What a command's module exports: arguments in order (a variadic one spread), options by their camel-case names. */
export interface CommandModule {
  run(session: Session, args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<Result>;
}

const MODULES: Readonly<Record<string, () => Promise<{ readonly run: unknown }>>> = {
  init: () => import("./commands/init.js"),
  trust: () => import("./commands/trust.js"),
  "cluster add": () => import("./commands/cluster-add.js"),
  "cluster remove": () => import("./commands/cluster-remove.js"),
  "policy offer": () => import("./commands/policy-offer.js"),
  "baseline create": () => import("./commands/baseline-create.js"),
  "baseline approve": () => import("./commands/baseline-approve.js"),
  "keys drill": () => import("./commands/keys-drill.js"),
  "keys replace": () => import("./commands/keys-replace.js"),
  "keys renew": () => import("./commands/keys-renew.js"),
  "environment create": () => import("./commands/environment-create.js"),
  "environment rekey": () => import("./commands/environment-rekey.js"),
  "principal list": () => import("./commands/principal-list.js"),
  "principal add": () => import("./commands/principal-add.js"),
  "principal remove": () => import("./commands/principal-remove.js"),
  "principal approve": () => import("./commands/principal-approve.js"),
  join: () => import("./commands/join.js"),
  "invite create": () => import("./commands/invite-create.js"),
  "invite list": () => import("./commands/invite-list.js"),
  "invite revoke": () => import("./commands/invite-revoke.js"),
  "policy owners": () => import("./commands/policy-owners.js"),
  "policy propose": () => import("./commands/policy-propose.js"),
  "policy sign": () => import("./commands/policy-sign.js"),
  "device add": () => import("./commands/device-add.js"),
  "device remove": () => import("./commands/device-remove.js"),
  exposure: () => import("./commands/exposure.js"),
  "group list": () => import("./commands/group-list.js"),
  "group add": () => import("./commands/group-add.js"),
  "group remove": () => import("./commands/group-remove.js"),
  grant: () => import("./commands/grant.js"),
  revoke: () => import("./commands/revoke.js"),
  "token create": () => import("./commands/token-create.js"),
  "token list": () => import("./commands/token-list.js"),
  "token revoke": () => import("./commands/token-revoke.js"),
  set: () => import("./commands/set.js"),
  import: () => import("./commands/import.js"),
  approve: () => import("./commands/approve.js"),
  diff: () => import("./commands/diff.js"),
  history: () => import("./commands/history.js"),
  rollback: () => import("./commands/rollback.js"),
  get: () => import("./commands/get.js"),
  run: () => import("./commands/run.js"),
  edit: () => import("./commands/edit.js"),
  expire: () => import("./commands/expire.js"),
  generate: () => import("./commands/generate.js"),
  "rotation set": () => import("./commands/rotation-set.js"),
  "rotation remove": () => import("./commands/rotation-remove.js"),
  list: () => import("./commands/list.js"),
  unset: () => import("./commands/unset.js"),
  status: () => import("./commands/status.js"),
  doctor: () => import("./commands/doctor.js"),
  verify: () => import("./commands/verify.js"),
  "audit list": () => import("./commands/audit-list.js"),
  "audit tail": () => import("./commands/audit-tail.js"),
  "audit verify": () => import("./commands/audit-verify.js"),
  "audit who": () => import("./commands/audit-who.js"),
  "audit export": () => import("./commands/audit-export.js"),
  whoami: () => import("./commands/whoami.js"),
  completion: () => import("./commands/completion.js"),
};

/** Loads a command of the table. Throws TypeError for one that the table has and this file has not. */
export async function loadCommand(name: string): Promise<CommandModule> {
  const load = Object.hasOwn(MODULES, name) ? MODULES[name] : undefined;
  if (load === undefined) throw new TypeError(`no module for the command ${name}`);
  return (await load()) as CommandModule;
}
