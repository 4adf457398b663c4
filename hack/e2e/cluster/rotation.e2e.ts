// A PostgreSQL login that rotates under a client that asks without a pause: examples/postgres, typed as its README says, on a
// real node. What the job does in the database is hack/postgres/rotate.slow.ts'.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { ZoppSecret } from "../../../crds/types.gen.js";
import { conditionOf, readyOf } from "../../../operator/kube/conditions.js";
import type { KubeObject } from "../../../operator/kube/resources.js";
import type { Rendered } from "../../chart/chart.js";
import { judgeRights } from "../../chart/used-rights.js";
import { startCluster } from "../../cluster/cluster.js";
import { refusal } from "../../cluster/refusal.js";
import { auditLog } from "../../cluster/site.js";
import { commandBlocksOf, readPage } from "../../docs/pages.js";
import { eventually } from "../../eventually.js";
import { archivesIn } from "../../images/build.js";
import { packageRoot } from "../../package-root.js";
import { writePostgresImage } from "../../postgres/image.js";
import { IMAGES } from "./installed.js";
import { APP, type Pod, type Shown, Site } from "./site.js";
import { begin } from "./story.js";

const PAGE = "examples/postgres/README.md";
const PATIENCE = { timeoutMs: 90_000 };
const NAMESPACE = `-n ${APP.namespace}`;
/** The last command of the page: both values anew. */
const AGAIN = /--again/;

const why = refusal();
if (why !== undefined) {
  t.plan(0, why);
  process.exit();
}

const folder = mkdtempSync(join(tmpdir(), "zopp-rotation-"));
const archive = join(folder, "postgres.tar");
const image = await writePostgresImage(archive, (line) => t.comment(line));
const images = [...Object.values(archivesIn(join(packageRoot(), "build", "images"))), archive];
const cluster = await startCluster({ images });
const site = new Site(cluster, (text) => t.comment(text));
t.teardown(() => cluster.stop());
// after a step that failed tap tears nothing down
process.once("exit", () => {
  site.leave();
  rmSync(folder, { recursive: true });
});
site.variables["IMAGE"] = image;
symlinkSync(join(packageRoot(), "examples"), join(site.folder, "shop", "examples"));

const page = readPage(PAGE, readFileSync(join(packageRoot(), PAGE), "utf8"));
const blocks = commandBlocksOf(page).flatMap(({ text, notRun }) => (notRun === undefined ? [`set -e\n${text}`] : []));
const again = blocks.find((block) => AGAIN.test(block)) ?? "false";

/** What a superuser is answered in the database. */
const ask = async (sql: string) =>
  (await site.type(`kubectl exec deploy/postgres ${NAMESPACE} -- psql -U postgres -XAtc "${sql}" shop`)).trim();
/** The login roles that jobs have made. */
const logins = async () =>
  (await ask("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname ~ '^[a-z]{16}\\$' ORDER BY 1")).split("\n");
const user = ({ values }: Shown) => values["DB_USER"] ?? "";
/** What clients log in with. */
const pair = ({ values }: Shown) => [values["DB_USER"], values["DB_PASSWORD"]];

/** What the client wrote: a line a query. */
const queries = async () => (await site.type(`kubectl logs deploy/client ${NAMESPACE}`)).trim().split("\n");
/** Waits until the client is let in as that user. */
const served = (name: string) =>
  eventually(async () => (await queries()).at(-1) === `served ${name}`, {
    ...PATIENCE,
    message: `the client is let in as ${name}`,
  });

/** A rotation, seen from the outside: gives the Secret that comes of it. */
const rotated = async (before: Shown) => {
  const after = await eventually(
    async () => {
      const shown = await site.secret();
      return user(shown) !== user(before) && shown;
    },
    { ...PATIENCE, message: "the Secret has another user" },
  );
  await served(user(after));
  return after;
};

/** Waits until the bundle is Ready with its last Secret, and says this of its rotation; gives what it says. */
const pending = (reason: string) =>
  eventually(
    async () => {
      const { status } = await site.get<ZoppSecret>(`zs ${APP.name} ${NAMESPACE}`);
      const said = conditionOf(status, "RotationPending");
      return said?.status === "True" && said.reason === reason && readyOf(status)?.status === "True" && said.message;
    },
    { timeoutMs: 180_000, message: `the bundle is Ready, and ${reason}` },
  );

const step = (name: string, act: (t: Test) => Promise<void>) => t.test(name, { bail: true }, act);
const seen: Shown[] = [];

