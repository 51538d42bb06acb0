/**
 * JSON that keeps what CRI messages hold beyond JSON: 64-bit integers and bytes, each as an object of one tagged member. Maps of
 * labels and annotations have keys that anybody may choose, an image's author too: a key that begins like a tag is escaped, so that it
 * never reads as one.
 */

type Tagged = { $bigint: string } | { $bytes: string };

export function encodeJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, current: unknown) {
    // Buffer has a toJSON of its own, which runs before this function: look at the value as it stands in its holder.
    const original = this[key];
    if (typeof original === 'bigint') return { $bigint: original.toString() } satisfies Tagged;
    if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') } satisfies Tagged;
    return isObject(current) && Object.keys(current).some(isReserved) ? renameKeys(current, (name) => (isReserved(name) ? `$${name}` : name)) : current;
  });
}

export function decodeJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (!isObject(value)) return value;
    const keys = Object.keys(value);
    if (!keys.some(isReserved)) return value;
    if (typeof value['$bigint'] === 'string') return BigInt(value['$bigint']);
    if (typeof value['$bytes'] === 'string') return Buffer.from(value['$bytes'], 'base64');
    return renameKeys(value, (name) => (isReserved(name) ? name.slice(1) : name));
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isReserved(name: string): boolean {
  return name.startsWith('$');
}

function renameKeys(value: Record<string, unknown>, rename: (name: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [rename(name), member]));
}
