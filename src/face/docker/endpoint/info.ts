import { readFile } from 'node:fs/promises';
import { cpus, hostname, machine, release, totalmem } from 'node:os';
import { CgroupDriver } from '../../../gen/cri.ts';
import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { inventory } from '../inventory.ts';
import { parsed, textAt } from '../runtime-facts.ts';
import { dockerVersion } from './version.ts';

/** Pods count as containers, as they are listed. */
export const info: Endpoint = {
  route: 'GET /info',
  async answer({ engine, version }) {
    const [items, images, node, { linux }] = await Promise.all([inventory(engine), engine.images.list(undefined), engine.node.status(true), engine.node.runtimeConfig()]);
    const running = items.filter(({ state }) => state === 'running').length;
    const config = parsed(node.info['config']);
    const cgroups = textAt(parsed(node.info['host']), 'cgroups');
    const { conditions } = node.status;
    return json({
      ID: hostname(),
      Name: hostname(),
      Containers: items.length, ContainersRunning: running, ContainersPaused: 0, ContainersStopped: items.length - running,
      Images: images.length,
      Driver: snapshotterOf(node.info),
      DriverStatus: [], Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
      MemoryLimit: true, SwapLimit: true, CpuCfsPeriod: true, CpuCfsQuota: true, CPUShares: true, CPUSet: true, PidsLimit: true,
      IPv4Forwarding: true, BridgeNfIptables: true, BridgeNfIp6tables: true, OomKillDisable: cgroups !== 'v2', Debug: false, NFd: 0, NGoroutines: 0, NEventsListener: 0,
      SystemTime: new Date().toISOString(),
      LoggingDriver: 'cri',
      CgroupDriver: linux?.cgroupDriver === CgroupDriver.SYSTEMD ? 'systemd' : 'cgroupfs',
      CgroupVersion: cgroups === 'v2' ? '2' : '1',
      KernelVersion: release(),
      OperatingSystem: await distribution(),
      OSType: 'linux',
      Architecture: machine(),
      NCPU: cpus().length,
      MemTotal: totalmem(),
      IndexServerAddress: '', RegistryConfig: null, GenericResources: null, HttpProxy: '', HttpsProxy: '', NoProxy: '', Labels: [],
      DockerRootDir: textAt(config, 'root'),
      ExperimentalBuild: false,
      ServerVersion: dockerVersion(version),
      Runtimes: Object.fromEntries(node.handlers.filter(({ name }) => name !== '').map(({ name }) => [name, { path: textAt(config, 'runtime', 'handlers', name, 'path') }])),
      DefaultRuntime: textAt(config, 'runtime', 'defaultHandler'),
      Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
      LiveRestoreEnabled: true, Isolation: '', InitBinary: '', ContainerdCommit: { ID: '', Expected: '' }, RuncCommit: { ID: '', Expected: '' }, InitCommit: { ID: '', Expected: '' },
      SecurityOptions: [], ProductLicense: '',
      Warnings: conditions.filter(({ status }) => !status).map(({ type, message }) => `WARNING: not ${type}: ${message}`),
    });
  },
};

/** As containers and images name it too. */
export function snapshotterOf(nodeInfo: Readonly<Record<string, string>>): string {
  const driver = textAt(parsed(nodeInfo['snapshotter']), 'driver');
  return driver === 'overlay' ? 'overlayfs' : driver;
}

async function distribution(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? 'Linux';
}
