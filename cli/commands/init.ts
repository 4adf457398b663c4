// `zopp init`: an identity, a workspace with its first owner, and a direct environment to start with; offline.
// Clusters come later: `zopp cluster add`.
import { hostname, userInfo } from "node:os";
import { join, relative, resolve } from "node:path";
import { newRecovery, wrapToAge } from "../../crds/crypto/age.js";
import { type Identity, newEnvironmentKey } from "../../crds/crypto/identity.js";
import type { Kem } from "../../crds/crypto/keys.js";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { ZoppError } from "../../crds/errors.js";
import { newEnvironment, newWorkspace } from "../../crds/policy/edit.js";
import { judgeEnvironment } from "../../crds/policy/environment.js";
import { formatPin } from "../../crds/policy/pin.js";
import { type AcceptedWorkspace, judgeWorkspace, readWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppEnvironment } from "../../crds/types.gen.js";
import { parseEnvironment, parseWorkspace } from "../../crds/validate.js";
import type { Context } from "../context.js";
import { hasIdentityFile, loadIdentity, makeIdentity } from "../identity.js";
import type { Result } from "../output.js";
import { pinsFor, writeKnown } from "../pins.js";
import { environmentName } from "../policy.js";
import { refuseTakenFile, saveRecovery, showRecovery } from "../recovery-key.js";
import type { Session } from "../session.js";
import {
  type EnvironmentPath,
  label,
  labelFrom,
  liesBelow,
  pathText,
  SETTINGS_FILE,
  type StorePlace,
} from "../settings.js";
import { type FileChange, replaceFiles } from "../store/files.js";
import { change, type Store } from "../store/store.js";
import { kemOf } from "./options.js";

/** The flags of `zopp init`. */
export interface InitOptions {
  readonly name?: string;
  readonly device?: string;
  readonly namespace?: readonly string[];
  readonly kem?: string;
  readonly recoveryFile?: string;
}

interface Plan {
  readonly path: EnvironmentPath;
  readonly person: string;
  readonly device: string;
  readonly namespaces: readonly string[];
  readonly kem: Kem;
  /** Absolute path of the file for the recovery key; absent = it is shown. */
  readonly recoveryFile?: string | undefined;
}

/** Runs `zopp init WORKSPACE[/PROJECT/ENVIRONMENT]`. */
export async function run(session: Session, [target = ""]: readonly string[], options: InitOptions): Promise<Result> {
  const { context, settings } = session;
  const plan = planOf(context, target, options);
  const place: StorePlace = settings.store ?? { kind: "directory", root: join(context.cwd, "zopp") };
  const store = await session.openStore(place);
  await refuseTaken(context, store, plan);
  if (options.recoveryFile === undefined && context.stderr.isTTY !== true) {
    throw new ZoppError("Usage", "the recovery key is shown once, to a person: name a file for it by --recovery-file");
  }
  const fresh = !hasIdentityFile(context);
  const made = fresh ? await makeIdentity(context) : { identity: await loadIdentity(context), save: () => undefined };
  const recovery = await newRecovery();
  const { workspace, environment } = await signPolicy(context, plan, made.identity, recovery.recipient);
  if (plan.recoveryFile === undefined) showRecovery(context, recovery.identity);
  else saveRecovery(plan.recoveryFile, recovery, workspace.name);
  made.save();
  const where = await storeAndPin(context, store, workspace, environment);
  const settingsFile = saveSettings(context, session, plan, place);
  return report(session, plan, workspace, [...where, ...settingsFile], fresh);
}

function planOf(context: Context, target: string, options: InitOptions): Plan {
  const parts = target.split("/");
  const [workspace, project = workspace, environment = "dev"] = parts;
  if (parts.length > 3 || parts.length === 2)
    throw new ZoppError("Usage", "init takes WORKSPACE or WORKSPACE/PROJECT/ENVIRONMENT");
  if (context.env["ZOPP_TOKEN"]) throw new ZoppError("Usage", "a token cannot own a workspace: unset ZOPP_TOKEN");
  const path = {
    workspace: label("workspace", workspace),
    project: label("project", project),
    environment: label("environment", environment),
  };
  const person = label("name", options.name ?? labelFrom(context.env["USER"] ?? userInfo().username, "owner"));
  const device = label("device", options.device ?? labelFrom(hostname().split(".")[0] ?? "", "device"));
  const namespaces = options.namespace ?? [label("namespace", `${path.project}-${path.environment}`)];
  const recoveryFile = options.recoveryFile === undefined ? undefined : resolve(context.cwd, options.recoveryFile);
  return { path, person, device, namespaces, kem: kemOf(options.kem), recoveryFile };
}

async function refuseTaken(context: Context, store: Store, { path, recoveryFile }: Plan): Promise<void> {
  const { workspace } = path;
  if (recoveryFile !== undefined) refuseTakenFile(recoveryFile);
  const taken = await Promise.all([
    store.read("ZoppWorkspace", { name: workspace }),
    store.read("ZoppEnvironment", { name: environmentName(path) }),
  ]);
  if (taken[0] !== undefined)
    throw new ZoppError("AlreadyExists", `workspace ${workspace} is already in ${store.title}`);
  if (taken[1] !== undefined)
    throw new ZoppError("AlreadyExists", `environment ${pathText(path)} is already in ${store.title}`);
  if (pinsFor(context, workspace).length === 0) return;
  throw new ZoppError(
    "AlreadyExists",
    `this machine knows a workspace ${workspace}; \`zopp trust --remove ${workspace}\` forgets it`,
  );
}

