// etcd asked directly, by its API in JSON: its revision, its alarm for a full disk, and all that was ever written to it.
// A watch of the API server starts anew after a fault and can miss what came between; etcd's own history has no gap. It is
// complete where the API server does not have it compacted (--etcd-compaction-interval=0), and readable where built-in kinds
// are stored as JSON.

/** What a key was from a revision on. */
export interface Change {
  /** `<plural>/<namespace>/<name>` as the API server stores it: `secrets/shop-prod/api`. */
  readonly path: string;
  readonly revision: number;
  /** Undefined = deleted. */
  readonly object: unknown;
}

/** Flags of kube-apiserver by which etcd's history is whole and readable. */
export const READABLE = ["--etcd-compaction-interval=0", "--storage-media-type=application/json"];

const REGISTRY = "/registry/";
/** The first key after all that begin with REGISTRY: written in order to know when everything was read. */
const LAST = "/registry0";
const AFTER_LAST = "/registry1";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();

async function post(url: string, path: string, body: object): Promise<Response> {
  const answer = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** From now on etcd refuses to store anything more, as when its disk is full; or no longer does. */
export async function setDiskFull(url: string, isFull: boolean): Promise<void> {
  const action = isFull ? "ACTIVATE" : "DEACTIVATE";
  await post(url, "/v3/maintenance/alarm", { action, memberID: "0", alarm: "NOSPACE" });
}

/** The revision of what was stored last. */
export async function revisionNow(url: string): Promise<number> {
  const answer = await post(url, "/v3/kv/range", { key: base64(LAST) });
  const { header } = (await answer.json()) as { readonly header: { readonly revision: string } };
  return Number(header.revision);
}

interface Watched {
  readonly result?: { readonly events?: readonly Event[] };
  readonly error?: { readonly message?: string };
}

interface Event {
  readonly type?: "DELETE";
  readonly kv: { readonly key: string; readonly value?: string; readonly mod_revision: string };
}

/** Everything that was ever stored under one of these plurals, in the order in which it was. */
export async function history(url: string, plurals: readonly string[]): Promise<readonly Change[]> {
  await post(url, "/v3/kv/put", { key: base64(LAST), value: base64("end") });
  const range = { key: base64(REGISTRY), range_end: base64(AFTER_LAST), start_revision: "1", fragment: true };
  const answer = await post(url, "/v3/watch", { create_request: range });
  const changes: Change[] = [];
  for await (const line of linesOf(answer)) {
    const { result, error } = JSON.parse(line) as Watched;
    if (error !== undefined) throw new Error(`etcd's history: ${error.message}`);
    for (const event of result?.events ?? []) {
      const key = text(event.kv.key);
      if (key === LAST) return changes;
      const path = pathOf(key);
      if (plurals.includes(path.split("/")[0] ?? "")) changes.push(changeOf(path, event));
    }
  }
  throw new Error("etcd's history broke off");
}

/** Custom resources lie under their group. */
function pathOf(key: string): string {
  const path = key.slice(REGISTRY.length);
  return path.startsWith("zopp.dev/") ? path.slice("zopp.dev/".length) : path;
}

function changeOf(path: string, { type, kv }: Event): Change {
  const object: unknown = type === "DELETE" ? undefined : JSON.parse(text(kv.value));
  return { path, revision: Number(kv.mod_revision), object };
}

async function* linesOf({ body }: Response): AsyncGenerator<string> {
  let rest = "";
  for await (const part of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
}
