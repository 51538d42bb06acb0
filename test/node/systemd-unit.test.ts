/** The unit that is shipped, under a systemd that runs it: in the virtual machine of the tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ContainerState } from '../../src/gen/cri.ts';
import { argumentsFor, removePods } from '../support/daemon.ts';
import { markVariable } from '../support/test-run.ts';
import { startWorkload, type Workload } from '../support/workload.ts';

const shipped = path.join(import.meta.dirname, '../../contrib/gantry.service');
const program = path.join(import.meta.dirname, '../../bin/gantry');
const skip = existsSync('/run/systemd/system') ? false : 'systemd does not run this machine (npm run vm has one where it does)';

function run(...[command, ...args]: [string, ...string[]]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

describe('contrib/gantry.service', { skip }, () => {
  let node: Workload;
  let unit: string;
  let file: string;
  const property = (name: string): string => run('systemctl', 'show', '--value', '--property', name, unit);

  before(async () => {
    node = await startWorkload();
    await node.daemon.stop(); // from here on systemd runs it
    const mark = path.basename(node.daemon.cgroupParent, '.slice');
    unit = `${mark}.service`;
    file = `/run/systemd/system/${unit}`;
    writeFileSync(file, readFileSync(shipped));
    mkdirSync(`${file}.d`);
    writeFileSync(`${file}.d/test.conf`, [
      '[Service]', 'TimeoutStartSec=600', 'TimeoutStopSec=600', 'WatchdogSec=600',
      `Environment=${markVariable}=${mark}`, 'ExecStart=', `ExecStart=${program} ${argumentsFor(node.daemon.paths).join(' ')}`, '',
    ].join('\n'));
    run('systemctl', 'daemon-reload');
  });
  after(async () => {
    await removePods(node.client);
    spawnSync('systemctl', ['stop', unit]);
    for (const made of [file, `${file}.d`]) rmSync(made, { recursive: true, force: true });
    run('systemctl', 'daemon-reload');
    await node.stop();
  });

  test('systemd finds nothing wrong with it', () => {
    const copy = path.join(node.daemon.paths.dir, 'gantry.service');
    writeFileSync(copy, readFileSync(shipped, 'utf8').replace('/usr/local/bin/gantry', program));

    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' });

    assert.doesNotMatch(`${stdout}${stderr}`, /gantry\.service/);
  });

  test('it starts, says so, and a restart leaves a pod and its container running', async () => {
    run('systemctl', 'start', unit);
    assert.match(property('StatusText'), /^ready on /);
    const first = property('MainPID');
    const pod = await node.runPod();
    const id = await node.runContainer(pod);
    const pidOf = async (): Promise<unknown> => JSON.parse((await node.client.containerStatus({ containerId: id, verbose: true })).info['info'] ?? '{}').pid;
    const pid = await pidOf();

    run('systemctl', 'restart', unit);

    assert.notEqual(property('MainPID'), first);
    assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
    assert.equal(await pidOf(), pid);
    assert.equal(await node.sh(id, 'echo inside'), 'inside');
    assert.equal(property('NRestarts'), '0');
  });
});
