// What faults happen to: API server and etcd, a keyring and two operators of which one leads, each kept alive, every wire
// between them through a proxy, and a person who changes values past all proxies.
// What goes wrong is in kinds.*.ts, whether all was well in judge*.ts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newEnvironment } from "../../crds/policy/edit.js";
import { readEnvironment } from "../../crds/policy/environment.js";
import { ZOPP_ENVIRONMENTS } from "../../operator/kube/resources.js";
import { Child } from "../child.js";
import { createOperatorPod, renewToken } from "../control-plane/operator-pod.js";
import { freePort } from "../control-plane/processes.js";
import { eventually } from "../eventually.js";
import { FaultingProxy } from "../faulting-proxy.js";
import { identityOf } from "../fixtures.js";
import { KeptAlive } from "../kept-alive.js";
import { Random } from "../model/random.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";
import { type OwnPorts, operatorFlags } from "../testbed.operator.js";
import { COMPILED, environmentOf } from "../testbed.policy.js";
import { underTest } from "./clock.options.js";
import { READABLE } from "./etcd.js";
import { TcpProxy } from "./tcp-proxy.js";
import { Subject, Writer } from "./writer.js";

const SYSTEM = "zopp-system";
/** The Lease of whoever leads. */
export const LEASE = `${SYSTEM}/zopp-operator`;
/** How many applied states of each bundle are kept. */
export const HISTORY = 10;
const READY_MS = 120_000;
/** Bundles by namespace. In one environment each change asks for an approval. */
const BUNDLES = { "shop-prod": 10, "shop-guarded": 4 } as const;
const RULES = [
  { name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"] },
  {
    name: "shop/guarded",
    namespaces: ["shop-guarded"],
    clusters: ["eu-1"],
    approvals: { required: 1, approvers: ["carol"] },
  },
];

/** The wires that can be spoilt. */
export type Wire = "operators to API server" | "keyring to API server" | "operators to keyring" | "API server to etcd";

/** An operator that is kept alive. */
export interface KeptOperator {
  readonly kept: KeptAlive;
  readonly ports: OwnPorts;
  /** The file with the offset of its clock. */
  readonly clock: string;
  /** The file with the token that it enrols with. */
  readonly token: string;
  /** Writes a good token there, as kubelet does. */
  renewToken(): Promise<void>;
}

/** Before the API server, by who asks it; its answers and its certificate are theirs to spoil. */
export interface Storms {
  readonly operators: FaultingProxy;
  readonly keyring: FaultingProxy;
}

/** All of it. Live until `stop()`. */
export class World {
  readonly bed: Testbed;
  readonly wires: ReadonlyMap<Wire, TcpProxy>;
  readonly storms: Storms;
  readonly writer: Writer;
  readonly keyring: KeptAlive;
  readonly keyringClock: string;
  readonly operators: readonly KeptOperator[];

  private constructor({ bed, wires, storms, writer }: Frame, keyring: KeptAlive, operators: readonly KeptOperator[]) {
    this.bed = bed;
    this.wires = wires;
    this.storms = storms;
    this.writer = writer;
    this.keyring = keyring;
    this.keyringClock = keyringClock(bed);
    this.operators = operators;
  }

  /** Starts everything, writes every bundle once, and waits until each has its Secret. */
  static async start(seed: number): Promise<World> {
    const frame = await startFrame(seed);
    const { bed } = frame;
    const clock = keyringClock(bed);
    writeFileSync(clock, "0");
    const keyring = await KeptAlive.begin("keyring", async () => bed.keyringAt(bed.ports, underTest(clock)));
    const operators: KeptOperator[] = [];
    for (const name of ["zopp-a", "zopp-b"]) operators.push(await keepOperator(frame, name));
    const world = new World(frame, keyring, operators);
    for (const subject of world.writer.subjects) await world.writer.change(subject);
    return world;
  }

  /** Waits until every process is ready and one operator leads. */
  async ready(): Promise<void> {
    await eventually(async () => (await this.leader()) !== undefined, { timeoutMs: READY_MS, message: "one leads" });
    const probes = [this.bed.ports.keyringHealth, ...this.operators.map(({ ports }) => ports.health)];
    for (const port of probes) {
      const isReady = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
      await eventually(isReady, { timeoutMs: READY_MS, message: `what listens at ${port} is ready` });
    }
  }

  /** The operator that says that it leads. */
  async leader(): Promise<KeptOperator | undefined> {
    const leading: KeptOperator[] = [];
    for (const operator of this.operators) {
      const numbers = await readMetrics(operator.ports.metrics).catch(() => undefined);
      if (numbers?.sum("leader_election_master_status", { name: LEASE }) === 1) leading.push(operator);
    }
    return leading.length === 1 ? leading[0] : undefined;
  }

  get kept(): readonly KeptAlive[] {
    return [this.keyring, ...this.operators.map(({ kept }) => kept)];
  }

  /** Ends the processes of zopp in order; gives their exit codes by name. */
  async endProcesses(): Promise<ReadonlyMap<string, number | null>> {
    const codes = new Map<string, number | null>();
    for (const { kept } of this.operators) codes.set(kept.name, await kept.stop());
    codes.set(this.keyring.name, await this.keyring.stop());
    return codes;
  }

  async stop(): Promise<void> {
    await this.endProcesses();
    for (const wire of this.wires.values()) await wire.stop();
    await this.storms.operators.stop();
    await this.storms.keyring.stop();
    await this.bed.stop();
  }
}

interface Frame {
  readonly bed: Testbed;
  readonly wires: ReadonlyMap<Wire, TcpProxy>;
  readonly storms: Storms;
  readonly writer: Writer;
}

const keyringClock = (bed: Testbed): string => join(bed.folder, "clock-keyring");

/** The testbed through proxies, and both environments in force; its own operator and keyring have ended again. */
async function startFrame(seed: number): Promise<Frame> {
  const wires = new Map<Wire, TcpProxy>();
  const through = (wire: Wire) => async (port: number) => {
    const proxy = await TcpProxy.start(port);
    wires.set(wire, proxy);
    return proxy.port;
  };
  let storms: Storms | undefined;
  const bed = await startTestbed({
    apart: true,
    namespaces: Object.keys(BUNDLES),
    workspace: { environments: RULES },
    apiServerArgs: READABLE,
    etcdThrough: through("API server to etcd"),
    async kubeconfig(controlPlane) {
      const operators = await FaultingProxy.start(controlPlane, "operators", through("operators to API server"));
      const keyring = await FaultingProxy.start(controlPlane, "keyring", through("keyring to API server"));
      storms = { operators, keyring };
      return { operator: operators.kubeconfig, keyring: keyring.kubeconfig };
    },
  });
  await bed.operator.stop();
  await bed.keyring.stop();
  await through("operators to keyring")(bed.ports.keyring);
  const content = environmentOf({ environment: { environment: "guarded" } }, bed.cluster);
  const signers = { signingKeys: ["alice", "carol"].map((name) => identityOf(name).signing), now: new Date() };
  const guarded = newEnvironment(content, signers);
  await bed.apply(ZOPP_ENVIRONMENTS, guarded);
  const environments = { "shop-prod": bed.environment, "shop-guarded": readEnvironment(guarded) };
  const subjects = (Object.keys(BUNDLES) as (keyof typeof BUNDLES)[]).flatMap((namespace) =>
    Array.from(
      { length: BUNDLES[namespace] },
      (_, at) => new Subject(environments[namespace], { namespace, name: `bundle-${at}` }),
    ),
  );
  if (storms === undefined) throw new TypeError("the testbed asked for no kubeconfig");
  return { bed, wires, storms, writer: new Writer(bed, subjects, new Random(seed + 1)) };
}

async function keepOperator({ bed, wires, storms }: Frame, name: string): Promise<KeptOperator> {
  const pod = await createOperatorPod(bed.controlPlane, { namespace: SYSTEM, serviceAccount: "zopp", name });
  const ports = { health: await freePort(), metrics: await freePort() };
  const [clock, token] = [join(bed.folder, `clock-${name}`), join(bed.folder, `token-${name}`)];
  writeFileSync(clock, "0");
  const patient = { token: () => eventually(() => pod.token(), { timeoutMs: READY_MS }) };
  const renew = () => renewToken(patient, token);
  const { kubeconfig } = storms.operators;
  const keyringPort = wires.get("operators to keyring")?.port ?? 0;
  const more = ["--leader-elect", LEASE, "--history", String(HISTORY)];
  const args = operatorFlags({ kubeconfig, keyringPort, key: bed.publicFile, token, ports, more });
  await renew();
  const start = async () => new Child({ ...COMPILED.operator, name, args, env: underTest(clock) });
  return { kept: await KeptAlive.begin(name, start), ports, clock, token, renewToken: renew };
}
