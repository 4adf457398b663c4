// `zopp generate`: signs a rule by which the keyring of each cluster makes a key's value. The value itself is made there, and
// nobody here ever sees it; `zopp unset` takes a rule away.
import type { Policy } from "../../crds/bundle/case.js";
import { newBundle, signHeader, type Writing } from "../../crds/bundle/edit.js";
import { ruleHash } from "../../crds/bundle/generated.js";
import { targetName } from "../../crds/bundle/target.js";
import { canonicalFields } from "../../crds/crypto/jcs.js";
import { ZoppError } from "../../crds/errors.js";
import { nextVersion } from "../../crds/policy/versions.js";
import type { GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  findBundle,
  notesOn,
  refuseMisshapen,
  refuseOther,
  refuseUnsound,
} from "../bundles.js";
import { askYes } from "../confirm.js";
import { refuseUnseen } from "../header.sign.js";
import { terminalOf } from "../input.js";
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { isRotating, refuseRotationLacking } from "../rotation.js";
import { onlyNamespace } from "../sealing.js";
import type { Session } from "../session.js";
import { environmentPath } from "../settings.js";
import { change } from "../store/store.js";
import { type CertificateOptions, certificateOf, certificateRotation } from "./generate.certificate.js";
import { oneOf, spanOf } from "./options.js";

/** The flags of `zopp generate`. */
export interface GenerateOptions extends CertificateOptions {
  readonly kind?: string;
  readonly length?: string;
  readonly alphabet?: string;
  readonly curve?: string;
  readonly bits?: string;
  readonly public?: string;
  readonly rotateEvery?: string;
  readonly previous?: string;
  readonly again?: boolean;
  readonly yes?: boolean;
  readonly environment?: string;
  readonly namespace?: string;
}

const KINDS = ["password", "bytes", "uuid", "ed25519", "ecdsa", "rsa", "certificate"] as const;
const LENGTHS: Readonly<Record<string, number>> = { password: 32, bytes: 32 };

/** Runs `zopp generate BUNDLE KEY`. */
export async function run(
  session: Session,
  [bundle = "", key = ""]: readonly string[],
  options: GenerateOptions,
): Promise<Result> {
  const now = session.context.now();
  const wanted = bundleName(bundle, options.namespace);
  const found = await findBundle(session, wanted, options.environment);
  if (found !== undefined) refuseOther(session, found.secret, options.environment);
  const path =
    found === undefined ? environmentPath(options.environment, session.settings) : environmentOf(found.secret);
  const policy = await acceptPolicy(session, path);
  const identity = await session.identity();
  refuseWithout(policy, signerOf(policy.workspace, identity).principal.name, "header", now);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  const { name, namespace = onlyNamespace(policy) } = found?.secret.metadata ?? wanted;
  if (found !== undefined && withRule(found.secret, { namespace, name }, key, options, policy, writing).isOvertaking)
    await confirmOvertaking(session, options.yes === true);
  let result: Ruled | undefined;
  const make = (present: ZoppSecret | undefined): ZoppSecret => {
    result = withRule(present, { namespace, name }, key, options, policy, writing);
    return result.secret;
  };
  const where = await (await session.store()).write([change("ZoppSecret", { namespace, name }, make)]);
  if (result === undefined) throw new TypeError("the store changed nothing");
  return report(result, key, where, notesOn(result.secret, policy, now));
}

/** The bundle as it is written, and what that means. */
interface Ruled {
  readonly secret: ZoppSecret;
  readonly outcome: "same" | "new value" | "same value";
  /** A value is asked for while another one waits for its job, where the store knows that: a cluster. */
  readonly isOvertaking: boolean;
}

const WAITS =
  "values of this bundle wait for their rotation job: the next job gets those as the ones before, and not what the Secret has until then; `zopp status` says when RotationPending is gone";

/** A job that takes away what is neither new nor old would take away what clients still have; and what is signed stays. */
async function confirmOvertaking(session: Session, isAnswered: boolean): Promise<void> {
  const { context } = session;
  context.stderr.write(`${WAITS}\n`);
  if (isAnswered) return;
  const terminal = terminalOf(context, "wait for that, or say --yes");
  await askYes(terminal, "Have another one made all the same?", "nothing was signed");
}

