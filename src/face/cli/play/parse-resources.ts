/** Requests and limits from their fields. */
import type { Fields } from './fields.ts';
import type { Resources } from './manifest.ts';
import { parseQuantity } from './quantity.ts';

/** A limit without a request is the request too, as Kubernetes has it. */
export function parseResources(fields: Fields): Resources {
  const limits = parseList(fields, 'limits');
  const requests = parseList(fields, 'requests');
  fields.end();
  for (const [name, request] of requests) {
    const limit = limits.get(name);
    if (limit !== undefined && request > limit) fields.problem(`requests.${name}`, 'is more than the limit');
  }
  const milli = (value: bigint | undefined) => (value === undefined ? undefined : Number(value));
  return {
    cpuLimitMilli: milli(limits.get('cpu')),
    cpuRequestMilli: milli(requests.get('cpu') ?? limits.get('cpu')),
    memoryLimit: limits.get('memory'),
    memoryRequest: requests.get('memory') ?? limits.get('memory'),
    hugepages: new Map([...limits].filter(([name]) => name.startsWith('hugepages-')).map(([name, value]) => [pageSize(name), value])),
  };
}

function parseList(fields: Fields, field: 'limits' | 'requests'): Map<string, bigint> {
  const result = new Map<string, bigint>();
  for (const [name, value] of fields.entries(field)) {
    if (name === 'ephemeral-storage') {
      fields.findings.ignored.add('ephemeral-storage');
      continue;
    }
    if (name !== 'cpu' && name !== 'memory' && !/^hugepages-\d+[KMG]i$/.test(name)) {
      fields.problem(`${field}.${name}`, 'gantry play knows cpu, memory and hugepages-SIZE');
      continue;
    }
    const quantity = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value), name === 'cpu' ? 3 : 0) : undefined;
    // The kernel's counters are signed 64-bit numbers; a million cores is more than anybody has.
    if (quantity === undefined || quantity >= (name === 'cpu' ? 1_000_000_000n : 1n << 63n)) {
      fields.problem(`${field}.${name}`, `wants a quantity such as ${name === 'cpu' ? '100m or 2' : '64Mi or 1Gi'}, not ${JSON.stringify(value)}`);
      continue;
    }
    result.set(name, quantity);
  }
  return result;
}

/** `hugepages-2Mi` is `2MB` to the CRI and the kernel's cgroup files. */
function pageSize(name: string): string {
  return name.slice('hugepages-'.length).replace('i', 'B');
}
