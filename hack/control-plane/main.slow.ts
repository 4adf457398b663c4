import { spawnSync } from "node:child_process";
import t, { type Test } from "tap";
import { eventually } from "../eventually.js";
import { Desk as AnyDesk, type Ran } from "../left-running.case.js";

const START_MS = 120_000;

class Desk extends AnyDesk {
  constructor(t: Test) {
    super(t, "control-plane");
  }
}

/** What a shell that has evaluated what `up` printed says. */
function shell(exports: string, line: string): string {
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", `${exports}\n${line}`], { encoding: "utf8" });
  return stdout + stderr;
}

/** Ctrl-C in a terminal: the signal goes to the whole group. */
const interrupt = ({ child }: Ran) => process.kill(-(child.pid ?? 0), "SIGINT");

t.test(
  "up leaves a control plane running for any shell, several by name, and down ends the one it names",
  async (t) => {
    const desk = new Desk(t);
    const [one, two] = [desk.run(["up"]), desk.run(["up", "--name", "two", "--crds"])];
    t.strictSame(await Promise.all([one.exit, two.exit]), [0, 0], one.err() + two.err());
    t.match(one.err(), /up at https:\/\/127\.0\.0\.1:\d+; node \S+ down ends it/);
    t.match(two.err(), /down --name two ends it/);
    t.match(shell(one.out(), "command -v kubectl"), desk.temporary, "with a kubectl of its own");
    shell(one.out(), "kubectl create namespace only-one");
    t.match(shell(one.out(), "kubectl get namespaces"), /only-one/);
    t.notMatch(shell(two.out(), "kubectl get namespaces"), /only-one/);
    t.match(shell(two.out(), "kubectl api-resources --api-group=zopp.dev"), /zoppsecrets/);

    const again = desk.run(["up"]);
    t.equal(await again.exit, 1);
    t.match(again.err(), /^default is already up, in \S+: node \S+ down ends it$/m);

    t.equal(await desk.run(["down"]).exit, 0);
    t.strictSame(desk.names(), ["two"]);
    t.match(shell(two.out(), "kubectl get namespaces"), /kube-system/, "the other one runs");
    t.equal(await desk.run(["down", "--name", "two"]).exit, 0);
    await desk.empty(t);
  },
);

t.test("down with nothing up says so, and is no error", async (t) => {
  const down = new Desk(t).run(["down", "--name", "none"]);
  t.equal(await down.exit, 0);
  t.equal(down.err(), "none is not up\n");
});

t.test("what a crash left is cleared away", async (t) => {
  const desk = new Desk(t);
  /** Kills the process that keeps it and the watchdog at once, so that nobody cleans up. */
  const crash = () => {
    const watchdog = desk.processes().find(({ args }) => args.includes("zopp-watchdog"));
    for (const pid of [watchdog?.pid ?? 0, desk.left("default").pid]) process.kill(pid, "SIGKILL");
    t.equal(
      desk.processes().filter(({ args }) => !args.includes("zopp-watchdog")).length,
      desk.left("default").pids.length,
    );
  };
  t.equal(await desk.run(["up"]).exit, 0);
  crash();

  await t.test("by up, which then starts a new one", async (t) => {
    const old = desk.left("default");
    t.equal(await desk.run(["up"]).exit, 0);
    const { pids, folder } = desk.left("default");
    t.not(folder, old.folder);
    t.notOk(desk.processes().some(({ args }) => args.includes(old.folder)));
    t.equal(pids.length, old.pids.length);
  });

  await t.test("by down, which says so", async (t) => {
    crash();
    const down = desk.run(["down"]);
    t.equal(await down.exit, 0);
    t.match(down.err(), /default had crashed/);
    await desk.empty(t);
  });
});

t.test("Ctrl-C leaves nothing running", async (t) => {
  const desk = new Desk(t);

  await t.test("while up is starting", async (t) => {
    const up = desk.run(["up"]);
    await eventually(() => desk.processes().some(({ args }) => args.includes("kube-apiserver")), {
      timeoutMs: START_MS,
    });
    interrupt(up);
    t.equal(await up.exit, 130);
    await desk.empty(t);
  });

  await t.test("in the foreground", async (t) => {
    const up = desk.run(["up", "--foreground"]);
    await eventually(() => up.out().includes("export PATH"), { timeoutMs: START_MS });
    interrupt(up);
    t.equal(await up.exit, 0, up.err());
    await desk.empty(t);
  });

  await t.test("during exec, whose exit code is the command's", async (t) => {
    const exec = desk.run(["exec", "--", "sh", "-c", "trap 'exit 7' INT; echo running; while :; do sleep 1; done"]);
    await eventually(() => exec.out().includes("running"), { timeoutMs: START_MS });
    interrupt(exec);
    t.equal(await exec.exit, 7);
    await desk.empty(t);
  });
});

t.test("exec gives the command a kubectl and a KUBECONFIG, also where the machine has neither", async (t) => {
  const desk = new Desk(t);
  const env = { KUBECONFIG: "/nowhere", PATH: "/nowhere" };
  const exec = desk.run(["exec", "--", "kubectl", "get", "namespaces", "--output", "name"], env);
  t.equal(await exec.exit, 0, exec.err());
  t.match(exec.out(), /^namespace\/default$/m);
  const missing = desk.run(["exec", "--", "no-such-command"]);
  t.equal(await missing.exit, 1);
  t.match(missing.err(), /no-such-command cannot be run/);
  await desk.empty(t);
});

t.test("a command line that says nothing to do is refused with the usage, --help explains", async (t) => {
  const desk = new Desk(t);
  for (const args of [[], ["sideways"], ["exec"], ["exec", "--"], ["up", "--naem", "x"], ["up", "--name", "../x"]]) {
    const ran = desk.run(args);
    t.equal(await ran.exit, 2, args.join(" "));
    t.match(ran.err(), /Usage: .* COMMAND/);
  }
  const help = desk.run(["up", "--help"]);
  t.equal(await help.exit, 0);
  for (const text of ["--name", "--crds", "--foreground", "KUBEBUILDER_ASSETS", "exec -- kubectl get ns"])
    t.ok(help.out().includes(text), text);
});

t.test("up on a machine without programs and without Go says what to install", async (t) => {
  const desk = new Desk(t);
  const env = { HOME: desk.folder, XDG_CACHE_HOME: desk.folder, KUBEBUILDER_ASSETS: "", PATH: "/nowhere" };
  for (const args of [["up"], ["exec", "--", "true"]]) {
    const ran = desk.run(args, env);
    t.equal(await ran.exit, 1);
    t.match(ran.err(), /not found in .*install Go 1\.26 or later.*KUBEBUILDER_ASSETS/s);
  }
  await desk.empty(t);
});
