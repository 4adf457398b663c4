// `zopp device add`: another device of a principal. Where it may read with its own key, it gets the environment's.
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import { type DeviceFlags, deviceOf, principalNamed } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";

/** Runs `zopp device add PRINCIPAL DEVICE`. */
export async function run(
  session: Session,
  [name = "", deviceName]: readonly string[],
  options: DeviceFlags,
): Promise<Result> {
  const device = await deviceOf(session.context, label("device", deviceName), options);
  const workspace = await acceptNamedWorkspace(session);
  const principal = principalNamed(workspace, name);
  if (principal.kind === "workload")
    throw new ZoppError("Usage", `principal ${name} is a workload, which is known by its account and has no devices`);
  if (principal.devices?.some((other) => other.name === device.name))
    throw new ZoppError("AlreadyExists", `principal ${name} has a device ${device.name} already`);
  const present = workspaceContent(workspace.object);
  const principals = present.principals.map((each) =>
    each === principal ? { ...each, devices: [...(each.devices ?? []), device] } : each,
  );
  const { where, notes } = await storeChange(session, { workspace, content: { ...present, principals } });
  const kid = parseVerifyKey(device.signingKey)?.kid ?? "";
  return {
    data: { principal: name, device, kid, where },
    names: [`${name}/${device.name}`],
    human: [
      `added ${name}/${device.name}, which signs as ${kid} (${where.join(", ")})`,
      `compare ${kid} with \`zopp whoami\` there`,
    ],
    notes,
  };
}
