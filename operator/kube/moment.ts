// How long ago something was, by two clocks. The steady one only grows, but stands still while a machine sleeps; the wall's is
// set right when it wakes up, but can be set to anything. What must not last too long is over when either says so.

/** A moment that has been. */
export interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
}

/** This moment. */
export function moment(): Moment {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

/** True while neither clock says that so long has passed; false for what never was. */
export function isWithin(ms: number, since: Moment | undefined): boolean {
  return since !== undefined && performance.now() - since.steadyMs < ms && Date.now() - since.wallMs < ms;
}
