/** The command line of cri-dockerd (`cri-dockerd --help`). */
import { ForeignValue } from '../../base/foreign-value.ts';
import { alike, lost, maps, needless, translate } from './translation.ts';
import type { Rules, Translation } from './translation.ts';

const docker = needless('Gantry needs no Docker');
const hairpin = needless('a matter of the CNI configuration: hairpinMode of the bridge plugin');

const rules: Rules = {
  'container-runtime-endpoint': needless('socket is Gantry\'s own'),
  'pod-infra-container-image': needless('pods need no image of their own: where one has a first process, it is a program of the node'),
  'cni-bin-dir': (value) => maps({ 'cni.bin_dirs': value.text().split(',') }),
  'cni-conf-dir': (value) => maps({ 'cni.conf_dir': value.text() }),
  'cni-cache-dir': needless('Gantry keeps its own'),
  'network-plugin': (value) => (value.text() === 'cni' ? alike('pods get their network from CNI') : lost(`the network ${value.text() || 'without a plugin'} is gone: install a CNI plugin, and its configuration in cni.conf_dir`)),
  'network-plugin-mtu': lost('a matter of the CNI configuration: mtu of its plugins'),
  'pod-cidr': lost('a matter of the CNI configuration'),
  'hairpin-mode': hairpin,
  'ipv6-dual-stack': alike('a pod has the addresses that its network gives it'),
  'docker-endpoint': docker, 'cri-dockerd-root-directory': docker, 'runtime-cgroups': docker, 'dockershim-root-directory': docker,
  'image-pull-progress-deadline': alike('a registry that sends nothing is given up after a while'),
  'streaming-bind-addr': (value) => {
    const [, address = '', port = '0'] = /^(.*):(\d*)$/.exec(value.text()) ?? [];
    return maps({ ...(address === '' ? {} : { 'streaming.address': address }), ...(port === '' || port === '0' ? {} : { 'streaming.port': Number(port) }) });
  },
  'log-level': (value) => {
    const level = value.text();
    return maps({ 'log.level': ['debug', 'info', 'warn', 'error'].includes(level) ? level : level === 'trace' ? 'debug' : level === 'warning' ? 'warn' : 'error' });
  },
  'version': needless('a question'), 'buildinfo': needless('a question'), 'help': needless('a question'),
  'backend-shutdown-wait': docker,
};

/** `words`: the command line without the program's name. */
export function translateCriDockerdFlags(words: readonly string[]): Translation[] {
  return translate(new ForeignValue(Object.fromEntries(parseFlags(words))), rules, '--');
}

/** Go's flags: `--name=value`, `--name value`, `-name`; one without a value is `true`. */
export function parseFlags(words: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [n, word] of words.entries()) {
    const [, name, value] = /^--?([a-z][\w.-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) continue;
    const next = words[n + 1];
    flags.set(name, value ?? (next !== undefined && !next.startsWith('-') ? next : 'true'));
  }
  return flags;
}
