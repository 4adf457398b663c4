// What a keyring says of itself just after a start, when it serves by what it remembers and has judged nothing yet.
import t from "tap";
import { approveEnvironment } from "../../crds/policy/edit.js";
import { acme, identityOf, production } from "../../hack/fixtures.js";
import { KeyringWorld, pinned, review } from "../../hack/keyring-world.js";
import { describe } from "./describe.js";
import type { Joins } from "./joins.js";
import type { PolicyBook } from "./policy.js";

const approvals = { required: 1, approvers: ["carol"] };
const environments = [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], approvals }];
const WORKSPACE = acme({ environments });
const ENVIRONMENT = approveEnvironment(production(), identityOf("carol").signing);

/** What is told while nothing of policy lies in the API, as far as this keyring knows. */
function told(book: PolicyBook) {
  const joins = { of: () => [] } as unknown as Joins;
  const present = { workspaces: [], environments: [], baselines: [] };
  const end = { log: "log-1", size: 0 } as Parameters<typeof describe>[0]["end"];
  return describe({ identity: identityOf("cluster eu-1"), end, notReady: "Syncing", book, joins, present });
}

t.test("what is in force is told from the start on, and that it asks for approvals", async (t) => {
  const world = new KeyringWorld();
  const trust = pinned(WORKSPACE);
  t.strictSame(told(world.start(trust)).environments, []);
  await review(world.start(trust), WORKSPACE, ENVIRONMENT);
  const { workspaces, environments } = told(world.start(trust));
  const unseen = { uid: "", generation: 0n, refusedCode: "" };
  t.match(workspaces, [{ ...unseen, name: "acme", acceptedVersion: BigInt(WORKSPACE.spec.version) }]);
  const accepted = { acceptedVersion: BigInt(ENVIRONMENT.spec.version), approvals: true };
  t.match(environments, [{ ...unseen, name: "acme.shop.production", ...accepted }]);
});

t.test("what is in force under a workspace that is trusted no more is told by nobody", async (t) => {
  const world = new KeyringWorld();
  await review(world.start(pinned(WORKSPACE)), WORKSPACE, ENVIRONMENT);
  const { workspaces, environments } = told(world.start({ pins: [], firstUse: false }));
  t.strictSame([...workspaces, ...environments], []);
});
