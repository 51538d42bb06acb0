/** `JSON.stringify` for documents with 64-bit numbers, which Docker's clients read as integers: none of their digits is lost. */
export function jsonText(document: unknown): string {
  return JSON.stringify(document, (_name, value: unknown) => (typeof value === 'bigint' ? exactly(value) : value));
}

/** ECMAScript's JSON.parse source text access, which TypeScript does not know yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function exactly(value: bigint): unknown {
  return rawJSON(String(value));
}
