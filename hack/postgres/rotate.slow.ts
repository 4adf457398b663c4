// examples/postgres/rotate.sh against a real PostgreSQL: what a rotation job leaves there, and what it tells.
import t from "tap";
import { PostgresServer } from "./server.js";

const ADMIN = "o: \\per%41tor@'\"/?#";
const SECRET = "hunter-2-secret";

const skip =
  process.getuid?.() === 0 && process.platform === "linux"
    ? false
    : "only root of Linux can lay out a container's files";
if (skip) {
  t.plan(0, skip);
  process.exit();
}
const server = await PostgresServer.start(ADMIN, (line) => t.comment(line));
t.teardown(() => server.stop());

interface Pair {
  readonly user: string;
  readonly password: string;
}

/** Runs the job as the operator would: with the new pair, and the old one where there is one. */
const rotate = (next: Pair, before?: Pair, adminUrl = server.adminUrl()) =>
  server.run(["/bin/rotate", "app"], {
    "new/ADMIN_URL": adminUrl,
    "new/DB_USER": next.user,
    "new/DB_PASSWORD": next.password,
    ...(before && { "old/DB_USER": before.user, "old/DB_PASSWORD": before.password }),
  });
const pair = (user: string): Pair => ({ user, password: `${SECRET}-${user.length}-${user.codePointAt(0)}` });
const DONE = { code: 0, stdout: "the new login role acts as app\n", stderr: "" };

/** The login roles of the group. */
const members = async () => {
  const sql = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND pg_has_role(oid, 'app', 'MEMBER')";
  return (await server.query(`${sql} ORDER BY 1`)).split("\n").filter((name) => name !== "rotator");
};
/** What a client gets who connects with a pair. */
const asked = async ({ user, password }: Pair) => (await server.connect(user, password)).stdout.trim();

const [ONE, TWO, THREE, FOUR] = [pair("a-one"), pair("b-two"), pair("c-three"), pair("d-four")] as const;

t.test("the first time a login role is made, with the password, that acts as the group", async (t) => {
  t.strictSame(await rotate(ONE), DONE);
  t.strictSame(await members(), [ONE.user]);
  t.equal(await asked(ONE), `${ONE.user} as app`);
});

t.test("the same files again change nothing", async (t) => {
  t.strictSame(await rotate(ONE), DONE);
  t.strictSame(await members(), [ONE.user]);
  t.equal(await asked(ONE), `${ONE.user} as app`);
});

t.test("after a rotation the old pair and the new one are both good", async (t) => {
  t.strictSame(await rotate(TWO, ONE), DONE);
  for (const each of [ONE, TWO]) t.equal(await asked(each), `${each.user} as app`);
});

t.test("after each further one, the oldest is gone, also with a table that it has made", async (t) => {
  t.match(await server.connect(ONE.user, ONE.password, "CREATE TABLE made ()"), { code: 0 });
  t.strictSame(await rotate(THREE, TWO), DONE);
  t.strictSame(await members(), [TWO.user, THREE.user]);
  t.match(await server.connect(ONE.user, ONE.password), { code: 2, stderr: /authentication failed/ });
  t.strictSame(await rotate(FOUR, THREE), DONE);
  t.strictSame(await members(), [THREE.user, FOUR.user]);
});

t.test("where the old pair is missing, or was never made here, no role is dropped: clients may use any", async (t) => {
  const before = await members();
  for (const [next, old] of [
    [pair("d-other"), undefined],
    [pair("d-third"), pair("d-never")],
  ] as const)
    t.strictSame(await rotate(next, old), DONE);
  t.strictSame(await members(), [...before, "d-other", "d-third"].toSorted());
  t.strictSame(await rotate(FOUR, THREE), DONE);
  t.strictSame(await members(), before, "the next rotation that knows both drops the rest");
});

t.test("a role that no job made is neither dropped nor given another password", async (t) => {
  await server.query("CREATE ROLE dba LOGIN PASSWORD 'of-the-dba' IN ROLE app");
  t.strictSame(await rotate(FOUR, THREE), DONE);
  t.match(await members(), ["c-three", "d-four", "dba"]);
  const taken = await rotate({ user: "dba", password: SECRET }, FOUR);
  t.match(taken, { code: 3, stderr: /role "dba" already exists/ });
  t.match(await asked({ user: "dba", password: "of-the-dba" }), /^dba as/);
});

t.test("a wrong password of the admin is a failure that tells no password", async (t) => {
  const wrong = "not-the-password";
  const { code, stdout, stderr } = await rotate(pair("e-five"), FOUR, server.adminUrl(wrong));
  t.not(code, 0);
  t.match(stderr, /password authentication failed for user "rotator"/);
  for (const secret of [wrong, SECRET]) t.notMatch(stdout + stderr, secret);
  t.notOk((await members()).includes("e-five"));
});

t.test("a job that fails halfway leaves no role behind", async (t) => {
  await server.query(`CREATE TABLE public.owned (); ALTER TABLE public.owned OWNER TO "${THREE.user}"`);
  const before = await members();
  t.match(await rotate(pair("f-six"), FOUR), {
    code: 3,
    stderr: /cannot be dropped because some objects depend on it/,
  });
  t.strictSame(await members(), before);
  await server.query("DROP TABLE public.owned");
});

t.test("quotes and commands in a user's name or password are nothing but that", async (t) => {
  const hostile = [
    `x"; DROP ROLE app; --`,
    "y'; DROP ROLE app; --",
    "z `mkdir /tmp/ran` $(mkdir /tmp/ran) :new \\q %s",
  ];
  let before = FOUR;
  for (const user of hostile) {
    const next = { user, password: user };
    t.strictSame(await rotate(next, before), DONE, user);
    t.strictSame(await members(), [before.user, "dba", user].toSorted(), user);
    // the client's file has no way to write such a name
    if (!user.includes("\\")) t.match(await server.connect(user, user), { code: 0 }, user);
    before = next;
  }
  t.equal((await server.run(["sh", "-c", "test -e /tmp/ran"])).code, 1, "nothing of it ran");
});

t.test("no password is in what the server logs, although it logs every statement", async (t) => {
  t.match(server.log, /statement: COMMENT ON ROLE "c-three"/);
  t.notMatch(server.log, SECRET);
});
