// `zopp join`: a new person's first command: an identity, the pin that the invite vouches for, and a request to an owner.
// The code is read from a prompt, a file or stdin, never from the command line; it is not kept.
import { hostname } from "node:os";
import { type Identity, identityFromSeed } from "../../crds/crypto/identity.js";
import { type ErrorCode, ZoppError } from "../../crds/errors.js";
import { fingerprintOf } from "../../crds/fingerprint.js";
import { type InviteCode, parseInvite } from "../../crds/policy/invite.js";
import { newJoinRequest } from "../../crds/policy/joining.js";
import { formatPin, type Pin } from "../../crds/policy/pin.js";
import { joinStatement } from "../../crds/statement.js";
import type { JoinRequest } from "../../crds/types.gen.js";
import type { Context } from "../context.js";
import { hasIdentityFile, loadIdentity, makeIdentity } from "../identity.js";
import { readInput, terminalOf } from "../input.js";
import { type KeyringOptions, withKeyring } from "../keyring-call.js";
import type { Result } from "../output.js";
import { readKnown, writeKnown } from "../pins.js";
import { acceptWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import { label, labelFrom } from "../settings.js";

/** The flags of `zopp join`. */
export interface JoinOptions extends KeyringOptions {
  readonly codeFile?: string;
  readonly device?: string;
  readonly offline?: boolean;
}

/** Runs `zopp join`. */
export async function run(session: Session, _words: readonly string[], options: JoinOptions): Promise<Result> {
  const { context, settings } = session;
  if (context.env["ZOPP_TOKEN"]) throw new ZoppError("Usage", "a token does not join: unset ZOPP_TOKEN");
  const device = label("device", options.device ?? labelFrom(hostname().split(".")[0] ?? "", "device"));
  const code = parseInvite(await readCode(context, options.codeFile));
  const fresh = !hasIdentityFile(context);
  const made = fresh ? await makeIdentity(context) : { identity: await loadIdentity(context), save: () => undefined };
  made.save();
  pinInvited(context, code.pin);
  const { workspace } = code.pin;
  const request = requestOf(code, device, made.identity);
  const { signature: _, proof: __, ...asked } = request;
  const fingerprint = fingerprintOf(joinStatement(workspace, asked).hash);
  const sent = options.offline !== true && settings.store !== undefined;
  const to = sent ? await send(session, workspace, request, made.identity, options) : undefined;
  const told = [
    ...(fresh ? ["a new identity lies on this machine"] : []),
    `${workspace} is pinned as the invite says: ${formatPin(code.pin)}`,
    `fingerprint ${fingerprint}: tell it to an owner by another way than the one that the request takes`,
  ];
  const data = { workspace, invite: code.invite, fingerprint, pin: formatPin(code.pin), request, sent: to ?? null };
  if (to !== undefined) {
    return { data, names: [fingerprint], human: [`the keyring of ${to} keeps the request for the owners`, ...told] };
  }
  return {
    data,
    names: [fingerprint],
    human: [JSON.stringify(request)],
    notes: [
      ...told,
      `the request stands on stdout: an owner runs \`zopp principal approve ${code.invite} --request FILE\``,
    ],
  };
}

async function readCode(context: Context, file: string | undefined): Promise<string> {
  if (file !== undefined) return Buffer.from(await readInput(context, file)).toString("utf8");
  return terminalOf(context, "name a file with the invite code by --code-file").askHidden("the invite code: ");
}

/** The code's seed is used for one signature. */
function requestOf({ seed, invite, pin }: InviteCode, device: string, identity: Identity): JoinRequest {
  try {
    return newJoinRequest(pin.workspace, { invite, device }, identity, identityFromSeed(seed));
  } finally {
    seed.fill(0);
  }
}

/** What this machine has pinned before is not moved by an invite. Throws PinMismatch. */
function pinInvited(context: Context, { workspace, owners, minVersion }: Pin): void {
  const before = readKnown(context)[workspace];
  if (before === undefined) return writeKnown(context, workspace, { owners, minVersion });
  if (before.owners === owners) {
    return writeKnown(context, workspace, { ...before, minVersion: Math.max(before.minVersion, minVersion) });
  }
  if (before.minVersion >= minVersion) return;
  const other = formatPin({ workspace, ...before });
  const text = `${workspace} is pinned to other owners than the invite's: ${other}; \`zopp trust --replace\` changes that`;
  throw new ZoppError("PinMismatch", text);
}

/** Where no keyring can be asked, a request goes by hand. */
const UNREACHED: ReadonlySet<ErrorCode> = new Set(["KeyringUnavailable", "NoRecipient", "ApiUnreachable"]);

/** Gives the name of the cluster. Throws as acceptWorkspace and withKeyring, and what the keyring refuses. */
async function send(
  session: Session,
  name: string,
  request: JoinRequest,
  { signing }: Identity,
  options: JoinOptions,
): Promise<string> {
  const workspace = await acceptWorkspace(session, name);
  const wanted = { ...options, workspace, identity: signing };
  try {
    return await withKeyring(session, wanted, async ({ keyring, cluster }) => {
      await keyring.join(name, request);
      return cluster.name;
    });
  } catch (error) {
    if (!(error instanceof ZoppError) || !UNREACHED.has(error.code)) throw error;
    throw new ZoppError(error.code, `${error.message}; --offline prints the request, to be handed over`, {
      cause: error,
    });
  }
}
