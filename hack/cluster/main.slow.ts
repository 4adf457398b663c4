import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { eventually } from "../eventually.js";
import { findProgram } from "../executables.js";
import { Desk as AnyDesk, type Ran } from "../left-running.case.js";
import { smallImage } from "./archive.js";
import { hierarchies } from "./cgroups.js";
import { obstacle } from "./cluster.js";
import { auditLog } from "./site.js";

const MAIN = join(import.meta.dirname, "main.js");
const START_MS = 120_000;
const skip = obstacle() ?? false;

class Desk extends AnyDesk {
  constructor(t: Test) {
    super(t, "cluster");
  }

  /** Runs a command inside to its end and gives what it wrote. Fails where it failed. */
  async exec(command: readonly string[], input = ""): Promise<string> {
    const ran = this.run(["exec", "--", ...command], {}, input);
    if ((await ran.exit) !== 0) throw new Error(`${command.join(" ")} failed: ${ran.err()}${ran.out()}`);
    return ran.out();
  }

  /** What of clusters of this desk lies on the machine besides processes and files: mounts, control groups. */
  remains(): readonly string[] {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const groups = hierarchies().flatMap(({ folder }) => readdirSync(folder).map((name) => join(folder, name)));
    return [
      ...mounts.filter((line) => line.includes(this.temporary)),
      ...groups.filter((group) => this.#clusters.has(basename(group))),
    ];
  }

  readonly #clusters = new Set<string>();

  /** Notes the folder of the cluster that is up, which also names its control groups; says whether it has those. */
  note(): boolean {
    this.#clusters.add(basename(this.left("default").folder));
    return this.remains().length >= hierarchies().length;
  }

  override async empty(t: Test): Promise<void> {
    await super.empty(t);
    t.strictSame(this.remains(), [], "no mount and no control group is left");
  }
}

/** What of the machine itself a node could have changed. */
function machine() {
  const setting = (name: string) => readFileSync(join("/proc/sys", name), "utf8");
  const firewall = (table: string) => spawnSync("iptables", ["-t", table, "-S"], { encoding: "utf8" }).stdout;
  return {
    interfaces: readdirSync("/sys/class/net"),
    settings: ["net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/hostname"].map(setting),
    firewall: ["filter", "nat"].map(firewall),
    files: ["/etc/hosts", "/etc/resolv.conf"].map((path) => readFileSync(path, "utf8")),
  };
}

const options = { env: process.env, log: () => undefined };
const probe = (version: string) =>
  smallImage({ name: "probe", version, image: `localhost/zopp-probe:${version}` }, options);

/** A pod of the probe, behind a Service of its own name. */
function probePod(name: string, version: string): string {
  const labels = { app: name };
  const containers = [{ name, image: `localhost/zopp-probe:${version}`, imagePullPolicy: "Never" }];
  const items = [
    { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { containers } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** Ctrl-C in a terminal: the signal goes to the whole group. */
const interrupt = ({ child }: Ran) => process.kill(-(child.pid ?? 0), "SIGINT");

t.test("a cluster from up to down", { skip }, async (t) => {
  const before = machine();
  const desk = new Desk(t);
  const up = desk.run(["up", "--image", await probe("1")]);
  t.equal(await up.exit, 0, up.err());
  t.match(up.err(), /A node is ready, its logs in \S+.*\n.*exec -- kubectl .*; node \S+ down ends it/);
  t.ok(desk.note(), "it has control groups of its own");

  await t.test("its one node is ready, and takes a pod at once", async (t) => {
    await desk.exec(["kubectl", "apply", "--filename", "-"], probePod("one", "1"));
    await desk.exec(["kubectl", "wait", "--for=condition=Ready", "--timeout=60s", "pod/one"]);
    t.match(await desk.exec(["kubectl", "get", "nodes"]), /node1 +Ready .* v1\.37\.2/);
  });

  await t.test("a Service's name leads to its pod, in which names of the cluster resolve", async (t) => {
    const url = "http://one.default.svc.cluster.local/?name=kubernetes.default";
    const ask = `fetch("${url}").then(async (answer) => console.log(await answer.text()))`;
    await eventually(async () => t.match(await desk.exec(["node", "--eval", ask]), /^\[10\.96\.0\.1\] <nil>$/m));
  });

  await t.test("images of another archive can be added while it runs", async () => {
    const load = desk.run(["load", await probe("2")]);
    t.equal(await load.exit, 0, load.err());
    await desk.exec(["kubectl", "apply", "--filename", "-"], probePod("two", "2"));
    await desk.exec(["kubectl", "wait", "--for=condition=Ready", "--timeout=60s", "pod/two"]);
    const none = desk.run(["load", "/no/such.tar"]);
    t.equal(await none.exit, 1);
    t.equal(none.err(), "there is no image archive /no/such.tar\n");
  });

  await t.test("exec gives the command input and working directory, and its exit code on", async (t) => {
    t.equal(await desk.exec(["sh", "-c", "pwd; cat"], "from outside\n"), `${process.cwd()}\nfrom outside\n`);
    t.equal(await desk.run(["exec", "--", "sh", "-c", "exit 7"]).exit, 7);
    t.equal(await desk.run(["exec", "--", "no-such-command"]).exit, 127);
  });

  for (const [signal, send] of [
    ["TERM", ({ child }: Ran) => child.kill("SIGTERM")],
    ["INT", interrupt],
  ] as const)
    await t.test(`a command of exec answers SIG${signal} itself`, async (t) => {
      const trap = `trap 'echo ended; exit 3' ${signal}; echo running; while :; do sleep 0.1; done`;
      const exec = desk.run(["exec", "--", "sh", "-c", trap]);
      await eventually(() => exec.out().includes("running"));
      send(exec);
      await eventually(() => exec.out().includes("ended"), { message: "the command inside has got the signal" });
      t.equal(await exec.exit, 3);
    });

  await t.test("exec has helm, node 24 and this checkout's zopp in PATH", async (t) => {
    t.match(await desk.exec(["helm", "version", "--short"]), /^v4\.3/);
    t.equal(await desk.exec(["node", "--version"]), `${process.version}\n`);
    t.match(await desk.exec(["zopp", "--help"]), /Usage: zopp/);
    t.match(await desk.exec(["kubectl", "logs", "one"]), /^$/, "and the API server reaches the kubelet");
  });

  await t.test("the API server writes down who asked for what", (t) => {
    const lines = readFileSync(auditLog(desk.left("default").folder), "utf8")
      .trimEnd()
      .split("\n");
    const events = lines.map((line) => JSON.parse(line));
    const created = events.find(({ verb, objectRef }) => verb === "create" && objectRef?.name === "one");
    t.match(created ?? {}, { level: "Metadata", user: { username: "admin" }, responseStatus: { code: 201 } });
    t.end();
  });

  await t.test("a second one of the name is refused with the way on", async (t) => {
    const again = desk.run(["up"]);
    t.equal(await again.exit, 1);
    t.match(again.err(), /^default is already up, in \S+: node \S+ down ends it$/m);
  });

  await t.test("nothing of it is seen outside while it runs", (t) => {
    t.strictSame(machine(), before);
    t.end();
  });

  t.equal(await desk.run(["down"]).exit, 0);
  await desk.empty(t);
  t.strictSame(machine(), before, "the machine is as it was");
});

t.test("what a crash left is cleared away", { skip }, async (t) => {
  const desk = new Desk(t);
  t.equal(await desk.run(["up"]).exit, 0);

  await t.test("by down, which says so, where the keeper was killed: all of it had ended with it", async (t) => {
    t.ok(desk.note());
    process.kill(desk.left("default").pid, "SIGKILL");
    await eventually(() => desk.processes().length === 0, { timeoutMs: 30_000, message: "its processes have ended" });
    t.strictSame([...desk.remains(), ...readdirSync(desk.temporary)], [], "with its control groups and its folder");
    const down = desk.run(["down"]);
    t.equal(await down.exit, 0, down.err());
    t.match(down.err(), /default had crashed/);
    await desk.empty(t);
  });

  await t.test("by up, which then starts a new one, where nobody was left to clean up", async (t) => {
    t.equal(await desk.run(["up"]).exit, 0);
    t.ok(desk.note());
    const old = desk.left("default");
    const watchdog = desk.processes().find(({ args }) => args.includes("zopp-watchdog"));
    for (const pid of [watchdog?.pid ?? 0, old.pid]) process.kill(pid, "SIGKILL");
    t.ok(desk.processes().some(({ args }) => args.includes("kubelet")));
    t.equal(await desk.run(["up"]).exit, 0);
    t.notOk(existsSync(old.folder));
    t.notOk(desk.processes().some(({ args }) => args.includes(old.folder)));
    t.strictSame(desk.remains(), []);
    t.ok(desk.note());
    t.equal(await desk.run(["down"]).exit, 0);
    await desk.empty(t);
  });
});

t.test("Ctrl-C leaves nothing", { skip }, async (t) => {
  const desk = new Desk(t);

  await t.test("while up is starting", async (t) => {
    const up = desk.run(["up"]);
    await eventually(() => desk.processes().some(({ args }) => args.includes("kubelet")), { timeoutMs: START_MS });
    const [folder = ""] = readdirSync(desk.temporary);
    interrupt(up);
    t.equal(await up.exit, 130);
    await eventually(() => !readdirSync(desk.temporary).includes(folder), { timeoutMs: START_MS });
    await desk.empty(t);
    t.notOk(hierarchies().some((one) => existsSync(join(one.folder, folder))));
  });

  await t.test("in the foreground", async (t) => {
    const up = desk.run(["up", "--foreground"]);
    await eventually(() => up.err().includes("Ctrl-C here"), { timeoutMs: START_MS });
    t.ok(desk.note());
    interrupt(up);
    t.equal(await up.exit, 0, up.err());
    await desk.empty(t);
  });
});

t.test("a name that is not up is refused with the way on, except by down", async (t) => {
  const desk = new Desk(t);
  for (const args of [
    ["exec", "--", "true"],
    ["load", "x.tar"],
  ]) {
    const ran = desk.run(args);
    t.equal(await ran.exit, 1);
    t.match(ran.err(), /^default is not up: node \S+ up starts it$/m);
  }
  t.equal(await desk.run(["down"]).exit, 0);
});

t.test("a command line that says nothing to do is refused with the usage, --help explains", async (t) => {
  const desk = new Desk(t);
  for (const args of [[], ["exec"], ["exec", "--"], ["load"], ["up", "--images", "x"], ["down", "--name", "../x"]]) {
    const ran = desk.run(args);
    t.equal(await ran.exit, 2, args.join(" "));
    t.match(ran.err(), /Usage: .* COMMAND/);
  }
  const help = desk.run(["--help"]);
  t.equal(await help.exit, 0);
  for (const text of ["--image FILE", "exec -- kubectl get pods", "cgroup v1"]) t.ok(help.out().includes(text), text);
});

/** What `up` says as the process that another program makes of it. */
function upUnder(program: string, args: readonly string[]) {
  const env = { ...process.env, XDG_STATE_HOME: t.testdir() };
  return spawnSync(program, [...args, process.execPath, MAIN, "up"], { encoding: "utf8", env });
}

t.test("up says in one sentence what the machine lacks", async (t) => {
  await t.test("root", { skip: skip && "there are no namespaces to be nobody in" }, async (t) => {
    const { status, stderr } = upUnder("unshare", ["--user"]);
    t.equal(stderr, "a cluster needs root: it makes namespaces, mounts and control groups\n");
    t.equal(status, 1);
  });

  const setpriv = findProgram("setpriv", process.env["PATH"]) !== undefined && skip === false;
  await t.test("namespaces", { skip: setpriv ? false : "no rights can be taken away here" }, async (t) => {
    const { status, stderr } = upUnder("setpriv", ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    t.match(stderr, /^a cluster needs namespaces of its own .*refused here: .*Operation not permitted\n$/);
    t.equal(status, 1);
  });
});
