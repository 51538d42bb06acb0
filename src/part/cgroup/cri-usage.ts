/** Cgroup figures in the shape of CRI messages. What the host does not measure is left out, never zero. */
import type { CpuUsage, IoUsage, MemoryUsage, PsiStats, SwapUsage, UInt64Value } from '../../gen/cri.ts';
import type { CgroupStats, Pressure } from './cgroup-stats.ts';

export function cpuUsage({ at, cpu, pressure }: CgroupStats, nanoCores: bigint | undefined): CpuUsage | undefined {
  if (cpu === undefined) return undefined;
  return { timestamp: at, usageCoreNanoSeconds: { value: cpu.usageNs }, usageNanoCores: wrapped(nanoCores), psi: psi(pressure.cpu) };
}

export function memoryUsage({ at, memory, pressure }: CgroupStats): MemoryUsage | undefined {
  if (memory === undefined) return undefined;
  return {
    timestamp: at,
    workingSetBytes: { value: memory.workingSet },
    availableBytes: wrapped(memory.available),
    usageBytes: { value: memory.usage },
    rssBytes: wrapped(memory.rss),
    pageFaults: wrapped(memory.pageFaults),
    majorPageFaults: wrapped(memory.majorPageFaults),
    psi: psi(pressure.memory),
  };
}

export function swapUsage({ at, swap }: CgroupStats): SwapUsage | undefined {
  return swap === undefined ? undefined : { timestamp: at, swapAvailableBytes: wrapped(swap.available), swapUsageBytes: { value: swap.usage } };
}

export function ioUsage({ at, pressure }: CgroupStats): IoUsage | undefined {
  return pressure.io === undefined ? undefined : { timestamp: at, psi: psi(pressure.io) };
}

function psi(pressure: Pressure | undefined): PsiStats | undefined {
  if (pressure === undefined) return undefined;
  const line = ({ avg10, avg60, avg300, totalNs }: Pressure['some']) => ({ Total: totalNs, Avg10: avg10, Avg60: avg60, Avg300: avg300 });
  return { Full: line(pressure.full), Some: line(pressure.some) };
}

function wrapped(value: bigint | undefined): UInt64Value | undefined {
  return value === undefined ? undefined : { value };
}
