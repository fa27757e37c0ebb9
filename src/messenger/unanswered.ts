// The questions that wait for an answer, so that whoever asked one that has died need not wait until the time is over. In the master; pure.

/** Of one asker: the master does not hear of questions whose time is over, and must not collect those that nobody ever answers. */
export const MOST_UNANSWERED = 1_000;

export interface Question {
  /** The life that asked. */
  readonly asker: number;
  /** The asker's number for it. */
  readonly question: number;
}

export class Unanswered {
  /** By asker and question, the oldest first: who may still answer, almost always one. */
  readonly #open: Map<number, Map<number, readonly number[]>> = new Map();

  /** Of more than `MOST_UNANSWERED` by one asker the oldest is forgotten. */
  asked({ asker, question }: Question, answerers: readonly number[]): void {
    const questions = this.#open.get(asker) ?? new Map<number, readonly number[]>();
    this.#open.set(asker, questions);
    questions.set(question, answerers);
    if (questions.size > MOST_UNANSWERED) questions.delete(questions.keys().next().value as number);
  }

  answered({ asker, question }: Question): void {
    this.#open.get(asker)?.delete(question);
  }

  /** The life is gone, with what it has asked. @returns what nobody is left to answer */
  gone(life: number): readonly Question[] {
    this.#open.delete(life);
    const orphaned: Question[] = [];
    for (const [asker, questions] of this.#open) {
      for (const [question, answerers] of questions) {
        if (!answerers.includes(life)) continue;
        const left = answerers.filter((each) => each !== life);
        if (left.length > 0) questions.set(question, left);
        else {
          questions.delete(question);
          orphaned.push({ asker, question });
        }
      }
    }
    return orphaned;
  }
}
