// The story of examples/team, typed as a reader would type it: people, approvals, CI, a pod, a leaver, two clusters, a loss.
// What needs nodes there is done here by the same programs as processes.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse, stringify } from "yaml";
import { findBinaries } from "../control-plane/binaries.js";
import { createOperatorPod } from "../control-plane/operator-pod.js";
import { commandBlocksOf, readPage } from "../docs/pages.js";
import { Terminal } from "../docs/terminal.js";
import { packageRoot } from "../package-root.js";
import { runProgram } from "../run-program.js";
import { startTestbed, type Testbed } from "../testbed.js";

const PAGE = "examples/team/README.md";
const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "zopp-team-"));
const paths = { bin: join(folder, "bin"), checkout: join(folder, "shop"), kubeconfig: join(folder, "kubeconfig") };
for (const each of [paths.bin, paths.checkout]) mkdirSync(each);
writeFileSync(join(folder, "passphrase"), "correct horse battery staple\n", { mode: 0o600 });
writeFileSync(join(paths.bin, "zopp"), `#!/bin/sh\nexec '${process.execPath}' '${ZOPP}' "$@"\n`);
chmodSync(join(paths.bin, "zopp"), 0o755);
symlinkSync((await findBinaries()).kubectl, join(paths.bin, "kubectl"));

const clusters = new Map<string, Testbed>();
const starting: Promise<void>[] = [];
let terminal: Terminal | undefined;
t.teardown(async () => {
  await terminal?.close();
  for (const bed of clusters.values()) await bed.stop();
  rmSync(folder, { recursive: true, force: true });
});

function shell(): Terminal {
  const env = {
    PATH: [paths.bin, process.env["PATH"] ?? ""].join(delimiter),
    HOME: folder,
    LC_ALL: "C.UTF-8",
    ZOPP_HOME: join(folder, "alice"),
    ZOPP_PASSPHRASE_FILE: join(folder, "passphrase"),
    KUBECONFIG: paths.kubeconfig,
    GIT_CONFIG_NOSYSTEM: "1",
    ...Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((who) => [
        [`GIT_${who}_NAME`, "alice"],
        [`GIT_${who}_EMAIL`, "alice@shop.example"],
      ]),
    ),
  };
  return new Terminal({ folder: paths.checkout, env });
}

interface Named {
  readonly name: string;
}
interface Kubeconfig {
  readonly clusters: readonly (Named & { readonly cluster: object })[];
  readonly users: readonly (Named & { readonly user: object })[];
}

/** One kubeconfig with a context for each cluster that is there. */
function writeKubeconfig(): void {
  const all = [...clusters].map(([name, { controlPlane }]) => {
    const { clusters: [one] = [], users: [user] = [] } = parse(
      readFileSync(controlPlane.kubeconfig, "utf8"),
    ) as Kubeconfig;
    return { name, cluster: one?.cluster, user: user?.user };
  });
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: all.map(({ name, cluster }) => ({ name, cluster })),
    users: all.map(({ name, user }) => ({ name, user })),
    contexts: all.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
  };
  writeFileSync(paths.kubeconfig, stringify(config), { mode: 0o600 });
}

/** Installs a zopp that is told the pin, and tells the reader's shell where it is and its fingerprint. */
async function begins(name: string, typing: Terminal): Promise<void> {
  const pin = (await typing.type("zopp trust")).trim();
  const bed = await startTestbed({ ready: false, trust: pin });
  clusters.set(name, bed);
  writeKubeconfig();
  // it is ready once there is policy, which comes by the next commands
  starting.push(bed.startOperator());
  const opened = bed.keyring.lines.find((line) => line.includes('"fingerprint"'));
  const { fingerprint } = JSON.parse(opened ?? "{}") as { fingerprint?: string };
  const variable = name.toUpperCase().replace("-", "_");
  await typing.type(`export ${variable}=127.0.0.1:${bed.ports.keyring} FINGERPRINT=${fingerprint}`);
}

async function lost(name: string): Promise<void> {
  await clusters.get(name)?.stop();
  clusters.delete(name);
}

/** The pod's program, with its account's token, where the pod would run it. */
async function podRuns(): Promise<void> {
  const bed = clusters.get("eu-1");
  if (bed === undefined) throw new TypeError("no cluster eu-1");
  const pod = await createOperatorPod(bed.controlPlane, {
    namespace: "shop-prod",
    serviceAccount: "api",
    name: "api-0",
  });
  const token = join(folder, "pod-token");
  writeFileSync(token, await pod.token(), { mode: 0o600 });
  const env = {
    PATH: process.env["PATH"],
    ZOPP_STORE: join(paths.checkout, "zopp"),
    ZOPP_TRUST: readFileSync(join(folder, "pin"), "utf8").trim(),
    ZOPP_TOKEN_FILE: token,
  };
  const command = ["run", "shop-prod/api", "--", "sh", "-c", 'test "$DB_PASSWORD" = s3cret && test -z "$IMAGE_TAG"'];
  const ran = await runProgram([process.execPath, ZOPP, ...command], { env, cwd: "/" });
  if (ran.code !== 0) throw new Error(`the pod's program ended with ${ran.code}: ${ran.stderr}`);
}

const IN_ITS_PLACE: Readonly<Record<string, (typing: Terminal) => Promise<void>>> = {
  "eu-1 begins": (typing) => begins("eu-1", typing),
  "eu-2 begins": (typing) => begins("eu-2", typing),
  "eu-1 is lost, and begins anew": async (typing) => {
    await lost("eu-1");
    await begins("eu-1", typing);
  },
  "the pod api runs its program": async (typing) => {
    await typing.type("zopp trust > ../pin");
    await podRuns();
  },
};

t.test("the whole story holds, command by command", async (t) => {
  const page = readPage(PAGE, readFileSync(join(packageRoot(), PAGE), "utf8"));
  const typing = shell();
  terminal = typing;
  for (const { text, notRun, inItsPlace } of commandBlocksOf(page)) {
    if (inItsPlace !== undefined) await IN_ITS_PLACE[inItsPlace]?.(typing);
    if (notRun === undefined) t.comment(await typing.type(text));
    t.pass(inItsPlace ?? text.slice(0, 60));
  }
  await Promise.all(starting);
});
