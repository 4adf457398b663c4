// One run of a command: its settings, its store and its identity, each made when first needed.
// What is done with them is the commands' business.
import type { Identity } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import type { Context } from "./context.js";
import { withProgress } from "./output.js";
import { type GlobalOptions, readSettings, type Settings, type StorePlace } from "./settings.js";
import type { Store } from "./store/store.js";

/** What a command works with. */
export interface Session {
  readonly context: Context;
  readonly options: GlobalOptions;
  readonly settings: Settings;
  /** The store of the settings. Throws Usage when none is named, NotFound for an unusable kubeconfig. */
  store(): Promise<Store>;
  /** Opens a store that the settings do not name yet. */
  openStore(place: StorePlace): Promise<Store>;
  /** The identity with its private keys; asks for the passphrase once. Throws as loadIdentity. */
  identity(): Promise<Identity>;
  close(): Promise<void>;
}

/** Starts a session. Throws Malformed for an unusable zopp.yaml. */
export async function startSession(context: Context, options: GlobalOptions): Promise<Session> {
  const settings = await readSettings(context, options);
  const opened: Promise<Store>[] = [];
  let main: Promise<Store> | undefined;
  let identity: Promise<Identity> | undefined;
  const openStore = (place: StorePlace): Promise<Store> => {
    const store = open(context, options, place);
    opened.push(store);
    return store;
  };
  return {
    context,
    options,
    settings,
    store: () => {
      main ??= openStore(namedStore(settings));
      return main;
    },
    openStore,
    identity: () => {
      identity ??= import("./identity.js").then(({ loadIdentity }) => loadIdentity(context));
      return identity;
    },
    close: async () => {
      const stores = await Promise.allSettled(opened);
      await Promise.all(stores.map((store) => (store.status === "fulfilled" ? store.value.close() : undefined)));
    },
  };
}

function namedStore(settings: Settings): StorePlace {
  if (settings.store !== undefined) return settings.store;
  throw new ZoppError(
    "Usage",
    "no store is named: use --store DIR or --store cluster, ZOPP_STORE, or zopp.yaml (`zopp init` writes one)",
  );
}

async function open(context: Context, options: GlobalOptions, place: StorePlace): Promise<Store> {
  if (place.kind === "directory") {
    const { openDirectory } = await import("./store/directory.js");
    return openDirectory({ root: place.root, cwd: context.cwd });
  }
  const { openCluster } = await import("./store/cluster.js");
  const store = await openCluster({ context: place.context, kubeconfig: options.kubeconfig, env: context.env });
  const patiently = <T>(work: Promise<T>): Promise<T> => withProgress(context, `waiting for ${store.title}`, work);
  return {
    ...store,
    contents: (namespace) => patiently(store.contents(namespace)),
    read: (kind, name) => patiently(store.read(kind, name)),
    write: (changes) => patiently(store.write(changes)),
  };
}
