// Credentials that cannot be read for a while: a file is being replaced, or the process has no descriptor left.
import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import { connectTo } from "./client.js";
import { SECRETS } from "./resources.js";
import { answer, object, scriptedServer, statusOf } from "./scripted-server.js";

const PLACE = { namespace: "shop", name: "a" };

/** A client whose n-th reading of its token gives `Bearer n`, or fails; the server takes only those tokens that are named. */
async function make(t: Test, { fails, good }: { readonly fails: readonly number[]; readonly good: readonly number[] }) {
  const server = await scriptedServer(({ headers }, response) => {
    const isGood = good.some((n) => headers.authorization === `Bearer ${n}`);
    answer(response, isGood ? 200 : 401, isGood ? object("a", 1) : statusOf(401, "Unauthorized"));
  });
  let reads = 0;
  const credentials = async () => {
    reads += 1;
    if (fails.includes(reads)) throw new ZoppError("NotFound", "cannot read /token");
    return { headers: { authorization: `Bearer ${reads}` }, tls: {} };
  };
  const client = connectTo({ ...server.endpoint, credentials });
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  return {
    get: () => client.get(SECRETS, PLACE),
    tokens: () => server.received.map((one) => one.headers.authorization),
  };
}

t.test("a reading that fails leaves what was read before, and the next one counts", async (t) => {
  const { get, tokens } = await make(t, { fails: [2], good: [3] });
  await t.rejects(get(), { code: "ApiRefused" }, "so the token is read again");
  await t.rejects(get(), { code: "ApiRefused" }, "and no NotFound, as if the object were not there");
  await get();
  t.strictSame(tokens(), ["Bearer 1", "Bearer 1", "Bearer 3"]);
});

t.test("the first reading has nothing before it", async (t) => {
  const { get, tokens } = await make(t, { fails: [1], good: [2] });
  await t.rejects(get(), { code: "NotFound", message: "cannot read /token" });
  await get();
  t.strictSame(tokens(), ["Bearer 2"]);
});
