/** Reads pressure stall information of a cgroup (kernel: Documentation/accounting/psi.rst). */
import { join } from 'node:path';
import type { CgroupFiles } from './cgroup-file.ts';
import type { Pressure, PressureLine, PressureStats } from './cgroup-stats.ts';

const calm: PressureLine = { avg10: 0, avg60: 0, avg300: 0, totalNs: 0n };

export function readPressure(directory: string, files: CgroupFiles): PressureStats {
  const read = (resource: string): Pressure | undefined => parsePressure(files.text(join(directory, `${resource}.pressure`)));
  return { cpu: read('cpu'), memory: read('memory'), io: read('io') };
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same with `full`; total in microseconds. */
function parsePressure(text: string | undefined): Pressure | undefined {
  const some = parseLine(text, 'some');
  return some === undefined ? undefined : { some, full: parseLine(text, 'full') ?? calm };
}

function parseLine(text: string | undefined, kind: 'some' | 'full'): PressureLine | undefined {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(`${kind} `));
  const found = line === undefined ? null : /avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)/.exec(line);
  if (found === null) return undefined;
  return { avg10: Number(found[1]), avg60: Number(found[2]), avg300: Number(found[3]), totalNs: BigInt(found[4]!) * 1000n };
}