await step("installed with rotation jobs, and the README typed: a first job, a Secret, a client", async (t) => {
  const flags = `${IMAGES} --set 'namespaces={${APP.namespace}}' --set operator.rotationJobs=true`;
  await begin(site, { flags, pin: "" });
  for (const block of blocks.filter((block) => block !== again)) await site.type(block);
  const shown = await site.secret();
  seen.push(shown);
  t.strictSame(
    Object.keys(shown.values).toSorted(),
    ["DB_PASSWORD", "DB_PASSWORD_OLD", "DB_USER", "DB_USER_OLD", "pg_service.conf"],
    "what only the job gets is not in the Secret",
  );
  t.strictSame(await logins(), [user(shown)]);
  await served(user(shown));
});

await step(
  "while the job is at work the Secret stays; once it has succeeded, the Secret has the new pair",
  async (t) => {
    const before = await site.secret();
    const lock = "BEGIN; LOCK TABLE pg_authid IN EXCLUSIVE MODE; SELECT pg_sleep(300)";
    const held = site.attempt(`kubectl exec deploy/postgres ${NAMESPACE} -- psql -U postgres -c "${lock}" shop`);
    await eventually(async () => (await ask("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")) === "1");
    await site.type(again);
    await eventually(async () => Number(await ask("SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0, {
      ...PATIENCE,
      message: "the job waits for the database",
    });
    await pending("RotationPending");
    t.strictSame(pair(await site.secret()), pair(before), "the Secret has no other pair");
    const asked = (await queries()).length;
    await eventually(async () => (await queries()).length > asked + 10, { message: "the client goes on" });
    await ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    await held;
    const after = await rotated(before);
    seen.push(after);
    t.equal(after.values["DB_USER_OLD"], user(before));
    t.strictSame(await logins(), [user(before), user(after)].toSorted());
    await site.settled("Synced");
  },
);

await step("after the next rotation the oldest login is gone", async (t) => {
  const before = await site.secret();
  await site.type(again);
  const after = await rotated(before);
  seen.push(after);
  t.strictSame(await logins(), [user(before), user(after)].toSorted());
});

await step("a job that fails changes nothing, and is tried again when somebody says so", async (t) => {
  const before = await site.secret();
  const had = await logins();
  await ask("ALTER ROLE rotator NOLOGIN");
  // not three more pods, each after a longer pause
  await site.type(`zopp rotation set ${APP.namespace}/${APP.name} --deadline 30s`);
  await site.type(again);
  const said = await pending("RotationFailed");
  t.strictSame(pair(await site.secret()), pair(before), "the Secret has no other pair");
  t.strictSame(await logins(), had);
  await ask("ALTER ROLE rotator LOGIN");
  await site.type(`kubectl delete job ${/the Job ([a-z0-9-]+)/.exec(said)?.[1]} ${NAMESPACE}`);
  seen.push(await rotated(before));
});

await step("no query failed, under any of the four users", async (t) => {
  const lines = await queries();
  t.strictSame(
    [...new Set(lines)],
    seen.map((shown) => `served ${user(shown)}`),
  );
  const { items } = await site.get<{ items: Pod[] }>(`pods ${NAMESPACE} -l app=client`);
  t.strictSame(
    items.flatMap(({ status }) => status?.containerStatuses?.map(({ restartCount }) => restartCount)),
    [0],
    "these are all lines that it wrote",
  );
  t.comment(`${lines.length} queries, each with a connection of its own`);
});

await step("a job ran for each of them, and said nothing that is secret", async (t) => {
  const { items } = await site.get<{ items: (KubeObject & { status?: { phase?: string } })[] }>(
    `pods ${NAMESPACE} -l batch.kubernetes.io/job-name`,
  );
  t.strictSame(
    items.map(({ status }) => status?.phase),
    seen.map(() => "Succeeded"),
  );
  for (const { metadata } of items)
    t.equal(await site.type(`kubectl logs ${metadata.name} ${NAMESPACE}`), "the new login role acts as app\n");
});

await step(
  "the operator asked for nothing that the chart does not grant, and used what it grants for jobs",
  async (t) => {
    const kinds = "roles,rolebindings,clusterroles,clusterrolebindings";
    const { items } = await site.get<{ items: Rendered[] }>(`${kinds} -A`);
    const { refused, lacking, unused } = await judgeRights(items, auditLog(cluster.place.folder), "zopp");
    t.strictSame({ refused, lacking }, { refused: [], lacking: [] });
    t.strictSame(
      unused.filter((right) => right.includes("jobs.batch")),
      [],
    );
  },
);
