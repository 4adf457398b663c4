// What a command may touch of the outside: streams, environment, folder, clock, terminal. Tests bring their own.
// What is read from or written to them is the business of input.ts and output.ts.

/** A stream that values and manifests can come from. */
export interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
}

/** A stream that a command writes to. */
export interface Output {
  readonly isTTY?: boolean;
  write(chunk: string | Uint8Array): unknown;
}

/** The person at the keyboard, also where stdin and stdout are pipes. */
export interface Terminal {
  /** Asks and echoes. Throws Interrupted when the person gives up. */
  ask(question: string): Promise<string>;
  /** Asks without echo. Throws Interrupted when the person gives up. */
  askHidden(question: string): Promise<string>;
}

/** Everything of the outside that one run of `zopp` uses. */
export interface Context {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The absolute path of the working directory. */
  readonly cwd: string;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Undefined where nobody sits at a terminal. */
  terminal(): Terminal | undefined;
  now(): Date;
  /** Cost of the identity file's passphrase as a power of two; absent = the format's default. */
  readonly workFactor?: number;
}
