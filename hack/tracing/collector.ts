// A real OpenTelemetry Collector for tests: built from Go modules, started, and all that it made of what it was sent.
// Does not own who sends to it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../child.js";
import { freePort } from "../control-plane/processes.js";
import { eventually } from "../eventually.js";
import { type GoPrograms, goPrograms } from "../go-programs.js";
import { packageRoot } from "../package-root.js";

const COLLECTOR: GoPrograms = {
  title: "the OpenTelemetry Collector",
  name: "otel-collector",
  version: "0.165.0",
  module: join(packageRoot(), "hack", "tracing", "collector"),
  ldflags: "",
  programs: [{ name: "collector", goPackage: ".", minutes: 1, megabytes: 27 }],
};

/** The path of the collector, or why there is none. */
export async function findCollector(): Promise<{ readonly program: string } | { readonly skip: string }> {
  try {
    const folder = await goPrograms(COLLECTOR, { env: process.env, log: (line) => console.error(line) });
    return { program: join(folder, "collector") };
  } catch (error) {
    return { skip: String(error) };
  }
}

/** A span as tests look at it. */
export interface Found {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Sent {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<Found, "service" | "attributes"> & {
        readonly attributes?: readonly Attribute[];
      })[];
    }[];
  }[];
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A collector that takes OTLP over HTTP and gives all of it on. Live until `stop()`. */
export class Collector {
  /** Where traces are sent to. */
  readonly endpoint: string;
  /** What it gave on, as it is. */
  readonly texts: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "zopp-collector-"));
  readonly #child: Child;
  readonly #sink = createServer((request, response) => {
    const parts: Buffer[] = [];
    request
      .on("data", (part) => parts.push(part))
      .on("end", () => {
        this.texts.push(Buffer.concat(parts).toString("utf8"));
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
  });

  private constructor(program: string, port: number, sinkPort: number) {
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#sink.listen(sinkPort, "127.0.0.1");
    const sink = `http://127.0.0.1:${sinkPort}`;
    const config = {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: { otlp_http: { endpoint: sink, encoding: "json", compression: "none" } },
      service: {
        telemetry: { metrics: { level: "none" } },
        pipelines: { traces: { receivers: ["otlp"], exporters: ["otlp_http"] } },
      },
    };
    // JSON is YAML
    const file = join(this.#folder, "config.yaml");
    writeFileSync(file, JSON.stringify(config));
    this.#child = new Child({ name: "collector", node: [program], main: "--config", args: [file] });
  }

  /** Starts one and waits until it takes traces. */
  static async start(program: string): Promise<Collector> {
    const collector = new Collector(program, await freePort(), await freePort());
    await eventually(async () => {
      collector.#child.refuseDead();
      const headers = { "content-type": "application/json" };
      return (await fetch(`${collector.endpoint}/v1/traces`, { method: "POST", headers, body: "{}" })).ok;
    });
    return collector;
  }

  /** All spans that it was sent. */
  get spans(): readonly Found[] {
    const sent = this.texts.map((text) => JSON.parse(text) as Sent);
    return sent.flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ resource, scopeSpans }) => {
        const service = textsOf(resource.attributes)["service.name"] ?? "";
        return scopeSpans.flatMap(({ spans }) =>
          spans.map(({ attributes = [], ...span }) => ({ ...span, service, attributes: textsOf(attributes) })),
        );
      }),
    );
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    await new Promise((resolve) => this.#sink.close(resolve).closeAllConnections());
    rmSync(this.#folder, { recursive: true });
  }
}

function textsOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}
