// Checks everything that a store holds, from the pins up, and collects every problem instead of stopping at the first.
// Rules are crds'; how findings are shown is the business of `verify` and `status`.
import type { PlaceLedger, Policy } from "../crds/bundle/case.js";
import { type Examined, examineBundle } from "../crds/bundle/verify.js";
import { ZoppError } from "../crds/errors.js";
import type { AcceptedEnvironment } from "../crds/policy/environment.js";
import { type AcceptedWorkspace, judgeWorkspace } from "../crds/policy/workspace.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { type Base, ledgerOf, noBase } from "./check.base.js";
import type { Context } from "./context.js";
import { judgeFromPins, judgeSeen } from "./policy.js";
import { type Contents, type Found, type Kind, type Kinds, nameOf, parseFound } from "./store/store.js";

/** A problem or warning, and the object that it concerns. */
export interface Finding {
  readonly where: string;
  readonly error: ZoppError;
}

/** A bundle with what was found of it; `policy` is absent where its policy cannot be trusted. */
export interface CheckedBundle {
  readonly secret: ZoppSecret;
  readonly where: string;
  readonly policy?: Policy | undefined;
  readonly problems: readonly ZoppError[];
  readonly warnings: readonly ZoppError[];
}

/** Everything that was found. */
export interface Checked {
  readonly workspaces: readonly AcceptedWorkspace[];
  readonly environments: readonly AcceptedEnvironment[];
  readonly bundles: readonly CheckedBundle[];
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** How to check. */
export interface Checking {
  readonly context: Context;
  readonly contents: Contents;
  /** Only this workspace and what belongs to it. */
  readonly workspace?: string | undefined;
  /** What was there before; only what differs from it needs rights now. */
  readonly base?: Base | undefined;
  /** Judge as a keyring that has accepted nothing yet: authors who left are problems. */
  readonly strict: boolean;
}

interface Parsed<K extends Kind> {
  readonly object: Kinds[K];
  readonly where: string;
}

/** Checks a store. Throws only for pins that cannot be read. */
export function checkStore(checking: Checking): Checked {
  const { contents } = checking;
  const problems: Finding[] = [...contents.problems];
  const warnings: Finding[] = [];
  problems.push(...twice(contents.objects));
  const attempt = <T>(where: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      problems.push({ where, error });
      return undefined;
    }
  };
  const all = <K extends Kind>(kind: K): Parsed<K>[] =>
    contents.objects.flatMap(({ kind: found, value, where }) => {
      const object = found === kind ? attempt(where, () => parseFound(kind, value, where)) : undefined;
      return object === undefined ? [] : [{ object, where }];
    });
  const ours = (name: string): boolean => checking.workspace === undefined || checking.workspace === name;
  const workspaces = new Map<string, AcceptedWorkspace>();
  for (const { object, where } of all("ZoppWorkspace").filter((found) => ours(found.object.metadata.name))) {
    const judged = attempt(where, () => judgeOver(checking, object));
    if (judged !== undefined) workspaces.set(judged.name, judged);
  }
  const held = new Set(contents.objects.filter(({ kind }) => kind === "ZoppWorkspace").map(({ name }) => name));
  const environments = new Map<string, AcceptedEnvironment>();
  for (const { object, where } of all("ZoppEnvironment").filter((found) => ours(found.object.spec.workspace))) {
    const workspace = workspaces.get(object.spec.workspace);
    if (workspace === undefined && !held.has(object.spec.workspace))
      problems.push({ where, error: homeless(object.spec.workspace) });
    if (workspace === undefined) continue;
    const accepted = checking.base?.environments.get(object.metadata.name);
    const judged = attempt(where, () => judgeSeen(checking.context, object, workspace, accepted));
    if (judged !== undefined) environments.set(judged.path, judged);
  }
  const secrets = all("ZoppSecret").filter(({ object }) => ours(object.spec.environment.split("/")[0] ?? ""));
  const policies = policiesOf(workspaces, environments);
  const stored = new Set(contents.objects.filter(({ kind }) => kind === "ZoppEnvironment").map(({ name }) => name));
  const bundles = secrets.map((found) => checkBundle(checking, found, secrets, policies, stored));
  for (const { where, problems: bad, warnings: odd } of bundles) {
    problems.push(...bad.map((error) => ({ where, error })));
    warnings.push(...odd.map((error) => ({ where, error })));
  }
  return {
    workspaces: [...workspaces.values()],
    environments: [...environments.values()],
    bundles,
    problems,
    warnings,
  };
}

