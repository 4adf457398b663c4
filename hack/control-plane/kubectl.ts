// Owns running kubectl.
// Does not own what it is asked, nor the kubeconfigs it is given.
import { type ProgramResult, runProgram } from "../run-program.js";

/** What a command of kubectl gave. */
export type KubectlResult = ProgramResult;

/** What a command of kubectl is given. */
export interface KubectlOptions {
  /** Its standard input. */
  readonly input?: string;
  /** The path of the kubeconfig to use; the administrator's by default. */
  readonly kubeconfig?: string;
}

/** Awaits a command of kubectl and gives its output; throws its error text where it failed. */
export async function must(result: Promise<KubectlResult>): Promise<string> {
  const { stdout, stderr, code } = await result;
  if (code !== 0) throw new Error(`kubectl failed with exit code ${code}: ${stderr.trim()}`);
  return stdout;
}

/** Which kubectl runs, in which home, as whom by default: three paths. */
export interface Kubectl {
  /** What it is run by, where that is another program: its path and arguments. */
  readonly by?: readonly string[];
  readonly program: string;
  readonly folder: string;
  readonly kubeconfig: string;
}

/** Runs kubectl; its failure is a code, not an exception. */
export function runKubectl(
  kubectl: Kubectl,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<KubectlResult> {
  const { input = "", kubeconfig = kubectl.kubeconfig } = options;
  // Its own home, so that no cache or preference of the person is read or written.
  const env = { PATH: process.env["PATH"], HOME: kubectl.folder, KUBECONFIG: kubeconfig };
  return runProgram([...(kubectl.by ?? []), kubectl.program, ...args], { env, input });
}
