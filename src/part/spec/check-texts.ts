/** Checks of names, labels and counts: what pods and containers have alike, whatever becomes of it. */
import { badField, checkText, quote } from './check-field.ts';

/** NGROUPS_MAX: setgroups(2) refuses more. */
export const maxGroups = 65_536;

/** As long as a name or uid of an object in Kubernetes can be. */
const maxNameBytes = 253;

/** Four times what Kubernetes lets an object have of annotations: lists carry those of every pod, and a message holds 16 MiB. */
const maxMapBytes = 1 << 20;

// eslint-disable-next-line no-control-regex
const notInNames = /[\x00-\x1f\x7f/;=]/;

/** A name that becomes an element of paths and of a network plugin's `NAME=value;NAME=value`, and is shown on terminals. */
export function checkName(field: string, value: string): string {
  if (value === '') throw badField(field, 'it is empty');
  if (Buffer.byteLength(value) > maxNameBytes) throw badField(field, `it is longer than ${maxNameBytes} bytes`);
  if (value === '.' || value === '..' || notInNames.test(value)) throw badField(field, `${quote(value)} is no name: slashes, ; and =, control characters and mere dots are not allowed in one`);
  return value;
}

/** Labels or annotations: any text without NUL bytes, for plugins and runtimes read them as C strings, and not without measure. */
export function checkTextMap(field: string, map: Readonly<Record<string, string>>): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(map)) {
    checkText(`${field} (a key of it)`, key);
    checkText(`${field}[${quote(key)}]`, value);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxMapBytes) throw badField(field, `it has ${bytes} bytes in all, and at most ${maxMapBytes} are taken`);
}

/** A list that one act of the kernel or of the runtime has to take as a whole. */
export function checkCount(field: string, items: readonly unknown[], most: number): void {
  if (items.length > most) throw badField(field, `it has ${items.length} entries, and at most ${most} are taken`);
}
