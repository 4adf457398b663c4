// What a line of the command table says. The lines themselves are in table.ts and the table.*.ts that it gathers.

/** An option: flags as commander reads them, and what it is for. */
export interface OptionSpec {
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** One command. */
export interface CommandSpec {
  /** The verb, after its group where it has one: "set", "cluster add". */
  readonly name: string;
  readonly args: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionSpec[];
  /** True where --context and --kubeconfig say where a keyring is, and not which store is worked on. */
  readonly readsCluster?: boolean;
}
