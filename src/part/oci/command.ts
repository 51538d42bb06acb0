/** A program and the arguments that go before a sub-command. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}
