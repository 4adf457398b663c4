import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import type { ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { type Condition, type Conditioned, readyOf } from "../../operator/kube/conditions.js";
import { type KubeObject, type Resource, ZOPP_ENVIRONMENTS, ZOPP_WORKSPACES } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { signing } from "../testbed.policy.js";

const bed = await startTestbed({ ready: false });
t.teardown(() => bed.stop());

/** A bundle as it was applied last, to be edited again. */
let api: ZoppSecret;
const set = async (value: string) => {
  api = withValue(api, "A", value, bed.writing());
  await bed.applyBundle(api);
};
const holds = (value: string, timeoutMs = 20_000) =>
  eventually(async () => (await bed.secret()).data?.["A"] === value, {
    timeoutMs,
    message: `the Secret holds ${value}`,
  });

type PolicyObject = KubeObject & {
  readonly status?: Conditioned<Condition> & { readonly accepted?: { version: number } };
};

/** Waits until the keyring has accepted this very version; gives the status. An earlier one may be Accepted still. */
const accepted = (resource: Resource, { metadata: { name }, spec }: ZoppWorkspace | ZoppEnvironment) =>
  eventually(async () => {
    const found = await bed.client.get<PolicyObject>(resource, { name });
    const { status } = found;
    const ready = readyOf(found.status);
    if (ready?.reason !== "Accepted") throw new Error(`${name} is ${ready?.reason}`);
    if (status?.accepted?.version !== spec.version)
      throw new Error(`${name} is accepted as ${status?.accepted?.version}`);
    return status;
  });

t.test("a bundle that came before its policy waits for it, and then follows by itself", async (t) => {
  await bed.startOperator();
  await bed.applyPolicy();
  await accepted(ZOPP_ENVIRONMENTS, bed.environment.object);
  await bed.client.delete(ZOPP_ENVIRONMENTS, { name: "acme.shop.production" });
  await bed.client.delete(ZOPP_WORKSPACES, { name: "acme" });
  api = bed.seal({ A: "one" });
  await bed.applyBundle(api);
  const status = await eventually(async () => (await bed.bundle()).status);
  t.ok(status);
  // the very objects again: signed anew within the same second they would be another branch of policy
  await bed.apply(ZOPP_WORKSPACES, bed.workspace);
  await bed.apply(ZOPP_ENVIRONMENTS, bed.environment.object);
  await bed.settled("Synced");
  await holds("one");
});

t.test("workspace and environment say what the keyring made of them", async (t) => {
  const workspace = await accepted(ZOPP_WORKSPACES, bed.workspace);
  t.equal(workspace?.accepted?.version, bed.workspace.spec.version);
  const environment = await accepted(ZOPP_ENVIRONMENTS, bed.environment.object);
  t.equal(environment?.accepted?.version, bed.environment.object.spec.version);
});

t.test("a policy that its owners did not sign is refused, and the accepted one stays", async (t) => {
  const { workspace } = bed;
  const amended = amendWorkspace(workspace, workspaceContent(workspace), signing());
  const [good] = amended.spec.signatures;
  const forged = {
    ...amended,
    spec: { ...amended.spec, signatures: [{ by: good?.by ?? "", value: workspace.spec.signatures[0]?.value ?? "" }] },
  };
  await bed.apply(ZOPP_WORKSPACES, forged);
  const status = await eventually(async () => {
    const found = await bed.client.get<PolicyObject>(ZOPP_WORKSPACES, { name: "acme" });
    return readyOf(found.status)?.status === "False" ? found.status : undefined;
  });
  t.equal(status.accepted?.version, workspace.spec.version);
  await set("under the accepted policy");
  await holds("under the accepted policy");
  await bed.amendPolicy({ workspace: amended });
  await accepted(ZOPP_WORKSPACES, bed.workspace);
});

t.test("a person who leaves turns nothing red that runs, and writes nothing new", async (t) => {
  await bed.applyBundle(bed.seal({ A: "by bob" }, { name: "bobs", by: "bob" }));
  await bed.settled("Synced", "bobs");
  const content = workspaceContent(bed.workspace);
  const grants = (content.grants ?? []).filter(({ subject }) => subject !== "bob");
  await bed.amendPolicy({ workspace: amendWorkspace(bed.workspace, { ...content, grants }, signing()) });
  await accepted(ZOPP_WORKSPACES, bed.workspace);
  await bed.applyBundle(bed.seal({ A: "again" }, { name: "bobs-next", by: "bob" }));
  await bed.settled("NotAuthorised", "bobs-next");
  await bed.operator.stop();
  await bed.startOperator();
  t.ok(await bed.settled("Synced", "bobs"));
});

t.test("an API server that restarts costs nothing but time", async () => {
  await bed.controlPlane.restartApiServer();
  await set("after the restart");
  await holds("after the restart", 60_000);
  await bed.settled("Synced", "api", "shop-prod", 60_000);
});

t.test("a keyring that is down is told of, and what waits follows when it is back", async (t) => {
  await bed.keyring.stop("SIGKILL");
  await set("while the keyring was down");
  const bundle = await bed.settled("KeyringUnavailable", "api", "shop-prod", 60_000);
  const conditions = bundle.status?.conditions ?? [];
  t.match(
    conditions.map(({ type, status }) => `${type} ${status}`),
    ["Ready False", "Verified Unknown", "Synced False", "Reconciling True"],
  );
  t.equal((await bed.secret()).data?.["A"], "after the restart", "the last good Secret stays");
  // the keyring is asked every 30 s while all is quiet
  await eventually(async () => (await fetch(`http://127.0.0.1:${bed.ports.health}/readyz`)).status === 503, {
    timeoutMs: 60_000,
    message: "the operator is not ready without its keyring",
  });
  await bed.startKeyring();
  await holds("while the keyring was down", 60_000);
  await bed.operator.healthy(bed.ports.health);
});

t.test("a keyring that hangs is told of, and what waits follows when it moves again", async (t) => {
  process.kill(bed.keyring.pid, "SIGSTOP");
  t.teardown(() => process.kill(bed.keyring.pid, "SIGCONT"));
  await set("while the keyring hung");
  await bed.settled("KeyringUnavailable", "api", "shop-prod", 60_000);
  process.kill(bed.keyring.pid, "SIGCONT");
  await holds("while the keyring hung", 60_000);
});

t.test("SIGTERM ends the operator with 0 while others hold connections to it", async (t) => {
  const idle = request({
    port: bed.ports.health,
    host: "127.0.0.1",
    path: "/readyz",
    headers: { connection: "keep-alive" },
  });
  idle.on("error", () => {}).end();
  await sleep(50);
  t.equal(await bed.operator.stop("SIGTERM"), 0);
  const said = bed.operator.lines.map((line) => JSON.parse(line).msg);
  t.ok(said.includes("stopping") && said.includes("stopped"), "it says so");
  t.notMatch(
    bed.operator.lines.join("\n"),
    /while the keyring|after the restart|by bob/,
    "and no value was ever logged",
  );
  await bed.startOperator();
});
