/** Tests of the node tier that RUNTIME=runsc leaves out, each for something that gVisor does otherwise by its own design. */
export const gvisorExceptions: readonly { readonly test: string; readonly why: string }[] = [
  {
    test: 'at its timeout a command is killed with all its children, also those that left its session',
    why: 'a process that was left to the first one of its container cannot be told from others: the node sees only the sandbox, and gVisor signals by pid alone',
  },
  { test: 'a terminal has the size that the client says, also over WebSocket', why: 'a terminal of the node\'s that gVisor is handed has no name inside, for which `tty` asks' },
  { test: 'the output of a terminal is one stream', why: 'a terminal of the node\'s that gVisor is handed has no name inside, for which `tty` asks' },
];
