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

/** Those that never have a value of their own word. */
const switches = ['docker-only', 'docker-tls'];

/** The value runs to the next blank or quote, or is in quotes of its own; a value of its own word belongs to the flag, but not what continues the line. */
function flagSource(name: string): string {
  const ownWord = switches.includes(name) ? '' : `|\\s+(?![-\\\\])[^\\s"']+`;
  return `(?<=^|[\\s"'=])--${name}(?![\\w-])(?:="[^"\\s]+"|='[^'\\s]+'|=[^\\s"']*${ownWord})?`;
}

const flagPattern = (name: string): RegExp => new RegExp(flagSource(name), 'g');

/** Takes the flag away, and the blanks on one side of it: quotes and other words of the line stay as they stand. */
function without(line: string, name: string): string {
  const first = new RegExp(`([ \\t]*)${flagSource(name)}([ \\t]*)`);
  for (let before = ''; before !== line;) {
    before = line;
    line = line.replace(first, (_, left: string, right: string) => (left !== '' && right !== '' ? ' ' : ''));
  }
  return line;
}

/** What the text tells the kubelet to talk to; the last one counts, as for the kubelet. */
export function endpointIn(text: string): string | undefined {
  const found = withoutComments(text).match(flagPattern('container-runtime-endpoint'))?.at(-1);
  return found === undefined ? undefined : found.replace(/^--container-runtime-endpoint[=\s]+/, '').replaceAll(/["']/g, '');
}

/** Exchanges the endpoint wherever the text names one, and takes away what belongs to Docker alone. */
export function editFlags(text: string, { endpoint, minor }: KubeletTarget): string {
  // From 1.27 on there is no such flag; before, it has to be `remote`.
  const knowsRemote = minor === undefined || minor < 27;
  const gone = [...ofDockershim, 'image-service-endpoint', ...(knowsRemote ? [] : ['container-runtime'])];
  return text.split('\n').map((line) => {
    if (isComment(line)) return line;
    const told = line.replace(flagPattern('container-runtime-endpoint'), () => `--container-runtime-endpoint=${endpoint}`).replace(flagPattern('container-runtime'), '--container-runtime=remote');
    return gone.reduce(without, told);
  }).join('\n');
}

/** Adds the endpoint to the variable of an environment file, which is made where it is not. */
export function addEndpoint(text: string, variable: string, { endpoint, minor }: KubeletTarget): string {
  const words = [...(minor !== undefined && minor < 27 ? ['--container-runtime=remote'] : []), `--container-runtime-endpoint=${endpoint}`].join(' ');
  const line = new RegExp(`^([ \\t]*${variable}=)(["']?)(.*?)\\2[ \\t]*$`, 'm');
  if (!line.test(text)) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${variable}="${words}"\n`;
  return text.replace(line, (_, name: string, quote: string, value: string) => `${name}${quote || '"'}${value === '' ? '' : `${value.trim()} `}${words}${quote || '"'}`);
}

function isComment(line: string): boolean {
  return /^\s*[#;]/.test(line);
}

function withoutComments(text: string): string {
  return text.split('\n').filter((line) => !isComment(line)).join('\n');
}
