// Where an API server is, and how to authenticate there.

/** What a connection needs to authenticate: headers for each request, TLS settings for each socket. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/** PEM contents (not paths) and checks for the connection to the API server. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** An API server and an account on it. `credentials` reads files again at each call; callers cache. */
export interface Endpoint {
  readonly server: URL;
  /** The namespace of the context, when it names one. */
  readonly namespace?: string;
  /** An http(s) proxy on the way. */
  readonly proxy?: string;
  credentials(): Promise<Credentials>;
}
