// The version of this zopp, as package.json says it (a test compares the two).
// Not the version of the API: that stands in each object's apiVersion.

/** Semantic version of this build. */
export const VERSION = "0.1.0";
