import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineFacts, median, reportText, type RuntimeMeasured } from './report.ts';

function measured(name: string, scale: number): RuntimeMeasured {
  const pod = { runPod: 60 * scale, create: 30 * scale, start: 10 * scale, podStart: 100 * scale, execSync: [10 * scale, 12 * scale], stop: 50, remove: 20 };
  return { name, description: `${name} 1.0`, pods: [pod, pod, pod], listMs: 2 * scale, memoryPerPod: 1e6 * scale, idle: { bytes: 60e6, cpuPercent: 0.2 } };
}

const floor = [{ namespaces: 1, cni: 44, overlay: 1, create: 35, start: 9, podStart: 90 }];
const line = (text: string, head: string): string => text.split('\n').find((one) => one.startsWith(head))!.replace(/ +/g, ' ');

test('a median of an even number of values lies between the middle two, and the order of values does not matter', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([9, 1, 5]), 5);
});

test('the table has each ratio, and says of each target whether it is met', () => {
  const text = reportText({ runtimes: [measured('Gantry', 1), measured('containerd', 2)], floor }, machineFacts(), 'crun');

  assert.equal(line(text, 'pod start'), 'pod start 100.0 ms 200.0 ms 90.0 ms 0.50 1.11 ≤ 0.45 × peer MISSED');
  assert.equal(line(text, '  against the floor'), ' against the floor 100.0 ms 200.0 ms 90.0 ms 0.50 1.11 ≤ 1.3 × floor met');
  assert.equal(line(text, 'ExecSync'), 'ExecSync true 11.0 ms 22.0 ms 0.50 ≤ 0.5 × peer met');
  assert.equal(line(text, 'idle processor'), 'idle processor 0.20 % 0.20 % ≤ 0.5 % met');
});

test('without a peer its targets are left open', () => {
  const text = reportText({ runtimes: [measured('Gantry', 1)], floor }, machineFacts(), 'crun');

  assert.equal(line(text, 'pod start'), 'pod start 100.0 ms 90.0 ms 1.11 ≤ 0.45 × peer -');
  assert.equal(line(text, 'idle memory'), 'idle memory 60.0 MB ≤ 100 MB met');
});
