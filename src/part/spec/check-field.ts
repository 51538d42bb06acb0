/**
 * Checks of single CRI fields. Each refusal is invalid-argument and names the field as the CRI's proto spells it
 * (`config.linux.security_context.run_as_user`), because that is what whoever sent it can look up.
 */
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

/** Where the kubelet's fields begin. */
export const securityContextField = 'config.linux.security_context';
export const resourcesField = 'config.linux.resources';

/** Linux takes ids up to 2^32-2, but Kubernetes, the API of images and other runtimes stop here (CVE-2024-40635). */
export const maxId = 2_147_483_647;

const maxPathBytes = 4095; // PATH_MAX without its NUL
const maxNameBytes = 255; // NAME_MAX
const maxArgumentBytes = 131_071; // MAX_ARG_STRLEN without its NUL: execve refuses a longer argument or variable

/** Makes (does not throw) the refusal of a field. */
export function badField(field: string, why: string): GantryError {
  return failure('invalid-argument', { act: 'check', object: field, why });
}

/** A user or group id as a number. */
export function checkId(field: string, value: bigint): number {
  if (value < 0n || value > BigInt(maxId)) throw badField(field, `${value} is not an id from 0 to ${maxId}`);
  return Number(value);
}

/** Text that becomes a C string. */
export function checkText(field: string, value: string): string {
  if (value.includes('\0')) throw badField(field, 'it has a NUL byte');
  return value;
}

/** Text that becomes one argument or one environment variable of a process. */
export function checkArgument(field: string, value: string): string {
  if (Buffer.byteLength(value) > maxArgumentBytes) throw badField(field, `it is longer than the ${maxArgumentBytes} bytes that the kernel passes to a process`);
  return checkText(field, value);
}

/** The path or bare name of a program: names longer than a file's would only fail in the runtime, in words that name no field. */
export function checkProgram(field: string, value: string): string {
  if (value === '') throw badField(field, 'the program has an empty name');
  if (Buffer.byteLength(value) > maxPathBytes) throw badField(field, `${quote(value)} has more than ${maxPathBytes} bytes`);
  if (value.split('/').some((name) => Buffer.byteLength(name) > maxNameBytes)) throw badField(field, `${quote(value)} has a name of more than ${maxNameBytes} bytes`);
  return checkArgument(field, value);
}

/**
 * An absolute path without `..`, returned without doubled, dotted or trailing parts. A mount on `/a/../b` would depend on what `/a` is in the
 * image, so `..` is refused rather than resolved.
 */
export function checkAbsolutePath(field: string, value: string): string {
  checkText(field, value);
  if (!value.startsWith('/')) throw badField(field, `${quote(value)} is not an absolute path`);
  const names = value.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw badField(field, `${quote(value)} has an element ..`);
  if (names.some((name) => Buffer.byteLength(name) > maxNameBytes)) throw badField(field, `${quote(value)} has a name of more than ${maxNameBytes} bytes`);
  const path = `/${names.join('/')}`;
  if (Buffer.byteLength(path) > maxPathBytes) throw badField(field, `${quote(value)} has more than ${maxPathBytes} bytes`);
  return path;
}

/** A value of a proto enum that this version knows: a newer kubelet may send others, which arrive as bare numbers. */
export function checkEnum<T extends number>(field: string, value: T, known: Readonly<Record<string, number>>): T {
  if (value === -1 || !Object.values(known).includes(value)) throw badField(field, `${value} is not a value that this version knows`);
  return value;
}

/** A foreign text for a message: quoted, escaped, cut. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}
