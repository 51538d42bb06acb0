import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOfSentence, runtimeFailure, sentenceOf } from './runtime-failure.ts';

const runc = (message: string): string => `time="2026-11-22T17:25:34Z" level=error msg=${JSON.stringify(message)}\n`;

// What crun 1.8.1 and runc 1.1.5 really printed.
const said: readonly { stderr: string; sentence: string; kind: string }[] = [
  { stderr: 'executable file `nope` not found in $PATH: No such file or directory\n', sentence: 'executable file `nope` not found in $PATH: No such file or directory', kind: 'failed-precondition' },
  { stderr: runc('runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH'), sentence: 'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH', kind: 'failed-precondition' },
  { stderr: runc('runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory'), sentence: 'runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory', kind: 'failed-precondition' },
  { stderr: runc('runc create failed: seccomp flags are not yet supported by runc'), sentence: 'runc create failed: seccomp flags are not yet supported by runc', kind: 'failed-precondition' },
  { stderr: 'open executable: Permission denied\n', sentence: 'open executable: Permission denied', kind: 'failed-precondition' },
  { stderr: 'make `/nonexist` private: No such file or directory\n', sentence: 'make `/nonexist` private: No such file or directory', kind: 'failed-precondition' },
  { stderr: 'error opening file `/run/gantry/oci/crun/x/status`: No such file or directory\n', sentence: 'error opening file `/run/gantry/oci/crun/x/status`: No such file or directory', kind: 'not-found' },
  { stderr: "cannot open directory '/run/gantry/oci/crun/x': No such file or directory\n", sentence: "cannot open directory '/run/gantry/oci/crun/x': No such file or directory", kind: 'not-found' },
  { stderr: runc('exec failed: container does not exist'), sentence: 'exec failed: container does not exist', kind: 'not-found' },
  { stderr: 'OOM: the memory limit could be too low: read from sync socket: Connection reset by peer\n', sentence: 'OOM: the memory limit could be too low: read from sync socket: Connection reset by peer', kind: 'failed-precondition' },
  { stderr: runc('runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)'), sentence: 'runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)', kind: 'failed-precondition' },
  { stderr: runc('exec failed: cannot exec in a stopped container'), sentence: 'exec failed: cannot exec in a stopped container', kind: 'failed-precondition' },
  { stderr: 'the container `x` is not running\n', sentence: 'the container `x` is not running', kind: 'failed-precondition' },
  { stderr: 'the container `x` is not in `created` or `stopped` state\n', sentence: 'the container `x` is not in `created` or `stopped` state', kind: 'failed-precondition' },
  { stderr: runc('cannot delete container x that is not stopped: running'), sentence: 'cannot delete container x that is not stopped: running', kind: 'failed-precondition' },
  { stderr: 'cannot open `/run/gantry/oci/crun/x/exec.fifo`: No such file or directory\n', sentence: 'cannot open `/run/gantry/oci/crun/x/exec.fifo`: No such file or directory', kind: 'failed-precondition' },
  { stderr: 'setns(pid=16868, CLONE_NEWUSER): No such process\nfail startup\n', sentence: 'setns(pid=16868, CLONE_NEWUSER): No such process; fail startup', kind: 'failed-precondition' },
  { stderr: runc('container with id exists: x').replace('with id exists', 'with given ID already exists'), sentence: 'container with given ID already exists: x', kind: 'already-exists' },
  { stderr: 'writing file: No space left on device\n', sentence: 'writing file: No space left on device', kind: 'resource-exhausted' },
  { stderr: 'writing file `cpuset.cpus`: Numerical result out of range\n', sentence: 'writing file `cpuset.cpus`: Numerical result out of range', kind: 'invalid-argument' },
  { stderr: runc('failed to write "1": write /sys/fs/cgroup/cpu/pod/x/cpu.cfs_quota_us: invalid argument'), sentence: 'failed to write "1": write /sys/fs/cgroup/cpu/pod/x/cpu.cfs_quota_us: invalid argument', kind: 'invalid-argument' },
  { stderr: runc('the minimum allowed cpu-shares is 2'), sentence: 'the minimum allowed cpu-shares is 2', kind: 'invalid-argument' },
  { stderr: 'writing file `memory.limit_in_bytes`: Device or resource busy\n', sentence: 'writing file `memory.limit_in_bytes`: Device or resource busy', kind: 'failed-precondition' },
  { stderr: runc('unable to set memory limit to 1 (current usage: 352256, peak usage: 2510848)'), sentence: 'unable to set memory limit to 1 (current usage: 352256, peak usage: 2510848)', kind: 'failed-precondition' },
  { stderr: 'mount_setattr `/sys/kernel`: Invalid argument\n', sentence: 'mount_setattr `/sys/kernel`: Invalid argument', kind: 'failed-precondition' },
  { stderr: 'writing file `devices.deny`: Invalid argument\n', sentence: 'writing file `devices.deny`: Invalid argument', kind: 'internal' },
  { stderr: 'cgroups in hybrid mode not supported, drop all controllers from cgroupv2\n', sentence: 'cgroups in hybrid mode not supported, drop all controllers from cgroupv2', kind: 'internal' },
  { stderr: 'error executing hook `/bin/sh` (exit code: 3)\n', sentence: 'error executing hook `/bin/sh` (exit code: 3)', kind: 'failed-precondition' },
  { stderr: runc('runc create failed: unable to start container process: error during container init: error running hook #0: error running hook: exit status 3, stdout: , stderr: why'), sentence: 'runc create failed: unable to start container process: error during container init: error running hook #0: error running hook: exit status 3, stdout: , stderr: why', kind: 'failed-precondition' },
];

for (const { stderr, sentence, kind } of said) {
  test(`reads "${sentence.slice(0, 60)}" as ${kind}`, () => {
    assert.equal(sentenceOf(stderr), sentence);
    assert.equal(kindOfSentence(sentence), kind);
  });
}

test('warnings of runc are left out when there is an error, and kept when there is nothing else', () => {
  const warning = 'time="2026-11-22T17:25:34Z" level=warning msg="no such cgroup"\n';

  assert.equal(sentenceOf(warning + runc('it broke')), 'it broke');
  assert.equal(sentenceOf(warning), 'no such cgroup');
});

test('JSON records and conmon lines give their message', () => {
  assert.equal(sentenceOf('{"level":"error","msg":"it \\"broke\\"","time":"2026"}\n{"level":"info","msg":"bye"}\n'), 'it "broke"');
  assert.equal(sentenceOf('[conmon:e]: Failed to open log file No such file or directory\n'), 'Failed to open log file No such file or directory');
  assert.equal(sentenceOf('{not json\n'), '{not json');
});

test('control characters and endless text do not get into a message', () => {
  assert.equal(sentenceOf('bad \x1b[31mred\x07\n'), 'bad  [31mred');
  assert.equal(sentenceOf('x'.repeat(5000)).length, 601);
});

test('a failure names what was attempted, the runtime and its sentence', () => {
  const error = runtimeFailure({ act: 'start container', id: 'c1', runtime: 'crun', stderr: 'exec: Exec format error\n', code: 1 });

  assert.equal(error.message, 'start container c1: crun: exec: Exec format error');
  assert.equal(error.kind, 'failed-precondition');
});

test('a failure without any text gives the exit code', () => {
  assert.equal(runtimeFailure({ act: 'start container', id: 'c1', runtime: 'runc', stderr: '', code: 139 }).message, 'start container c1: runc: exit code 139 and no message');
});
