import { once } from "node:events";
import { createServer } from "node:net";
import t from "tap";
import { OwnKeyring } from "./own-keyring.js";

const TIMES = { waitingMs: 10, servingMs: 10, awayMs: 1_000 };

t.test("it serves as soon as it listens, and is gone when it has not for long enough", async (t) => {
  const server = createServer();
  const listen = async (port: number) => once(server.listen(port, "127.0.0.1"), "listening");
  await listen(0);
  const { port } = server.address() as { port: number };
  const close = async () => {
    server.close();
    await once(server, "close");
  };
  await close();
  const own = new OwnKeyring(`127.0.0.1:${port}`, TIMES);
  t.equal(await own.serves(50), false);
  const serves = own.serves();
  await listen(port);
  t.equal(await serves, true);
  t.equal(await own.serves(0), true);
  let isGone: boolean | undefined;
  const gone = own.gone().then((answer) => {
    isGone = answer;
  });
  await close();
  t.equal(await own.serves(100), false);
  await listen(port);
  t.equal(await own.serves(), true);
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMES.awayMs));
  t.equal(isGone, undefined, "one that was away for a moment is not gone");
  await close();
  await gone;
  t.equal(isGone, true);
});

t.test("whoever stops waits for nothing any more", async (t) => {
  const own = new OwnKeyring("[::1]:1");
  const waiting = own.serves();
  own.stop();
  t.equal(await waiting, false);
  t.equal(await own.gone(), false);
});
