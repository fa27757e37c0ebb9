// `--flag value` and `--flag=value` among the words of a command. Pure.

export interface FlagValue {
  /** Empty where none is given. */
  readonly value: string;
  /** How many words it takes. */
  readonly length: 1 | 2;
}

/** Null where another word stands. */
export function flagValueAt(words: readonly string[], index: number, flag: string): FlagValue | null {
  const word = words[index];
  if (word === flag) return { value: words[index + 1] ?? "", length: 2 };
  return word?.startsWith(`${flag}=`) === true ? { value: word.slice(flag.length + 1), length: 1 } : null;
}