/** A workspace from its pins and, where there is one, as a successor of the base's. */
function judgeOver({ context, base }: Checking, candidate: Kinds["ZoppWorkspace"]): AcceptedWorkspace {
  const judged = judgeFromPins(context, candidate);
  const accepted = base?.workspaces.get(judged.name);
  return accepted === undefined ? judged : judgeWorkspace({ candidate, accepted, now: context.now() });
}

function homeless(workspace: string): ZoppError {
  return new ZoppError("NotFound", `workspace ${workspace} is not in the store`);
}

function twice(objects: readonly Found[]): Finding[] {
  const first = new Map<string, Found>();
  return objects.flatMap((object) => {
    const id = `${object.kind} ${nameOf(object)}`;
    const other = first.get(id);
    first.set(id, other ?? object);
    if (other === undefined) return [];
    return [
      {
        where: object.where,
        error: new ZoppError("Malformed", `${id} stands in ${other.where} and in ${object.where}`),
      },
    ];
  });
}

function policiesOf(
  workspaces: ReadonlyMap<string, AcceptedWorkspace>,
  environments: ReadonlyMap<string, AcceptedEnvironment>,
): ReadonlyMap<string, Policy> {
  const policies = new Map<string, Policy>();
  for (const [path, environment] of environments) {
    const workspace = workspaces.get(environment.object.spec.workspace);
    if (workspace !== undefined) policies.set(path, { workspace, environment });
  }
  return policies;
}

function checkBundle(
  checking: Checking,
  { object: secret, where }: Parsed<"ZoppSecret">,
  others: readonly Parsed<"ZoppSecret">[],
  policies: ReadonlyMap<string, Policy>,
  stored: ReadonlySet<string>,
): CheckedBundle {
  const path = secret.spec.environment;
  const policy = policies.get(path);
  if (policy === undefined) {
    const there = stored.has(path.replaceAll("/", "."));
    const text = there
      ? `the policy of ${path} is not trusted, so nothing is checked`
      : `environment ${path} is not in the store`;
    return {
      secret,
      where,
      problems: [new ZoppError("UnknownEnvironment", `bundle ${place(secret)}: ${text}`)],
      warnings: [],
    };
  }
  const examined = examine(checking, secret, policy, policies, others);
  const clash = others.find(
    ({ object }) => object !== secret && targetOf(object) === targetOf(secret) && place(object) < place(secret),
  );
  const problems = [...examined.problems];
  if (clash !== undefined) {
    const text = `bundle ${place(secret)} and bundle ${place(clash.object)} have one target, ${targetOf(secret)}`;
    problems.push(new ZoppError("TargetConflict", text));
  }
  return { secret, where, policy, problems, warnings: examined.warnings };
}

/** Signatures are checked of everything, rights (given a base) only of what differs from it. */
function examine(
  { context, base = noBase, strict }: Checking,
  secret: ZoppSecret,
  policy: Policy,
  policies: ReadonlyMap<string, Policy>,
  others: readonly Parsed<"ZoppSecret">[],
): Pick<Examined, "problems" | "warnings"> {
  const given = { ...policy, secret, now: context.now(), otherPlaces: others.map(({ object }) => object.metadata) };
  const before = base.bundles.get(place(secret));
  try {
    if (before === undefined) return examineBundle({ ...given, lenient: !strict && base === noBase });
    const ledger: PlaceLedger = ledgerOf(
      before,
      policies.get(before.spec.environment)?.environment ?? policy.environment,
    );
    const changed = examineBundle({ ...given, ledger, previous: policies.get(ledger.environment) });
    const all = examineBundle({ ...given, lenient: true });
    const said = new Set(changed.problems.map(({ message }) => message));
    const forged = all.problems.filter(({ code, message }) => FORGED.has(code) && !said.has(message));
    return { problems: [...changed.problems, ...forged], warnings: [...changed.warnings, ...all.warnings] };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { problems: [error], warnings: [] };
  }
}

const FORGED: ReadonlySet<string> = new Set(["SignatureInvalid", "PlaceMismatch"]);

function place({ metadata }: ZoppSecret): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function targetOf({ metadata, spec }: ZoppSecret): string {
  return `${metadata.namespace}/${spec.target?.name ?? metadata.name}`;
}
