type Reviver = (this: unknown, key: string, value: unknown) => unknown;

/** JSON.parse, but whole numbers that a double would round are bigints: 64-bit limits keep every digit. */
export function parseJsonExactly(text: string): unknown {
  const exact = (_key: string, value: unknown, context: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source ?? '') ? BigInt(context.source!) : value;
  return JSON.parse(text, exact as unknown as Reviver); // the third parameter is younger than TypeScript's library
}
