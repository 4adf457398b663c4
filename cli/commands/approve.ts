// `zopp approve`: adds an approver's signature to what somebody else wrote: a bundle's header and entries, or an environment.
// Needs no right to read: what is signed are names, versions and hashes. Only what lacks nothing but approvals is signed.
import { approveParts } from "../../crds/bundle/approve.js";
import { bindingsOf, type Policy } from "../../crds/bundle/case.js";
import { type BundleStatements, bundleStatements } from "../../crds/bundle/statements.js";
import { ZoppError } from "../../crds/errors.js";
import { approveEnvironment } from "../../crds/policy/edit.js";
import { environmentStatement } from "../../crds/statement.js";
import type { ZoppEnvironment, ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, environmentOf, needBundle, notesOn, refuseMisshapen, refuseOther } from "../bundles.js";
import type { Result } from "../output.js";
import { acceptPolicy, acceptWorkspace, approverOf, judgeSeen, readEnvironmentObject } from "../policy.js";
import type { Session } from "../session.js";
import { type EnvironmentPath, environmentPath, pathText } from "../settings.js";
import { change } from "../store/store.js";
import { lackingSignatures, type Part, waitingParts } from "../waiting.js";

/** The flags of `zopp approve`. */
export interface ApproveOptions {
  readonly namespace?: string;
  readonly environment?: string;
  readonly header?: boolean;
}

/** Runs `zopp approve [BUNDLE [KEY...]]`. */
export async function run(
  session: Session,
  [bundle, ...keys]: readonly string[],
  options: ApproveOptions,
): Promise<Result> {
  if (bundle !== undefined) return approveBundle(session, bundle, keys, options);
  if (options.environment === undefined)
    throw new ZoppError("Usage", "name a bundle, or with --environment the environment that is to be approved");
  return approvePolicy(session, environmentPath(options.environment, session.settings));
}

async function approveBundle(
  session: Session,
  bundle: string,
  keys: readonly string[],
  options: ApproveOptions,
): Promise<Result> {
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const now = session.context.now();
  const identity = await session.identity();
  const approver = approverOf(policy.workspace, policy.environment.scope, identity, now);
  const { namespace, name } = secret.metadata;
  const waiting = waitingParts({ ...policy, secret, now });
  const wanted = chosen(secret, waiting, keys, options);
  const parts = wanted.filter(({ author }) => author !== approver);
  if (parts.length === 0 && wanted.length > 0)
    throw new ZoppError("NotAuthorised", `bundle ${namespace}/${name}: ${approver} wrote it, so others approve it`);
  const judged = statementsOf(secret, policy);
  let written = secret;
  const approve = (present: ZoppSecret | undefined): ZoppSecret => {
    if (present === undefined || isOther(judged, statementsOf(present, policy), parts))
      throw new ZoppError("ApiConflict", `bundle ${namespace}/${name} was changed meanwhile: look at it again`);
    const approved = parts.flatMap(({ key }) => (key === undefined ? [] : [key]));
    const header = parts.some(({ key }) => key === undefined);
    const writing = { environment: policy.environment, signingKey: identity.signing };
    written = refuseMisshapen(approveParts(present, { header, keys: approved }, writing));
    return written;
  };
  const store = await session.store();
  const where = parts.length === 0 ? [] : await store.write([change("ZoppSecret", { namespace, name }, approve)]);
  return {
    data: { bundle: `${namespace}/${name}`, environment: policy.environment.path, approved: parts, where: where[0] },
    names: [`zoppsecret/${namespace}/${name}`],
    human:
      parts.length === 0
        ? [`nothing in ${namespace}/${name} waits for an approval`]
        : [
            ...parts.map(
              ({ key, version, author }) => `approved ${key ?? "the header"}, version ${version} by ${author}`,
            ),
            `written: ${where.join(", ")}`,
          ],
    notes: notesOn(written, policy, now),
  };
}

/** All that waits, or what the person named of it. Throws NotFound for a key that does not wait. */
function chosen(
  secret: ZoppSecret,
  waiting: readonly Part[],
  keys: readonly string[],
  { header = false }: ApproveOptions,
): readonly Part[] {
  if (keys.length === 0 && !header) return waiting;
  const { namespace, name } = secret.metadata;
  for (const key of keys) {
    if (waiting.some((part) => part.key === key)) continue;
    const is = Object.hasOwn(secret.spec.data ?? {}, key) ? "waits for no approval" : "is not there";
    throw new ZoppError("NotFound", `bundle ${namespace}/${name}: ${key} ${is}`);
  }
  return waiting.filter(({ key }) => (key === undefined ? header : keys.includes(key)));
}

function statementsOf(secret: ZoppSecret, { environment }: Policy): BundleStatements {
  return bundleStatements(secret, bindingsOf(environment));
}

/** True when one of the parts is not what was looked at. */
function isOther(judged: BundleStatements, present: BundleStatements, parts: readonly Part[]): boolean {
  const hashOf = (statements: BundleStatements, key: string | undefined) =>
    (key === undefined ? statements.header : statements.entries.get(key))?.hash;
  return parts.some(({ key }) => hashOf(judged, key) !== hashOf(present, key));
}

async function approvePolicy(session: Session, path: EnvironmentPath): Promise<Result> {
  const workspace = await acceptWorkspace(session, path.workspace);
  const candidate = await readEnvironmentObject(session, path);
  const { name } = candidate.metadata;
  const now = session.context.now();
  const identity = await session.identity();
  const approver = approverOf(workspace, `${path.project}/${path.environment}`, identity, now);
  const author = workspace.roster.signers.get(candidate.spec.signatures[0]?.by ?? "")?.principal.name;
  if (author === approver)
    throw new ZoppError(
      "NotAuthorised",
      `environment ${pathText(path)}: ${approver} signed it as its admin, so others approve it`,
    );
  const { hash: digest } = environmentStatement(candidate.spec);
  const lacks = (object: ZoppEnvironment) => lackingSignatures(() => judgeSeen(session.context, object, workspace));
  if (lacks(candidate) === undefined) {
    const human = [`environment ${pathText(path)} waits for no approval`];
    return { data: { environment: pathText(path), version: candidate.spec.version }, names: [], human };
  }
  const approved = approveEnvironment(candidate, identity.signing);
  const after = lacks(approved);
  const where = await (await session.store()).write([
    change("ZoppEnvironment", { name }, (present) => {
      if (present !== undefined && environmentStatement(present.spec).hash === digest)
        return { ...present, spec: approved.spec };
      throw new ZoppError("ApiConflict", `environment ${pathText(path)} was changed meanwhile: look at it again`);
    }),
  ]);
  return {
    data: { environment: pathText(path), version: candidate.spec.version, where: where[0] },
    names: [`zoppenvironment/${name}`],
    human: [
      `approved ${pathText(path)}, version ${candidate.spec.version}${author === undefined ? "" : ` by ${author}`}`,
      `written: ${where.join(", ")}`,
    ],
    notes: after === undefined ? [] : [`${after.code}: ${after.message}`],
  };
}
