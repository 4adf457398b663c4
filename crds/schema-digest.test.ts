import t from "tap";
import { schemaDigest } from "./schema-digest.js";

t.test("schemas that allow the same are one, whatever they say of it and in whatever order", async (t) => {
  const schema = { type: "object", description: "One.", properties: { a: { type: "string", description: "It." } } };
  const same = { properties: { a: { description: "Other words.", type: "string" } }, type: "object" };
  t.equal(schemaDigest(schema), schemaDigest(same));
  for (const other of [
    { ...schema, type: "array" },
    { ...schema, properties: { ...schema.properties, b: { type: "string" } } },
    { ...schema, properties: { ...schema.properties, description: { type: "string" } } },
    { ...schema, required: ["a"] },
  ])
    t.not(schemaDigest(other), schemaDigest(schema));
});
