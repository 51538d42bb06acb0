import { test } from 'node:test';
import assert from 'node:assert/strict';
import { exampleFacts } from './example-input.fake.ts';
import { capabilityNames } from '../../base/capabilities.ts';
import { describeShortcomings, gatherHostFacts, hasV1Controller, isAtLeast, parseKernelVersion, parseProcStatus, parseSoftLimit } from './host-facts.ts';

test('the facts of this host are gathered', () => {
  const facts = gatherHostFacts();

  assert.ok(['v1', 'hybrid', 'v2'].includes(facts.cgroupMode));
  assert.ok((facts.hardLimits['nofile'] ?? 0n) > 0n);
  assert.ok(facts.kernel.major >= 4);
  assert.ok(facts.oomScoreAdj >= -1000 && facts.oomScoreAdj <= 1000);
});

test('a capability can be given only when it is both permitted and in the bounding set', () => {
  const status = parseProcStatus('Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000021\nCapEff:\t0000000000000001\nCapBnd:\t0000000000000023\nCapAmb:\t0000000000000000\n');

  assert.deepEqual(status, { capabilities: ['CAP_CHOWN', 'CAP_KILL'], effective: ['CAP_CHOWN'] });
});

test('all bits of a mask have their names, and unknown ones none', () => {
  const status = parseProcStatus('CapPrm:\tffffffffffffffff\nCapEff:\t0000000001000000\nCapBnd:\tffffffffffffffff\n');

  assert.deepEqual(status.capabilities, [...capabilityNames]);
  assert.deepEqual(status.effective, ['CAP_SYS_RESOURCE']);
});

test('a soft limit is read from its line', () => {
  const limits = 'Limit  Soft Limit  Hard Limit  Units\nMax stack size            8388608              unlimited            bytes     \n';

  assert.equal(parseSoftLimit(limits, 'Max stack size'), 8_388_608n);
  assert.equal(parseSoftLimit(limits.replace('8388608', 'unlimited'), 'Max stack size'), 2n ** 64n - 1n);
});

test('kernel versions are compared by number', () => {
  assert.deepEqual(parseKernelVersion('6.1.0-28-amd64'), { major: 6, minor: 1 });
  assert.deepEqual(parseKernelVersion('5.15.167.4-microsoft-standard-WSL2'), { major: 5, minor: 15 });
  assert.ok(isAtLeast({ major: 5, minor: 12 }, { major: 5, minor: 12 }));
  assert.ok(isAtLeast({ major: 6, minor: 1 }, { major: 5, minor: 12 }));
  assert.ok(!isAtLeast({ major: 5, minor: 4 }, { major: 5, minor: 12 }));
});

test('a cgroup v1 controller is found where it is mounted', () => {
  const mountinfo = [
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory',
    '36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,hugetlb',
    '',
  ].join('\n');

  assert.ok(hasV1Controller(mountinfo, 'memory'));
  assert.ok(hasV1Controller(mountinfo, 'cpuacct'));
  assert.ok(!hasV1Controller(mountinfo, 'hugetlb'));
});

test('the log at start tells what containers go without', () => {
  assert.deepEqual(describeShortcomings(exampleFacts), []);
  assert.deepEqual(
    describeShortcomings({ ...exampleFacts, capabilities: capabilityNames.filter((name) => name !== 'CAP_SYS_RESOURCE'), hasSysResource: false, hugetlb: false, swapAccounting: false }),
    [
      'privileged containers go without CAP_SYS_RESOURCE, which gantry itself does not have',
      'containers cannot be protected from the OOM killer below oom_score_adj 0: gantry has no CAP_SYS_RESOURCE',
      'limits of huge pages are ignored: no hugetlb cgroup controller is mounted',
      'limits of swap are ignored: the kernel does not account for it',
    ],
  );
});