function withRule(
  present: ZoppSecret | undefined,
  place: { readonly namespace: string; readonly name: string },
  key: string,
  options: GenerateOptions,
  policy: Policy,
  writing: Writing,
): Ruled {
  if (present !== undefined) {
    if (present.spec.environment !== policy.environment.path)
      throw new ZoppError("ApiConflict", "the bundle changed its environment meanwhile");
    refuseUnseen(present, policy, writing);
    refuseSealed(present, key);
  }
  const before = present?.spec.generate?.[key];
  const rule = ruleOf(before, options, writing.now);
  if (before !== undefined && present !== undefined && canonicalFields({ ...before }) === canonicalFields({ ...rule }))
    return { secret: present, outcome: "same", isOvertaking: false };
  const generate = { ...present?.spec.generate, [key]: rule };
  const start = present ?? newBundle({ ...place, generate }, writing);
  const changed = { ...start, spec: { ...start.spec, generate } };
  refuseRotationLacking(changed);
  const secret = { ...changed, spec: { ...changed.spec, header: signHeader(changed, writing) } };
  refuseUnsound(secret, policy, [], writing.now);
  const isSame = before !== undefined && ruleHash(before) === ruleHash(rule);
  const isOvertaking = !isSame && before !== undefined && present !== undefined && isRotating(present);
  return {
    secret: refuseMisshapen(secret),
    outcome: isSame ? "same value" : "new value",
    isOvertaking,
  };
}

/** A value that somebody typed is not thrown away by the way. */
function refuseSealed({ metadata, spec }: ZoppSecret, key: string): void {
  const entry = spec.data?.[key];
  if (entry === undefined || entry.retired === true) return;
  const place = `${metadata.namespace}/${metadata.name}`;
  throw new ZoppError(
    "StillNeeded",
    `bundle ${place} has a sealed value for ${key}: \`zopp unset ${place} ${key}\` first`,
  );
}

/** The rule: what is not said stays as it was, unless another kind is. A version of its own where it asks for another value. */
function ruleOf(before: GenerateRule | undefined, options: GenerateOptions, now: Date): GenerateRule {
  const kind = oneOf("--kind", options.kind, KINDS) ?? before?.kind;
  if (kind === undefined) throw new ZoppError("Usage", `say what is made: --kind is one of ${KINDS.join(", ")}`);
  const { version = 0, ...kept } = before?.kind === kind ? before : { version: before?.version ?? 0 };
  if (options.rotateEvery !== undefined && options.rotateEvery !== "never" && spanOf(options.rotateEvery) === undefined)
    throw new ZoppError("Usage", "--rotate-every is 30d, 720h, 4w or never");
  const certificate = certificateOf(before?.kind === kind ? before : undefined, kind, options);
  const said = {
    length: numberOf("--length", options.length) ?? (before?.kind === kind ? undefined : LENGTHS[kind]),
    alphabet: options.alphabet,
    curve:
      oneOf("--curve", options.curve, ["P-256", "P-384"]) ??
      defaultFor(before, kind, kind === "certificate" ? kind : "ecdsa", "P-256" as const),
    bits: numberOf("--bits", options.bits) ?? defaultFor(before, kind, "rsa", 3072),
    public: options.public,
    certificate,
    rotateEvery:
      options.rotateEvery ?? (before?.kind === kind ? undefined : certificate && certificateRotation(certificate)),
    previous: options.previous,
  };
  const merged = { ...kept, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) };
  const { rotateEvery, ...rest } = merged as Omit<GenerateRule, "version">;
  const rule = {
    version,
    ...rest,
    kind,
    ...(rotateEvery === "never" || rotateEvery === undefined ? {} : { rotateEvery }),
  };
  const isNew = before === undefined || options.again === true || ruleHash(before) !== ruleHash(rule);
  return isNew ? { ...rule, version: nextVersion(before?.version, now) } : rule;
}

function defaultFor<T>(before: GenerateRule | undefined, kind: string, of: string, value: T): T | undefined {
  return kind === of && before?.kind !== kind ? value : undefined;
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new ZoppError("Usage", `${flag} is a number`);
}

function report({ secret, outcome }: Ruled, key: string, where: readonly string[], notes: readonly string[]): Result {
  const { namespace, name } = secret.metadata;
  const place = `${namespace}/${name}`;
  const rule = secret.spec.generate?.[key];
  const target = `the Secret ${targetName(secret)}`;
  const said = {
    same: "nothing was changed",
    "same value": `signed another rule for ${key} of ${place}: its value stays (${where.join(", ")})`,
    "new value": `signed for ${key} of ${place}: the keyring makes a value, for ${target} (${where.join(", ")})`,
  }[outcome];
  return {
    data: { bundle: place, environment: secret.spec.environment, key, rule, outcome, where: where[0] },
    names: [`zoppsecret/${place}`],
    human: [said],
    notes,
  };
}
