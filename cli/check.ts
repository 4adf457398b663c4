// Checks everything that a store holds, from the pins up, and collects every problem instead of stopping at the first.
// Rules are crds'; how findings are shown is the business of `verify` and `status`.
import { type PlaceLedger, type Policy, placeOf } from "../crds/bundle/case.js";
import { templateProblems } from "../crds/bundle/render.js";
import { keysMissing, targetPlace } from "../crds/bundle/target.js";
import { type Examined, examineBundle } from "../crds/bundle/verify.js";
import { ZoppError } from "../crds/errors.js";
import { type AcceptedBaseline, judgeBaseline } from "../crds/policy/baseline.js";
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
  /** Baselines that count; where all is judged as by a new keyring, bundles were judged with them. */
  readonly baselines: readonly AcceptedBaseline[];
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

/** Collects findings while checks run. */
interface Collector {
  readonly problems: Finding[];
  readonly warnings: Finding[];
  /** The result of a check; its error, also collected, where it throws one. */
  attempt<T>(where: string, work: () => T): T | ZoppError;
}

function newCollector(problems: Finding[]): Collector {
  const attempt = <T>(where: string, work: () => T): T | ZoppError => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      problems.push({ where, error });
      return error;
    }
  };
  return { problems, warnings: [], attempt };
}

/** Checks a store. Throws only for pins that cannot be read. */
export function checkStore(checking: Checking): Checked {
  const { contents } = checking;
  const found = newCollector([...contents.problems, ...twice(contents.objects)]);
  const { workspaces, environments, policies } = checkPolicies(checking, found);
  const secrets = parseAll(checking, found, "ZoppSecret").filter(({ object }) =>
    isWanted(checking, object.spec.environment.split("/")[0]),
  );
  const baselines = checkBaselines(checking, found, policies);
  const bundles = secrets.map((secret) => checkBundle({ ...checking, baselines }, secret, secrets, policies));
  for (const { where, problems, warnings } of bundles) {
    found.problems.push(...problems.map((error) => ({ where, error })));
    found.warnings.push(...warnings.map((error) => ({ where, error })));
  }
  const good = [...baselines.values()];
  return { workspaces, environments, bundles, baselines: good, problems: found.problems, warnings: found.warnings };
}

/** The problems of these bundles, and those that concern no bundle that could be read. */
export function problemsAbout(found: readonly CheckedBundle[], { bundles, problems }: Checked): readonly Finding[] {
  const ours = new Set(found.flatMap((each) => each.problems));
  const others = new Set(bundles.flatMap((each) => each.problems).filter((problem) => !ours.has(problem)));
  return problems.filter(({ error }) => !others.has(error));
}

function parseAll<K extends Kind>({ contents }: Checking, found: Collector, kind: K): Parsed<K>[] {
  return contents.objects.flatMap((each) => {
    if (each.kind !== kind) return [];
    const object = found.attempt(each.where, () => parseFound(kind, each.value, each.where));
    return object instanceof ZoppError ? [] : [{ object, where: each.where }];
  });
}

function isWanted({ workspace }: Checking, name: string | undefined): boolean {
  return workspace === undefined || workspace === name;
}

/** Policies by the path of their environment: what decides, or why it is not trusted. */
type Policies = ReadonlyMap<string, Policy | ZoppError>;

/** Baselines by the path of their environment. They concern new keyrings only: to anybody else a bad one is a warning. */
function checkBaselines(checking: Checking, found: Collector, policies: Policies): Baselines {
  const good = new Map<string, AcceptedBaseline>();
  for (const { object: candidate, where } of parseAll(checking, found, "ZoppBaseline")) {
    const { workspace, project, environment } = candidate.spec;
    const policy = policies.get(`${workspace}/${project}/${environment}`);
    if (policy === undefined || policy instanceof ZoppError) continue;
    const { problems, attempt } = newCollector([]);
    const judged = attempt(where, () => judgeBaseline({ ...policy, candidate, since: 0, now: checking.context.now() }));
    (checking.strict ? found.problems : found.warnings).push(...problems);
    if (!(judged instanceof ZoppError)) good.set(policy.environment.path, judged);
  }
  return good;
}

type Baselines = ReadonlyMap<string, AcceptedBaseline>;