async function signPolicy(
  context: Context,
  plan: Plan,
  identity: Identity,
  recovery: string,
): Promise<{ workspace: AcceptedWorkspace; environment: ZoppEnvironment }> {
  const now = context.now();
  const { path, person } = plan;
  const signing = { signingKeys: [identity.signing], now };
  const keys = { signingKey: identity.signing.verifyKey.text, encryptionKey: identity.encryption.publicKey.text };
  const content = {
    owners: { threshold: 1, principals: [person] },
    principals: [{ name: person, kind: "person" as const, devices: [{ name: plan.device, ...keys }] }],
    grants: [{ subject: person, role: "admin" as const, scope: "*" }],
    environments: [{ name: `${path.project}/${path.environment}`, namespaces: plan.namespaces }],
    recovery: [{ name: "recovery", recipient: recovery }],
  };
  const candidate = parseWorkspace(plain(newWorkspace(path.workspace, content, signing)));
  const { ownersDigest: owners, version: minVersion, name } = readWorkspace(candidate);
  const workspace = judgeWorkspace({ candidate, pin: { workspace: name, owners, minVersion }, now });
  const { privateKey, public: publicKey } = newEnvironmentKey(plan.kem);
  const own = wrapEnvironmentKey(identity.encryption.publicKey, { ...path, epoch: 1 }, privateKey);
  const sealed = [own, { to: recovery, age: await wrapToAge(recovery, privateKey) }];
  privateKey.fill(0);
  const epoch = { epoch: 1, binding: "object" as const, public: publicKey.text, sealed };
  const environment = parseEnvironment(plain(newEnvironment({ ...path, access: "direct", keys: [epoch] }, signing)));
  judgeEnvironment({ candidate: environment, workspace, now });
  return { workspace, environment };
}

/** The pin comes first, so that no workspace lies there without one; it goes again when the store cannot be written. */
async function storeAndPin(
  context: Context,
  store: Store,
  workspace: AcceptedWorkspace,
  environment: ZoppEnvironment,
): Promise<readonly string[]> {
  const { name, ownersDigest: owners, version: minVersion } = workspace;
  const { project, environment: environmentLabel, version } = environment.spec;
  writeKnown(context, name, { owners, minVersion, environments: { [`${project}/${environmentLabel}`]: version } });
  try {
    return await store.write([
      change("ZoppWorkspace", { name }, (present) => present ?? workspace.object),
      change("ZoppEnvironment", { name: environment.metadata.name }, (present) => present ?? environment),
    ]);
  } catch (error) {
    writeKnown(context, name, undefined);
    throw error;
  }
}

function plain(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object));
}

/** Writes zopp.yaml beside a directory store, unless one is there already. */
function saveSettings(context: Context, session: Session, { path }: Plan, place: StorePlace): readonly string[] {
  if (session.settings.file !== undefined || place.kind !== "directory") return [];
  if (!liesBelow(context.cwd, place.root)) return [];
  const way = relative(context.cwd, place.root) || ".";
  const lines = [
    "# defaults of zopp in this folder; no pin, and nothing secret",
    ...Object.entries(path).map(([field, text]) => `${field}: "${text}"`),
    `store: ${JSON.stringify(way)}`,
  ];
  const files: FileChange[] = [
    { file: join(context.cwd, SETTINGS_FILE), before: undefined, after: `${lines.join("\n")}\n` },
  ];
  replaceFiles(files);
  return [SETTINGS_FILE];
}

function report(
  session: Session,
  { path, namespaces, person, recoveryFile }: Plan,
  workspace: AcceptedWorkspace,
  files: readonly string[],
  fresh: boolean,
): Result {
  const pin = formatPin({ workspace: workspace.name, owners: workspace.ownersDigest, minVersion: workspace.version });
  const environment = pathText(path);
  return {
    data: { workspace: workspace.name, environment, owner: person, namespaces, pin, files },
    names: [`zoppworkspace/${workspace.name}`, `zoppenvironment/${environmentName(path)}`],
    human: [
      `workspace ${workspace.name}, owned by ${person}${fresh ? " (a new identity on this machine)" : ""}`,
      `environment ${environment}, read with your own key, for namespace ${namespaces.join(", ")}`,
      `written: ${files.join(", ")}`,
      "",
      "A keyring serves this workspace when it is installed with the pin of its owners:",
      `  --trust ${pin}`,
      "Next:",
      `  zopp set ${path.project} PASSWORD          a first value`,
      "  zopp cluster add NAME              once a keyring runs",
    ],
    notes: [
      ...(session.settings.file === undefined ? [] : [`${session.settings.file} was there already and is unchanged`]),
      ...(recoveryFile?.startsWith(`${session.context.cwd}/`)
        ? ["the recovery key lies in this folder: take it offline, and never commit it"]
        : []),
    ],
  };
}
