// Refuses requests that would change something once this process may write no more: asked in the moment in which a request
// is put on its socket, since it can have waited for one, or the whole process can have been stopped, since it was made.
// Does not decide who may write: lease.ts does.
import type { Dispatcher } from "undici";
import { ZoppError } from "../../crds/errors.js";

/** Lets requests of a dispatcher pass as long as `mayWrite` says so of their path; those that only read always pass. */
export function fenced(dispatcher: Dispatcher, mayWrite: (path: string) => boolean): Dispatcher {
  return dispatcher.compose(
    (dispatch) => (options, handler) =>
      dispatch(options, options.method === "GET" ? handler : new Fenced(handler, () => mayWrite(options.path))),
  );
}

class Fenced implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #mayWrite: () => boolean;

  constructor(handler: Dispatcher.DispatchHandler, mayWrite: () => boolean) {
    this.#handler = handler;
    this.#mayWrite = mayWrite;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    if (this.#mayWrite()) this.#handler.onRequestStart?.(controller, context);
    else controller.abort(new ZoppError("NotLeading", "nothing is written: this process does not lead"));
  }

  onResponseStart(...given: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>): void {
    this.#handler.onResponseStart?.(...given);
  }

  onResponseData(...given: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseData"]>>): void {
    this.#handler.onResponseData?.(...given);
  }

  onResponseEnd(...given: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseEnd"]>>): void {
    this.#handler.onResponseEnd?.(...given);
  }

  onResponseError(...given: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseError"]>>): void {
    this.#handler.onResponseError?.(...given);
  }
}
