/**
 * The kubelet's command line where people keep it: environment files (`KUBELET_KUBEADM_ARGS="--a=b --c"`) and systemd's drop-ins. Only words are
 * exchanged; everything else of the text stays as it was written.
 */

export interface KubeletTarget {
  /** `unix:///run/gantry/gantry.sock` */
  readonly endpoint: string;
  /** Minor version of the kubelet (1.x); undefined when nobody knows it. */
  readonly minor: number | undefined;
}

/** Flags of the kubelet's own Docker client, which went with it in 1.24: a newer kubelet does not start with them. */
const ofDockershim = [
  'network-plugin', 'cni-bin-dir', 'cni-conf-dir', 'cni-cache-dir', 'network-plugin-mtu', 'docker-endpoint', 'image-pull-progress-deadline',
  'experimental-dockershim-root-directory', 'non-masquerade-cidr', 'docker', 'docker-root', 'docker-only', 'docker-env-metadata-whitelist', 'docker-tls', 'docker-tls-ca', 'docker-tls-cert', 'docker-tls-key',
];

/** The value runs to the next blank or quote; a value of its own word belongs to the flag. */
const flagPattern = (name: string): RegExp => new RegExp(`(?<=^|[\\s"'=])--${name}(?![\\w-])(?:=[^\\s"']*|\\s+(?!-)[^\\s"']+)?`, 'g');

export function hasEndpoint(text: string): boolean {
  return endpointIn(text) !== undefined;
}

/** What the text tells the kubelet to talk to; the last one counts, as for the kubelet. */
export function endpointIn(text: string): string | undefined {
  const found = withoutComments(text).match(flagPattern('container-runtime-endpoint'))?.at(-1);
  return found === undefined ? undefined : found.replace(/^--container-runtime-endpoint[=\s]+/, '');
}

/** Exchanges the endpoint wherever the text names one, and takes away what belongs to Docker alone. */
export function editFlags(text: string, { endpoint, minor }: KubeletTarget): string {
  // From 1.27 on there is no such flag; before, it has to be `remote`.
  const runtime = minor !== undefined && minor >= 27 ? '' : '--container-runtime=remote';
  return text.split('\n').map((line) => {
    if (isComment(line)) return line;
    let edited = line.replace(flagPattern('container-runtime-endpoint'), `--container-runtime-endpoint=${endpoint}`).replace(flagPattern('image-service-endpoint'), '');
    edited = edited.replace(flagPattern('container-runtime'), runtime);
    for (const name of ofDockershim) edited = edited.replace(flagPattern(name), '');
    return edited === line ? line : tidy(edited);
  }).join('\n');
}

/** Adds the endpoint to the variable of an environment file, which is made where it is not. */
export function addEndpoint(text: string, variable: string, { endpoint, minor }: KubeletTarget): string {
  const words = [...(minor !== undefined && minor < 27 ? ['--container-runtime=remote'] : []), `--container-runtime-endpoint=${endpoint}`].join(' ');
  const line = new RegExp(`^(\\s*${variable}=)(["']?)(.*?)\\2\\s*$`, 'm');
  if (!line.test(text)) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${variable}="${words}"\n`;
  return text.replace(line, (_, name: string, quote: string, value: string) => `${name}${quote || '"'}${value === '' ? '' : `${value.trim()} `}${words}${quote || '"'}`);
}

function tidy(line: string): string {
  return line.replace(/(\S) {2,}/g, '$1 ').replace(/(["']) +/g, '$1').replace(/ +(["'])/g, '$1').replace(/\s+$/, '');
}

function isComment(line: string): boolean {
  return /^\s*[#;]/.test(line);
}

function withoutComments(text: string): string {
  return text.split('\n').filter((line) => !isComment(line)).join('\n');
}
