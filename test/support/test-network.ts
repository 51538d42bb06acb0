/** A CNI network of a test's own: bridge, masquerading and port mapping, with names and a subnet that nobody else uses. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface TestNetwork {
  readonly name: string;
  readonly bridge: string;
  /** As in `10.213.7.0/24`. */
  readonly subnet: string;
  /** The configuration list, as it stands in `confDir`. */
  readonly conflist: object;
  /** Deletes the bridge; the plugins' own traces go with each pod. */
  remove(): void;
}

/** Writes a network configuration to `confDir`; `mark` names network and bridge, so at most 15 characters. */
export function makeTestNetwork({ mark, confDir, dataDir }: { mark: string; confDir: string; dataDir: string }): TestNetwork {
  const subnet = freeSubnet();
  const conflist = {
    cniVersion: '1.0.0',
    name: mark,
    plugins: [
      {
        type: 'bridge',
        bridge: mark,
        isGateway: true,
        ipMasq: true,
        ipam: { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }], dataDir },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  mkdirSync(confDir, { recursive: true });
  writeFileSync(path.join(confDir, '10-test.conflist'), `${JSON.stringify(conflist, null, 2)}\n`);
  return { name: mark, bridge: mark, subnet, conflist, remove: () => void spawnSync('ip', ['link', 'del', mark]) };
}

/** A /24 of 10/8 that this machine has no route to yet. */
function freeSubnet(): string {
  const routes = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1).map((line) => line.split('\t')[1] ?? '');
  for (;;) {
    const [second, third] = [randomInt(64, 255), randomInt(0, 256)];
    const asRoute = [0, third, second, 10].map((byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase();
    if (!routes.includes(asRoute)) return `10.${second}.${third}.0/24`;
  }
}
