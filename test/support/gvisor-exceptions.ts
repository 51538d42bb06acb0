/** Tests of the node tier that RUNTIME=runsc leaves out, each for something that gVisor does otherwise by its own design. */
const reasons = {
  orphans: 'a process that was left to the first one of its container cannot be told from others: the node sees only the sandbox, and gVisor signals by pid alone',
  terminalName: 'a terminal of the node\'s that gVisor is handed has no name inside, for which `tty` asks',
  devices: 'the kernel of gVisor has devices of its own and none of the node\'s',
  ownKernel: 'the kernel of gVisor is another one: it has no such file, or shows it otherwise',
  procStatus: 'gVisor\'s /proc/self/status has no line for it',
  capabilities: 'gVisor knows no CAP_PERFMON, CAP_BPF and CAP_CHECKPOINT_RESTORE',
  setuid: 'gVisor gives set-user-ID programs no other user, in releases without the flag --allow-suid',
  masked: 'the files that are masked are ones of the node\'s kernel, which gVisor has not',
  seccompNotify: 'inside a sandbox gVisor applies the rules of a filter, and has no listener for them',
  seccompErrno: 'inside a sandbox gVisor refuses with EPERM, whatever errno a filter names',
  containerLimits: 'gVisor limits the sandbox, by the resources of the pod, and not each container',
  propagation: 'mounts that are made inside are the sandbox\'s own and never show on the node',
  namespaces: 'what shares the sandbox shares its kernel: gVisor has no namespaces of the node and no target to join, and is itself process 1\'s keeper',
  inHostCgroup: 'the processes of a container are no processes of the node, so that it has no cgroup of its own with them in it',
  wholeSandbox: 'the node sees one process for all containers of a pod, and counts and describes that',
} as const;

/** By the file that they are in. */
const tests: Readonly<Record<string, Readonly<Record<string, keyof typeof reasons>>>> = {
  'container-exec': {
    'at its timeout a command is killed with all its children, also those that left its session': 'orphans',
  },
  'sessions': {
    'a terminal has the size that the client says, also over WebSocket': 'terminalName',
    'the output of a terminal is one stream': 'terminalName',
  },
  'container-inside': {
    'without stdin a process reads nothing, and has no other open files of ours': 'ownKernel',
    'mounts made on the node later appear in the container only where propagation says so; those it makes itself come out only with Bidirectional': 'propagation',
    'an ordinary container cannot reach the kernel: masked and read-only paths, no new privileges, seccomp': 'procStatus',
    'a privileged container has all that the daemon has: capabilities, devices, a writable /sys': 'capabilities',
    'a device that was asked for can be used, within its permissions': 'devices',
  },
  'container-life': {
    'a container that runs out of memory says so': 'containerLimits',
  },
  'container-privilege': {
    'capabilities are added and dropped by name in any case, with and without CAP_, and ALL': 'capabilities',
    'ambient capabilities are in force for a user who is not root, and only they': 'procStatus',
    'no new privileges means that setuid programs give none': 'procStatus',
    'a seccomp profile of the node is applied, with its own errno': 'seccompErrno',
    'a privileged container needs a pod that was announced as privileged, at the latest with the container': 'devices',
    'a seccomp profile that asks a listener which is not there fails with the runtime\'s words': 'seccompNotify',
    'masked and read-only paths are what the caller says, none with procMount Unmasked': 'masked',
    'privileged has its eight effects': 'capabilities',
  },
  'contract': {
    'changed limits are in the status, and the same change again is the same': 'containerLimits',
  },
  'devices': {
    'a CDI device of the field brings variable, node, mount, group and hooks': 'devices',
    'the annotation of old asks for the same, and both together once; the node is the user\'s': 'devices',
    'names that are none, devices that are not there or claimed twice are refused, and nothing is left': 'devices',
    'a device outside the list can be made but not opened, unless it is privileged': 'devices',
    'a directory of devices is given with what lies below it, a symlink is followed, and permissions hold': 'devices',
    'a handler can keep the devices of the node from privileged containers, or only their nodes': 'devices',
    'devices go to the user of the container where the node is set so, from a reload on': 'devices',
  },
  'pod-cgroups': {
    'a container is in the cgroup that was named for its pod, in every hierarchy': 'inHostCgroup',
    'a pod for which none was named gets one of its own, which goes with it': 'inHostCgroup',
  },
  'pod-namespaces': {
    'containers of a pod that shares its PID namespace see each other, and process 1 is the pause program': 'namespaces',
    'a container of a pod in the node\'s PID namespace sees the node\'s processes': 'namespaces',
    'a debug container with a target joins the PID namespace of that container alone': 'namespaces',
    'a target that does not run, or belongs to another pod, is refused': 'namespaces',
    'containers of a pod share its IPC namespace and /dev/shm, and nobody else does': 'namespaces',
    'a pod in the node\'s IPC namespace has the node\'s /dev/shm': 'namespaces',
    'a pod in the node\'s network has the node\'s host name and no address of its own': 'namespaces',
    'sysctls of the pod hold inside and not on the node': 'ownKernel',
  },
  'restart': {
    'the namespaces of pods survive: new containers join old ones': 'namespaces',
  },
  'stats': {
    'memory and processes are counted': 'wholeSandbox',
    'limits that a container is made with are in its cgroup and in its status': 'containerLimits',
    'limits can be changed while it runs: those that are named, and no others': 'containerLimits',
    'limits of a created container can be changed, of an exited one they cannot': 'containerLimits',
    'a verbose status tells what a plain one does not: process, namespaces, configuration; and no secrets': 'wholeSandbox',
  },
};

export const gvisorExceptions: readonly { readonly test: string; readonly why: string }[] = Object.values(tests)
  .flatMap((of) => Object.entries(of)).map(([test, reason]) => ({ test, why: reasons[reason] }));
