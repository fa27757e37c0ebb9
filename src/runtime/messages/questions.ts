// The questions that this process has asked and that wait for their answers, each with a deadline. Runs in a child.

/** Characters of what a failed handler said. */
const MAX_REASON = 10_000;

interface Open {
  readonly what: string;
  readonly timer: NodeJS.Timeout;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class Questions {
  readonly #open: Map<number, Open> = new Map();
  #next = 1;

  /** @param what names the question in errors */
  open(what: string, timeoutMs: number): { readonly id: number; readonly answer: Promise<unknown> } {
    const id = this.#next;
    this.#next = (this.#next % 0xffff_ffff) + 1;
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#open.delete(id);
        reject(fail("ERR_ASK_TIMEOUT", `${what}: no answer within ${timeoutMs} ms; expected one sooner, or a longer timeout`));
      }, timeoutMs);
      this.#open.set(id, { what, timer, resolve, reject });
    });
    return { id, answer };
  }

  /** One that comes too late changes nothing. */
  answer(id: number, answer: unknown): void {
    this.#close(id)?.resolve(answer);
  }

  refuse(id: number, why: string): void {
    const question = this.#close(id);
    question?.reject(fail("ERR_ASK_REFUSED", `${question.what}: ${why}`));
  }

  /** It could not be put: nobody waits for its answer. */
  withdraw(id: number): void {
    this.#close(id);
  }

  #close(id: number): Open | undefined {
    const question = this.#open.get(id);
    this.#open.delete(id);
    clearTimeout(question?.timer);
    return question;
  }
}

function fail(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What a handler threw may be anything, and of any length. */
export function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, MAX_REASON);
  } catch {
    return "the handler failed with what cannot be shown";
  }
}
