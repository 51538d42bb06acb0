import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device, ImageSpec, Mount, NamespaceMode } from '../../gen/cri.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { checkContainerConfig } from './check-container-config.ts';
import { exampleInput, unset } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import type { SpecInput } from './spec-input.ts';

const named = (name: string): Changes => ({ config: { metadata: { name, attempt: 0 } } });
const config = (changed: Partial<ContainerConfig>): Changes => ({ config: changed });
const security = 'config.linux.security_context';
const check = (input: SpecInput): void => checkContainerConfig(input.config, input.podConfig);
const many = <T>(item: T, count: number): T[] => Array.from({ length: count }, () => item);

/** What can be told from the config alone, each with its whole message. */
const refused: readonly (readonly [Changes, string])[] = [
  [config({ metadata: undefined }), 'config.metadata.name: it is empty'],
  [named(''), 'config.metadata.name: it is empty'],
  [named('x'.repeat(254)), 'config.metadata.name: it is longer than 253 bytes'],
  ...['../web', 'a/b', 'a\0b', 'a\nb', '..', 'a;b'].map((name) => [named(name), `config.metadata.name: ${JSON.stringify(name)} is no name: slashes, ; and =, control characters and mere dots are not allowed in one`] as const),
  [config({ stopSignal: 99 as never }), 'config.stop_signal: 99 is not a value that this version knows'],
  [config({ labels: { 'a\0': 'v' } }), 'config.labels (a key of it): it has a NUL byte'],
  [config({ labels: { a: '\0' } }), 'config.labels["a"]: it has a NUL byte'],
  [config({ annotations: { a: 'x'.repeat(1 << 20) } }), 'config.annotations: it has 1048577 bytes in all, and at most 1048576 are taken'],
  [config({ image: { ...unset(ImageSpec), annotations: { a: '\0' } } }), 'config.image.annotations["a"]: it has a NUL byte'],
  [config({ mounts: many(unset(Mount), 10_001) }), 'config.mounts: it has 10001 entries, and at most 10000 are taken'],
  [config({ devices: many(unset(Device), 4097) }), 'config.devices: it has 4097 entries, and at most 4096 are taken'],
  [{ security: { supplementalGroups: many(1n, 65_537) } }, `${security}.supplemental_groups: it has 65537 entries, and at most 65536 are taken`],
  [{ security: { maskedPaths: many('/x', 10_001) } }, `${security}.masked_paths: it has 10001 entries, and at most 10000 are taken`],
  [{ security: { readonlyPaths: many('/x', 10_001) } }, `${security}.readonly_paths: it has 10001 entries, and at most 10000 are taken`],
  [{ namespaces: { pid: NamespaceMode.CONTAINER, targetId: 'c' } }, `${security}.namespace_options.target_id: it can only be given with pid mode TARGET`],
];

for (const [changes, message] of refused) {
  test(`a container is refused: ${message.slice(0, 150)}`, () => {
    assert.throws(() => check(exampleInput(changes)), { kind: 'invalid-argument', message: `check ${message}` });
  });
}

test('an ordinary container passes, and so does one at the limits', () => {
  check(exampleInput());
  check(exampleInput({ ...named('x'.repeat(253)), security: { supplementalGroups: many(1n, 65_536) } }));
  check(exampleInput(config({ annotations: { a: 'x'.repeat((1 << 20) - 1) }, labels: { 'app.kubernetes.io/name': 'grüezi\n' } })));
});
