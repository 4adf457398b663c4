import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { eventually } from "../eventually.js";
import { TcpProxy } from "./tcp-proxy.js";

/** A server that says everything back, behind a proxy, and what a client has heard through it. */
async function echo(t: Test) {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await TcpProxy.start((server.address() as AddressInfo).port);
  t.teardown(async () => {
    await proxy.stop();
    server.close();
  });
  const dial = async () => {
    const socket: Socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    const client = { socket, heard: "", ended: false, closed: false };
    socket.setEncoding("latin1").on("data", (text: string) => {
      client.heard += text;
    });
    socket
      .on("error", () => {})
      .on("end", () => {
        client.ended = true;
      });
    socket.on("close", () => {
      client.closed = true;
    });
    t.teardown(() => socket.destroy());
    await once(socket, "connect");
    return client;
  };
  return { proxy, dial };
}

/** Says something, and waits until it has come back. */
async function said(client: Awaited<ReturnType<Awaited<ReturnType<typeof echo>>["dial"]>>, text: string) {
  const wanted = client.heard + text;
  client.socket.write(text);
  await eventually(() => client.heard === wanted, { message: `${text} came back` });
}

t.test("what passes is what was said, also of a megabyte", async (t) => {
  const { dial } = await echo(t);
  await said(await dial(), "x".repeat(1 << 20));
});

t.test("on a slow wire all arrives, in its order", async (t) => {
  const { proxy, dial } = await echo(t);
  const client = await dial();
  proxy.spoil({ kind: "delay", ms: 20 });
  await said(client, "abcdefghij".repeat(20_000));
  t.ok(proxy.spoilt > 0);
});

t.test("a wire that is cut ends connections, those that come too, until it is whole again", async (t) => {
  const { proxy, dial } = await echo(t);
  const before = await dial();
  await said(before, "x");
  proxy.spoil({ kind: "cut", everyMs: 10 });
  await eventually(() => before.closed);
  const meanwhile = await dial();
  await eventually(() => meanwhile.closed);
  proxy.lift();
  await said(await dial(), "whole again");
});

t.test("a wire that changes bits changes one, and no length", async (t) => {
  const { proxy, dial } = await echo(t);
  const client = await dial();
  proxy.spoil({ kind: "corrupt", every: 1 });
  client.socket.write("zopp");
  await eventually(() => client.heard.length === 4);
  // there and back: the same bit twice
  t.equal(proxy.spoilt, 2);
  proxy.spoil({ kind: "corrupt", every: 3 });
  client.heard = "";
  client.socket.write("zopp");
  await eventually(() => client.heard.length === 4);
  t.not(client.heard, "zopp");
});

t.test(
  "a half closed wire says its end to one side, which still can speak, and breaks when it is lifted",
  async (t) => {
    const { proxy, dial } = await echo(t);
    const client = await dial();
    await said(client, "x");
    proxy.spoil({ kind: "half-close" });
    await eventually(() => client.ended);
    client.socket.write("into nothing");
    t.notOk(client.closed);
    proxy.lift();
    // who reads no more hears of it when he speaks
    await eventually(() => {
      client.socket.write("x");
      return client.closed;
    });
    t.equal(client.heard, "x");
  },
);

t.test("a silent wire says nothing until it speaks again", async (t) => {
  const { proxy, dial } = await echo(t);
  const client = await dial();
  proxy.spoil({ kind: "silence" });
  const meanwhile = await dial();
  client.socket.write("late");
  meanwhile.socket.write("later");
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.strictSame([client.heard, meanwhile.heard, client.closed, meanwhile.closed], ["", "", false, false]);
  proxy.lift();
  await eventually(() => client.heard === "late" && meanwhile.heard === "later");
});

/** Listens, and has no room for more than two who were not yet received: with the process stopped, a third one's call stays open. */
const DEAF = `require("node:net").createServer().listen(0, "127.0.0.1", 1, function () { console.log(this.address().port) })`;

t.test("a wire to one who does not receive leaves nothing open when it ends", async (t) => {
  const deaf = spawn(process.execPath, ["-e", DEAF], { env: {}, stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => deaf.kill("SIGKILL"));
  const [port] = await once(deaf.stdout, "data");
  deaf.kill("SIGSTOP");
  const isStopped = () => / T /.test(readFileSync(`/proc/${deaf.pid}/stat`, "utf8"));
  await eventually(isStopped, { message: "it is stopped" });
  const proxy = await TcpProxy.start(Number(port));
  const calls = () => process.getActiveResourcesInfo().filter((name) => name === "ConnectWrap").length;
  const before = calls();
  const sockets = Array.from({ length: 6 }, () =>
    connect({ port: proxy.port, host: "127.0.0.1" }).on("error", () => {}),
  );
  t.teardown(() => sockets.map((socket) => socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  let looks = 0;
  // those that are received are so within milliseconds
  await eventually(() => calls() > before && ++looks > 5, { message: "calls stay open" });
  await proxy.stop();
  await eventually(() => calls() === before, { timeoutMs: 500, message: "no call stays open" });
});
