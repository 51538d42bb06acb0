/** The engine contract asked of containerd: that another runtime keeps it too shows that it asks for what is usual. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { startBenchImages } from '../../bench/images.ts';
import { startContainerd } from '../../bench/peer-containerd.ts';
import { criContract, type ContractSubject } from '../../src/engine/cri-contract.suite.ts';
import { ImageSpec } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';

const runc = ['/usr/sbin/runc', '/usr/bin/runc'].find((path) => existsSync(path));
if (runc === undefined || spawnSync('containerd', ['--version']).status !== 0) test('containerd', (t) => t.skip('containerd or runc is not installed'));
else criContract('containerd', { peer: true, start: () => startPeer(runc) });

async function startPeer(runtime: string): Promise<ContractSubject> {
  const images = await startBenchImages();
  try {
    const { client, logs, cgroupParent, stop } = await startContainerd({ runtime, pauseImage: images.pause });
    await client.pullImage({ image: message(ImageSpec, { image: images.workload }) });
    return { client, image: images.workload, logs, cgroupParent, stop: () => stop().finally(() => images.stop()) };
  } catch (error) {
    await images.stop();
    throw error;
  }
}
