// `make demo`: plays the story and the attacks on a stage of its own, then leaves it running (KEEP=1) or removes it.
// Does not own the story.
import { playAttacks } from "./attacks.js";
import { type Narrator, newNarrator } from "./narrate.js";
import { NotAsTold, Scene } from "./scene.js";
import { ALICE, Stage } from "./stage.js";
import { playStory } from "./story.js";

const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const LOG_LINES = 5;

async function main(): Promise<number> {
  const colour = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
  const narrator = newNarrator({ write: (line) => process.stdout.write(`${line}\n`), colour });
  const stage = new Stage();
  const interrupted = endOnSignal(stage);
  const scene = new Scene({ stage, narrator });
  try {
    await play(scene);
    if (process.env["KEEP"]) {
      keep(scene);
      await new Promise(() => undefined);
    }
    return 0;
  } catch (error) {
    // whatever was under way when everything was stopped has failed, which is no news
    if (!interrupted.aborted) tell(narrator, error, stage);
    return 1;
  } finally {
    await stage.stop();
  }
}

async function play(scene: Scene): Promise<void> {
  const { narrator, stage } = scene;
  const started = performance.now();
  narrator.title("zopp: from a signed manifest in git to a live Secret");
  narrator.say(`Everything here is real, and lies in ${stage.folder}`);
  if ((await stage.shell("git --version")).code !== 0) throw new NotAsTold("git is not found, and the story needs it");
  await playStory(scene);
  await playAttacks(scene);
  await lookFurther(scene);
  const seconds = Math.round((performance.now() - started) / 1000);
  narrator.plain(["", `Done in ${seconds} s: everything was as told.`]);
}

async function lookFurther(scene: Scene): Promise<void> {
  scene.narrator.chapter("To look further");
  scene.narrator.say(
    "Is everything in git sound, by what this machine trusts; and what does the cluster say? For people and for CI:",
  );
  await scene.type("zopp verify && zopp status --store cluster");
  scene.narrator.say("");
  scene.narrator.say("Every acceptance and refusal was recorded before any key was released, in a hash-linked log:");
  const records = await scene.type(
    `kubectl get zoppauditsegments -n zopp-system -o jsonpath='{range .items[*]}{.spec.records}{"\\n"}{end}' | while read -r s; do echo "$s" | base64 -d | gunzip; done | tail -n 3 | sed -E 's/,"(time|actor|evidence|digest|policy|request)":("[^"]*"|\\[[^]]*\\])//g'`,
  );
  scene.check(records.includes('"NotPinned"'), "the last refusal is in it");
}

function keep({ narrator, stage }: Scene): void {
  narrator.plain([
    "",
    "It is left running until Ctrl-C. In another terminal:",
    `  . ${stage.writeProfile(ALICE)}     # Alice's shell: zopp, kubectl, KUBECONFIG, her checkout`,
    "  zopp status --store cluster",
    "  kubectl get zws,zenv && kubectl get zs -A -o wide",
    "  kubectl describe zs api -n shop-prod",
    "  kubectl get events -A && kubectl get zoppauditsegments -A",
    "  echo another | zopp set shop-prod/api DB_PASSWORD && kubectl apply --server-side -R -f zopp",
    `kubeconfig ${stage.controlPlane.kubeconfig}`,
    `folder     ${stage.folder}`,
  ]);
}

function tell(narrator: Narrator, error: unknown, stage: Stage): void {
  const text =
    error instanceof NotAsTold ? `not as told: ${error.message}` : `the demo failed: ${(error as Error).stack}`;
  narrator.fail(text);
  for (const { name, lines } of stage.children) {
    narrator.plain(["", `the end of ${name}'s log:`]);
    narrator.output(lines.slice(-LOG_LINES).join("\n"));
  }
}

/** Ends the stage, then the process, at the first signal; a second one does not wait. Gives what tells that it came. */
function endOnSignal(stage: Stage): AbortSignal {
  const ending = new AbortController();
  for (const [signal, code] of Object.entries(EXIT_BY_SIGNAL)) {
    process.on(signal, () => {
      if (ending.signal.aborted) process.exit(code);
      ending.abort();
      process.stdout.write("\nstopping everything\n");
      void stage.stop().finally(() => process.exit(code));
    });
  }
  return ending.signal;
}

process.exitCode = await main();