function checkPolicies(checking: Checking, found: Collector) {
  const workspaces = new Map<string, AcceptedWorkspace | ZoppError>();
  for (const { object, where } of parseAll(checking, found, "ZoppWorkspace")) {
    const { name } = object.metadata;
    if (isWanted(checking, name))
      workspaces.set(
        name,
        found.attempt(where, () => judgeOver(checking, object)),
      );
  }
  const environments: AcceptedEnvironment[] = [];
  const policies = new Map<string, Policy | ZoppError>();
  for (const { object, where } of parseAll(checking, found, "ZoppEnvironment")) {
    const { workspace: owner, project, environment: label } = object.spec;
    if (!isWanted(checking, owner)) continue;
    const path = `${owner}/${project}/${label}`;
    const workspace = workspaces.get(owner) ?? found.attempt(where, () => refuseHomeless(owner));
    if (workspace instanceof ZoppError) {
      policies.set(path, workspace);
      continue;
    }
    const accepted = checking.base?.environments.get(object.metadata.name);
    const judged = found.attempt(where, () => judgeSeen(checking.context, object, workspace, accepted));
    policies.set(path, judged instanceof ZoppError ? judged : { workspace, environment: judged });
    if (!(judged instanceof ZoppError)) environments.push(judged);
  }
  const good = [...workspaces.values()].flatMap((judged) => (judged instanceof ZoppError ? [] : [judged]));
  return { workspaces: good, environments, policies };
}

/** A workspace from its pins and, where there is one, as a successor of the base's. */
function judgeOver({ context, base }: Checking, candidate: Kinds["ZoppWorkspace"]): AcceptedWorkspace {
  const judged = judgeFromPins(context, candidate);
  const accepted = base?.workspaces.get(judged.name);
  return accepted === undefined ? judged : judgeWorkspace({ candidate, accepted, now: context.now() });
}

function refuseHomeless(workspace: string): never {
  throw new ZoppError("NotFound", `workspace ${workspace} is not in the store`);
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

function checkBundle(
  checking: Checking & { readonly baselines: Baselines },
  { object: secret, where }: Parsed<"ZoppSecret">,
  others: readonly Parsed<"ZoppSecret">[],
  policies: Policies,
): CheckedBundle {
  const path = secret.spec.environment;
  const policy = policies.get(path) ?? new ZoppError("UnknownEnvironment", `environment ${path} is not in the store`);
  if (policy instanceof ZoppError) {
    const text = `bundle ${placeOf(secret)}: nothing is checked, since its policy is refused: ${policy.message}`;
    return { secret, where, problems: [new ZoppError(policy.code, text)], warnings: [] };
  }
  const examined = examine(checking, secret, policy, policies, others);
  const clash = others.find(
    ({ object }) =>
      object !== secret && targetPlace(object) === targetPlace(secret) && placeOf(object) < placeOf(secret),
  );
  const problems = [...examined.problems, ...keysMissing(secret), ...templateProblems(secret)];
  if (clash !== undefined) {
    const text = `bundle ${placeOf(secret)} and bundle ${placeOf(clash.object)} have one target, ${targetPlace(secret)}`;
    problems.push(new ZoppError("TargetConflict", text));
  }
  return { secret, where, policy, problems, warnings: examined.warnings };
}

/** Signatures are checked of everything, rights (given a base) only of what differs from it. */
function examine(
  { context, base = noBase, strict, baselines }: Checking & { readonly baselines: Baselines },
  secret: ZoppSecret,
  policy: Policy,
  policies: Policies,
  others: readonly Parsed<"ZoppSecret">[],
): Pick<Examined, "problems" | "warnings"> {
  const given = { ...policy, secret, now: context.now(), otherPlaces: others.map(({ object }) => object.metadata) };
  const before = base.bundles.get(placeOf(secret));
  try {
    if (strict) return asNewCluster(examineBundle({ ...given, baseline: baselines.get(secret.spec.environment) }));
    if (before === undefined) return examineBundle({ ...given, lenient: base === noBase });
    const known = policies.get(before.spec.environment);
    const previous = known instanceof ZoppError ? undefined : known;
    const ledger: PlaceLedger = ledgerOf(before, previous?.environment ?? policy.environment);
    const changed = examineBundle({ ...given, ledger, previous });
    const all = examineBundle({ ...given, lenient: true });
    const said = new Set(changed.problems.map(({ message }) => message));
    const forged = all.problems.filter(({ code, message }) => FORGED.has(code) && !said.has(message));
    return { problems: [...changed.problems, ...forged], warnings: [...changed.warnings, ...all.warnings] };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { problems: [error], warnings: [] };
  }
}

/** An author whom the policy does not name any more is nobody who was never named: the next step is another one. */
function asNewCluster({ problems, warnings }: Examined): Pick<Examined, "problems" | "warnings"> {
  const left = ({ code, message }: ZoppError) =>
    code === "UnknownSigner" ? new ZoppError("AuthorLeft", message) : undefined;
  return { problems: problems.map((problem) => left(problem) ?? problem), warnings };
}

const FORGED: ReadonlySet<string> = new Set(["SignatureInvalid", "PlaceMismatch"]);
