import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { GantryError } from '../../base/errors.ts';
import { LinuxSandboxSecurityContext, NamespaceMode, PodSandboxConfig } from '../../gen/cri.ts';
import type { UserNamespace } from '../../gen/cri.ts';
import { checkPodConfig } from './check-pod-config.ts';
import { hostilePods } from './hostile-pods.fake.ts';

const metadata = { name: 'web', namespace: 'default', uid: 'u1', attempt: 0 };
const range = { containerId: 0, hostId: 65_536, length: 65_536 };
const userNamespace: UserNamespace = { mode: NamespaceMode.POD, uids: [range], gids: [range] };
const users = (change: Partial<UserNamespace>): object => options({ usernsOptions: { ...userNamespace, ...change } });

/** Of namespace options: the rest of them is as the kubelet sends it. */
function options(fields: object): object {
  const security = { ...LinuxSandboxSecurityContext.decode(new Uint8Array()), namespaceOptions: { network: 0, pid: 1, ipc: 0, targetId: '', ...fields } };
  return { linux: { cgroupParent: '', sysctls: {}, securityContext: security } };
}

function configOf(fields: object): PodSandboxConfig {
  return { ...PodSandboxConfig.decode(new Uint8Array()), metadata, ...fields } as PodSandboxConfig;
}

const refused: readonly [string, object, RegExp][] = [
  ['a user namespace of a container', users({ mode: NamespaceMode.CONTAINER }), /userns_options\.mode: it can only be POD or NODE/],
  ['a user namespace of a target', users({ mode: NamespaceMode.TARGET }), /userns_options\.mode: it can only be POD or NODE/],
  ['a user namespace mode that nobody knows', users({ mode: 9 as NamespaceMode }), /userns_options\.mode: 9 is not a value that this version knows/],
  ['a user namespace that maps no users', users({ uids: [] }), /userns_options\.uids: there has to be exactly one mapping, not 0/],
  ['a user namespace that maps groups twice', users({ gids: [range, range] }), /userns_options\.gids: there has to be exactly one mapping, not 2/],
  ['a user namespace without root', users({ uids: [{ ...range, containerId: 1 }] }), /userns_options\.uids\[0\]\.container_id: it is 1, but 0/],
  ['a user namespace of no ids', users({ gids: [{ ...range, length: 0 }] }), /userns_options\.gids\[0\]\.length: it is 0/],
  ['a user namespace of fewer groups than users', users({ gids: [{ ...range, length: 5 }] }), /userns_options\.gids\[0\]\.length: it is 5, and that of the users is 65536/],
  ['a user namespace beyond the last id', users({ uids: [{ ...range, hostId: 4_294_901_760 }] }), /userns_options\.uids\[0\]\.host_id: 65536 ids from 4294901760 on go beyond the last one, 4294967294/],
  ["mappings for the node's users", users({ mode: NamespaceMode.NODE }), /userns_options\.uids: mode NODE has the ids of the node and maps none/],
  ["a user namespace and the node's processes", options({ pid: NamespaceMode.NODE, usernsOptions: userNamespace }), /namespace_options\.pid: NODE cannot go with a user namespace/],
  ["a user namespace and the node's IPC", options({ ipc: NamespaceMode.NODE, usernsOptions: userNamespace }), /namespace_options\.ipc: NODE cannot go with a user namespace/],
];

for (const [what, fields, message] of refused) {
  test(`a pod config with ${what} is refused`, () => {
    assert.throws(() => checkPodConfig(configOf(fields)), (error) => error instanceof GantryError && error.kind === 'invalid-argument' && message.test(error.message));
  });
}

test('a pod config with a user namespace passes', () => {
  checkPodConfig(configOf(users({})));
  checkPodConfig(configOf(options({ network: NamespaceMode.NODE, usernsOptions: userNamespace })));
  checkPodConfig(configOf(users({ uids: [{ ...range, hostId: 4_294_901_759 }] })));
});

test('a hostile pod config passes or is refused by the name of a field, and never breaks the check', () => {
  const outcomes = { passed: 0, refused: 0 };
  fc.assert(
    fc.property(hostilePods({ cgroupParent: '/pods' }), (config) => {
      try {
        checkPodConfig(config);
        outcomes.passed += 1;
      } catch (error) {
        assert.ok(error instanceof GantryError && ['invalid-argument', 'unimplemented'].includes(error.kind), String(error));
        assert.match(error.message, /^check config\.[a-z]/);
        outcomes.refused += 1;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(outcomes.passed > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
});

test('what passes writes no line of its own into a file of the pod', () => {
  fc.assert(
    fc.property(hostilePods({ cgroupParent: '/pods' }), (config) => {
      try {
        checkPodConfig(config);
      } catch {
        return;
      }
      const words = [config.hostname, config.metadata!.name, ...Object.values(config.dnsConfig ?? {}).flat() as string[], ...Object.keys(config.linux?.sysctls ?? {})];
      for (const word of words) assert.doesNotMatch(word, /[\n\r\0]/);
    }),
    { numRuns: 500 },
  );
});
