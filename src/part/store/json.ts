/** JSON that keeps what CRI messages hold beyond JSON: 64-bit integers and bytes. */

type Tagged = { $bigint: string } | { $bytes: string };

export function encodeJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, current) {
    // Buffer has a toJSON of its own, which runs before this function: look at the value as it stands in its holder.
    const original = this[key];
    if (typeof original === 'bigint') return { $bigint: original.toString() } satisfies Tagged;
    if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') } satisfies Tagged;
    return current;
  });
}

export function decodeJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$bigint' in value && typeof value.$bigint === 'string') return BigInt(value.$bigint);
    if ('$bytes' in value && typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
    return value;
  });
}
