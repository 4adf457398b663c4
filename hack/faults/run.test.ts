// How faults are done one upon the other, on a world that only counts: what becomes of a real one is faults.slow.ts.
import t from "tap";
import type { FaultKind } from "./fault.js";
import type { Planned } from "./plan.js";
import { suffer } from "./run.js";
import type { World } from "./world.js";

const silent = (): void => undefined;

function world(run: () => Promise<void> = async () => undefined): World {
  return { writer: { run }, storms: {} } as unknown as World;
}

function planned(title: string, begin: FaultKind["begin"]): Planned<FaultKind> {
  return { kind: { title, weight: 1, lane: "one", lastsMs: [0, 0], begin }, atMs: 0, forMs: 0, dice: 1 };
}

t.test("a fault that cannot be done fails the run, and does not hold up the next of its lane", async (t) => {
  const done = Promise.withResolvers<void>();
  const broken = planned("broken", () => {
    throw new TypeError("there is nothing to break");
  });
  const next = planned("next", () => {
    done.resolve();
    return silent;
  });
  await t.rejects(suffer(world(), [broken, next], silent), TypeError);
  await done.promise;
});

t.test("that nobody changes values any more is told when all is over, not by the end of the process", async (t) => {
  const run = async () => {
    throw new TypeError("the API server does not answer");
  };
  let begun = 0;
  const later = {
    ...planned("later", () => {
      begun += 1;
      return silent;
    }),
    atMs: 50,
  };
  t.strictSame(await suffer(world(run), [later], silent), ["TypeError: the API server does not answer"]);
  t.equal(begun, 1);
});
