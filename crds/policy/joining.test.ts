import t, { type Test } from "tap";
import { acme, cluster, identityOf, NOW } from "../../hack/fixtures.js";
import { joinStatement, signStatement } from "../statement.js";
import type { Invite, JoinRequest } from "../types.gen.js";
import { judgeJoin, newJoinRequest, readJoinRequest } from "./joining.js";
import { readWorkspace } from "./workspace.js";

const KEY = identityOf("the invite");
const ZOE = identityOf("zoe");
const ASKED = { invite: "zoe", device: "laptop" };
const invite: Invite = { name: "zoe", signingKey: KEY.signing.verifyKey.text, expires: "2026-11-24T00:00:00Z" };
const workspace = readWorkspace(acme({ invites: [invite] }));
const request = newJoinRequest("acme", ASKED, ZOE, KEY);
const { signature: _s, proof: _p, ...asked } = request;

/** A request with other fields, signed again by these keys. */
function signed(changes: Partial<typeof asked>, byInvite = KEY, byDevice = ZOE, of = "acme"): JoinRequest {
  const fields = { ...asked, ...changes };
  const statement = joinStatement(of, fields);
  const [signature, proof] = [byInvite, byDevice].map(({ signing }) => signStatement(signing, statement));
  return { ...fields, signature: signature ?? "", proof: proof ?? "" };
}

function refuses(t: Test, why: RegExp, given: JoinRequest, title: string, now = NOW): void {
  t.throws(() => judgeJoin(workspace, given, now), { code: "JoinRefused", message: why }, title);
}

t.test("whoever holds the invite's key asks for a device of their own", async (t) => {
  const judged = judgeJoin(workspace, readJoinRequest(JSON.parse(JSON.stringify(request))), NOW);
  t.match(judged, { invite, request });
  t.match(judged.fingerprint, /^(?:[0-9a-f]{4}-){5}[0-9a-f]{4}$/);
  const other = judgeJoin(workspace, newJoinRequest("acme", ASKED, identityOf("mallory"), KEY), NOW);
  t.not(other.fingerprint, judged.fingerprint, "another device of the same invite has another fingerprint");
  t.equal(judgeJoin(workspace, signed({}), NOW).hash, judged.hash, "the same request again is the same");
});

t.test("a forged request is refused", async (t) => {
  const mallory = identityOf("mallory");
  const [laptop] = acme().spec.principals[0]?.devices ?? [];
  refuses(t, /not signed by the invite's key/, signed({}, mallory), "with another key than the invite's");
  refuses(t, /not signed by the new device's own key/, signed({}, KEY, mallory), "for a key that it does not hold");
  refuses(t, /not signed by the invite's key/, { ...request, device: "phone" }, "changed after it was signed");
  refuses(t, /not signed by the invite's key/, signed({}, KEY, ZOE, "other"), "made for another workspace");
  refuses(t, /no such invite/, signed({ invite: "yan" }), "under an invite that is not there");
  const alice = identityOf("alice");
  const taken = signed({ signingKey: alice.signing.verifyKey.text }, KEY, alice);
  refuses(t, /in the policy already/, taken, "for a key that is somebody's");
  refuses(
    t,
    /in the policy already/,
    signed({ encryptionKey: laptop?.encryptionKey ?? "" }),
    "to be wrapped to alice's",
  );
  const own = signed({ signingKey: KEY.signing.verifyKey.text }, KEY, KEY);
  refuses(t, /in the policy already/, own, "for the invite's own key, which an owner made");
  const eu1 = signed({ encryptionKey: cluster("eu-1").encryptionKey });
  refuses(t, /in the policy already/, eu1, "to be wrapped to a cluster's key");
});

t.test("an invite is good until it ends, is revoked or was used", async (t) => {
  refuses(t, /ended/, request, "from its very end on", new Date(invite.expires));
  t.ok(judgeJoin(workspace, request, new Date(Date.parse(invite.expires) - 1)));
  const gone = readWorkspace(acme({ invites: [] }));
  t.throws(() => judgeJoin(gone, request, NOW), { code: "JoinRefused" }, "revoked, or used");
  const again = { ...invite, signingKey: identityOf("the next invite").signing.verifyKey.text };
  const renewed = readWorkspace(acme({ invites: [again] }));
  t.throws(() => judgeJoin(renewed, request, NOW), { code: "JoinRefused" }, "replayed under the next of that name");
});

t.test("a request of another form is refused before anything else", async (t) => {
  for (const [title, value] of [
    ["nothing", undefined],
    ["a list", [request]],
    ["a field too many", { ...request, role: "admin" }],
    ["a field too few", { ...request, proof: undefined }],
    ["a compact key", { ...request, encryptionKey: `x25519:${"A".repeat(43)}=` }],
    ["a name with a dot", { ...request, invite: "zoe.x" }],
    ["a signature that is cut", { ...request, signature: request.signature.slice(4) }],
  ] as const)
    t.throws(() => readJoinRequest(value), { code: "Malformed" }, title);
  const low = { ...request, signingKey: `ed25519:${"A".repeat(43)}=` };
  refuses(t, /not signed/, low, "a key of low order");
});
