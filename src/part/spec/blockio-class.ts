/**
 * Block I/O classes: a document that names for each class scheduler weights and throttles of devices, in the format that CRI-O's and
 * containerd's `blockio_config_file` have.
 */
import { failure } from '../../base/errors.ts';
import type { OciBlockIo, OciThrottle } from './oci-spec.ts';

/** A whole disk: the block layer throttles no partitions. */
export interface BlockDevice {
  readonly major: number;
  readonly minor: number;
}

export interface BlockIoRule {
  /** Globs of device files; empty is every device. */
  readonly devices: readonly string[];
  readonly weight: number | undefined;
  readonly throttles: Readonly<Partial<Record<Throttle, bigint>>>;
}

type Throttle = 'throttleReadBpsDevice' | 'throttleWriteBpsDevice' | 'throttleReadIOPSDevice' | 'throttleWriteIOPSDevice';

const throttleKeys: Readonly<Record<string, Throttle>> = {
  ThrottleReadBps: 'throttleReadBpsDevice',
  ThrottleWriteBps: 'throttleWriteBpsDevice',
  ThrottleReadIOPS: 'throttleReadIOPSDevice',
  ThrottleWriteIOPS: 'throttleWriteIOPSDevice',
};

/** The range of io.bfq.weight that the OCI runtime specification takes. */
const [leastWeight, mostWeight] = [10, 1000];

/** Reads one class out of the parsed document: failed-precondition, naming class and key, when it is not there or not right. */
export function parseBlockIoClass(document: unknown, name: string): BlockIoRule[] {
  const classes = isRecord(document) && isRecord(document['Classes']) ? document['Classes'] : {};
  const rules = Object.hasOwn(classes, name) ? classes[name] : undefined;
  if (rules === undefined) throw badClass(name, `there is no such class; there are: ${Object.keys(classes).join(', ') || 'none'}`);
  if (!Array.isArray(rules) || !rules.every(isRecord)) throw badClass(name, 'want a list of rules');
  return rules.map((rule) => parseRule(rule, name));
}

/** The rules in order for the devices that their globs match: a later rule overrides an earlier one for its devices. */
export function blockIoOf(rules: readonly BlockIoRule[], devicesOf: (globs: readonly string[]) => readonly BlockDevice[]): OciBlockIo {
  let weight: number | undefined;
  const weights = new Map<string, BlockDevice & { weight: number }>();
  const throttles = new Map<Throttle, Map<string, OciThrottle>>();
  for (const rule of rules) {
    if (rule.devices.length === 0) weight = rule.weight ?? weight;
    for (const { major, minor } of rule.devices.length === 0 ? [] : devicesOf(rule.devices)) {
      const key = `${major}:${minor}`;
      if (rule.weight !== undefined) weights.set(key, { major, minor, weight: rule.weight });
      for (const [kind, rate] of Object.entries(rule.throttles) as [Throttle, bigint][]) {
        throttles.set(kind, (throttles.get(kind) ?? new Map<string, OciThrottle>()).set(key, { major, minor, rate }));
      }
    }
  }
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(weights.size === 0 ? {} : { weightDevice: [...weights.values()] }),
    ...Object.fromEntries([...throttles].map(([kind, devices]) => [kind, [...devices.values()]])),
  };
}

function parseRule(rule: Record<string, unknown>, name: string): BlockIoRule {
  const unknown = Object.keys(rule).find((key) => key !== 'Devices' && key !== 'Weight' && throttleKeys[key] === undefined);
  if (unknown !== undefined) throw badClass(name, `${unknown} is none of Devices, Weight, ${Object.keys(throttleKeys).join(', ')}`);
  const devices = rule['Devices'] ?? [];
  if (!Array.isArray(devices) || !devices.every((glob): glob is string => typeof glob === 'string' && glob.startsWith('/dev/'))) throw badClass(name, 'Devices: want a list of globs below /dev');
  const weight = rule['Weight'] === undefined ? undefined : Number(parseQuantity(rule['Weight'], name, 'Weight'));
  if (weight !== undefined && (weight < leastWeight || weight > mostWeight)) throw badClass(name, `Weight: ${weight} is not from ${leastWeight} to ${mostWeight}`);
  const throttles = Object.entries(throttleKeys).flatMap(([key, kind]) => (rule[key] === undefined ? [] : [[kind, parseQuantity(rule[key], name, key)] as const]));
  if (throttles.length > 0 && devices.length === 0) throw badClass(name, 'a throttle needs Devices');
  return { devices, weight, throttles: Object.fromEntries(throttles) };
}

const factors: Readonly<Record<string, bigint>> = {
  '': 1n, k: 10n ** 3n, M: 10n ** 6n, G: 10n ** 9n, T: 10n ** 12n, Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n, Ti: 1n << 40n,
};

/** A whole number with one of Kubernetes' suffixes. */
function parseQuantity(value: unknown, name: string, key: string): bigint {
  const [, digits, suffix = ''] = /^(\d{1,15})([kMGT]|[KMGT]i)?$/.exec(String(value)) ?? [];
  if (digits === undefined) throw badClass(name, `${key}: ${JSON.stringify(value)} is no number such as 500, 10k or 50Mi`);
  return BigInt(digits) * factors[suffix]!;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badClass(name: string, why: string): Error {
  return failure('failed-precondition', { act: 'use block I/O class', object: name, why });
}
